"""Pages on paper: no menus, nothing cut off at its edge, and forecasts that are black on white."""

from __future__ import annotations

import pytest

from tests.e2e.states import every_state

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PAPER = 718
"""CSS pixels between the margins of a sheet of A4."""
OF_THE_SCREEN = ".main, .worlds, .search, .tabs, .days, .follow, .seg, .foot nav, .more, .skip"

# What lies outside the sheet, or outside a box that cuts it off.
CUT = """
() => {
  const cut = [];
  for (const each of document.querySelectorAll("main *")) {
    if (!each.checkVisibility() || each.closest(".quiet")) continue;
    let right = innerWidth;
    for (let box = each.parentElement; box; box = box.parentElement) {
      if (getComputedStyle(box).overflowX !== "visible") right = Math.min(right, box.getBoundingClientRect().right);
    }
    const at = each.getBoundingClientRect();
    if (at.width && at.right > right + 1) cut.push(`${each.tagName} ${each.textContent.trim().slice(0, 30)}`);
  }
  return cut;
}
"""

# Tables whose rows do not lie in the page: those behind a line that a reader would have to open.
CLOSED = "() => [...document.querySelectorAll('main table')].filter((each) => !each.clientHeight).length"


@pytest.fixture
def printed(build, open_page, site):
    """A function that opens a page in the dark, as it is printed."""
    states = every_state(build)

    def opened(path: str):
        page = open_page("/about/", width=PAPER, push=False)
        page.emulate_media(media="print", color_scheme="dark")
        page.goto(site + path.format(over=states.matches["favourite won"].pk, coming=states.matches["coming"].pk))
        return page

    return opened


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/competitions/aldermark-crown-league/",
        "/matches/{over}/",
        "/matches/{coming}/",
        "/teams/brighton-hove-albion/",
        "/track-record/?of=back-tests",
        "/ratings/",
        "/models/",
        "/about/",
    ],
)
def test_a_printed_page_has_no_menus_and_nothing_is_cut_off(printed, path):
    page = printed(path)
    assert page.locator("h1").count() == 1
    assert [each.inner_text() for each in page.locator(OF_THE_SCREEN).all() if each.is_visible()] == []
    assert page.evaluate(CUT) == []
    assert page.evaluate(CLOSED) == 0


def test_a_printed_forecast_is_read_in_its_bar_on_white(printed):
    page = printed("/matches/{coming}/")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    bar = page.locator(".duel .bar").first
    # Browsers leave grounds out unless they are told that these are the picture.
    assert bar.evaluate("(each) => getComputedStyle(each).printColorAdjust") == "exact"
    assert [each.text_content() for each in bar.locator("text").all()] == ["90%"]
