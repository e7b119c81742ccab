"""What is really seen at the widths of phones, tablets and desks: names, columns, whole words, nothing that moves."""

from __future__ import annotations

import pytest

from tests.e2e.states import every_state

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

WIDTHS = (320, 390, 768, 834, 900, 1024, 1440)
LETTERS = 8

# Letters of each name that lie inside every box that cuts it off, less the one that an ellipsis takes.
SHORT_NAMES = """
(least) => {
  const clips = (box) => getComputedStyle(box).overflowX !== "visible";
  const short = [];
  for (const name of document.querySelectorAll(".name")) {
    if (!name.checkVisibility()) continue;
    const text = name.firstChild;
    const all = text.textContent.trim();
    const from = text.textContent.indexOf(all);
    let right = innerWidth, left = 0, bottom = Infinity;
    for (let box = name; box; box = box.parentElement) {
      if (!clips(box)) continue;
      const at = box.getBoundingClientRect();
      right = Math.min(right, at.right);
      left = Math.max(left, at.left);
      bottom = Math.min(bottom, at.bottom);
    }
    const range = document.createRange();
    let shown = 0;
    for (let n = 0; n < all.length; n++) {
      range.setStart(text, from + n);
      range.setEnd(text, from + n + 1);
      const [letter] = range.getClientRects();
      if (letter && letter.left >= left - 1 && letter.right <= right + 1 && letter.top < bottom - 2) shown++;
    }
    const isCut = shown < all.length;
    if (shown - (isCut ? 2 : 0) < Math.min(least, all.length)) short.push(`${all.slice(0, 20)}: ${shown}`);
  }
  return short;
}
"""

# Columns, menu items and figures that lie outside the window, but for those in a box that says that it scrolls, and the
# days and tabs, which are cut off where it is plain to see.
OUTSIDE = """
() => {
  const found = [];
  for (const each of document.querySelectorAll("main *, header *, footer *")) {
    if (!each.checkVisibility() || each.closest(".quiet, .skip, .days, .tabs")) continue;
    const at = each.getBoundingClientRect();
    if (!at.width || (at.right <= innerWidth + 1 && at.left >= -1)) continue;
    if (each.closest(".scroll[data-more]")) continue;
    found.push(`${each.tagName} ${each.getAttribute("class") ?? ""} ${each.textContent.trim().slice(0, 30)}`);
  }
  return found;
}
"""

# Text that is wider than its box and neither wraps nor is cut off with an ellipsis, so that it lies on its neighbour.
OVERLAPS = """
() => [...document.querySelectorAll(".fx > *, .hero > *, .days > *, .facts > *")]
  .filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth + 6 && each.tagName !== "svg")
  .map((each) => each.textContent.trim().replace(/\\s+/g, " "))
"""


@pytest.fixture
def states(build):
    return every_state(build)


# Words that go on in the next line without a hyphen. A longer one than any column can have must, and a soft hyphen may.
BROKEN_WORDS = """
(most) => {
  const broken = [];
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, box = text.parentElement;
    if (!box.checkVisibility() || box.closest(".quiet, svg")) continue;
    for (const { 0: word, index } of text.textContent.matchAll(/[\\p{L}\\p{N}\\u00ad]{2,}/gu)) {
      if (word.length > most) continue;
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      const [first, ...others] = [...range.getClientRects()].filter((each) => each.width);
      if (others.some((each) => each.top > first.bottom - 4)) broken.push(word);
    }
  }
  return broken;
}
"""
LONGEST_WHOLE = 12


# What moved after it was first shown, and by how many pixels down.
MOVED = """
() => new Promise((done) => {
  const found = [];
  new PerformanceObserver((list) => {
    for (const { sources } of list.getEntries()) {
      for (const { node, previousRect, currentRect } of sources) {
        const name = node ? `${node.nodeName} ${node.textContent?.trim().slice(0, 30)}` : "";
        found.push(`${name}: ${Math.round(currentRect.y - previousRect.y)}`);
      }
    }
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(found), 300);
})
"""


# Two frames: the scripts that watch sizes run in the first, and what they change is laid out in the second.
LAID_OUT = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def visit(page, site, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(site + path)
    page.wait_for_function("document.readyState === 'complete'")
    page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")


def resize(page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(LAID_OUT)


@pytest.mark.parametrize(("language", "widths"), [("en", WIDTHS), ("de", (320, 390, 1440))])
def test_at_every_width_every_page_shows_its_names_and_fits(states, open_page, site, language, widths):
    page = open_page("/about/", push=False)
    page.context.add_cookies([{"name": "language", "value": language, "url": site}])
    faults = {}
    for path in states.pages:
        visit(page, site, path, widths[0])
        for width in widths:
            resize(page, width)
            found = {
                "sideways": page.evaluate("document.documentElement.scrollWidth > innerWidth"),
                "short": page.evaluate(SHORT_NAMES, LETTERS),
                "outside": page.evaluate(OUTSIDE),
                "overlaps": page.evaluate(OVERLAPS),
                "broken": page.evaluate(BROKEN_WORDS, LONGEST_WHOLE),
            }
            if any(found.values()):
                faults[width, path] = {kind: value for kind, value in found.items() if value}
    assert faults == {}


def test_nothing_moves_while_a_page_loads(states, open_page, site):
    page = open_page("/about/", push=False)
    moved = {}
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for path in states.pages:
            page.goto(site + path)
            if found := page.evaluate(MOVED):
                moved[width, path] = found
    assert moved == {}


def test_a_phone_shows_the_points_of_a_table_and_the_one_chance_that_the_reader_picks(states, open_page, site):
    page = open_page("/about/", push=False)
    for width in (320, 390):
        visit(page, site, "/competitions/aldermark-crown-league/", width)
        row = page.locator(".league tbody tr:first-child")
        for column in row.locator("td:visible").all():
            box = column.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        assert row.locator(".pt").is_visible()
        for pick, shown in (("line-1", ".c1"), ("line-3", ".c3"), ("line-4", ".st")):
            page.locator(f"label:has(#{pick})").click()
            assert [name for name in (".c1", ".c2", ".c3", ".st") if row.locator(name).is_visible()] == [shown]
