"""What an open page requests by itself, and what of the reader's state survives when a part is replaced."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from apps.api.services.league import rounds_of
from apps.matches import events
from apps.matches.models import Match, Topic
from apps.matches.selectors import table_matches
from tests.e2e.conftest import FOREIGN
from tests.e2e.states import every_state

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

SELECT_A_NAME = """
(row) => {
  const range = document.createRange();
  range.selectNodeContents(document.querySelector(`${row} .name`));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  return getSelection().toString();
}
"""


def asked(page) -> list:
    """The answers to what the page asks for from now on."""
    found: list = []
    page.on("response", lambda response: found.append(response))
    return found


def hide(page, is_hidden: bool) -> None:
    page.evaluate(
        """(isHidden) => {
          Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


def with_clock(open_page, site, path: str, *, push: bool = False):
    """A page whose clock only moves when the test advances it."""
    page = open_page("/about/", push=push)
    page.clock.install()
    page.goto(site + path)
    page.wait_for_selector("body[data-live]")
    return page


def pass_by(page, seconds: float) -> None:
    page.clock.run_for(seconds * 1000)
    page.wait_for_load_state("networkidle")


def test_an_idle_page_without_a_champion_asks_ever_more_rarely_and_gets_no_body(build, open_page, site):
    build.match()
    page = with_clock(open_page, site, "/")
    answers = asked(page)
    counts = []
    for _ in range(4):
        for _ in range(12):
            pass_by(page, 5)
        counts.append(len(answers))
    assert {answer.status for answer in answers} == {304}
    assert counts[0] <= 4
    assert all(later - earlier <= 1 for earlier, later in pairwise(counts[1:]))
    assert counts[-1] > counts[0]


def test_a_page_that_changed_goes_on_asking(build, open_page, site):
    match = build.match()
    page = with_clock(open_page, site, "/")
    for status in ("postponed", "cancelled"):
        Match.objects.filter(pk=match.pk).update(status=status)
        for _ in range(30):
            pass_by(page, 5)
        # The last answer may still be on its way.
        page.locator(f"#row-{match.pk} :text('{status}')").wait_for()


def test_a_row_of_a_list_of_several_days_keeps_its_day_when_it_is_requested_anew(build, open_page, site):
    match = build.match("Northgate", "Old Mill")
    page = with_clock(open_page, site, "/teams/northgate/")
    day = page.locator(f"#row-{match.pk} .t small").inner_text()
    Match.objects.filter(pk=match.pk).update(status="cancelled")
    hide(page, True)
    hide(page, False)
    page.wait_for_selector(f"#row-{match.pk} :text('Cancelled')")
    assert page.locator(f"#row-{match.pk} .t small").inner_text() == day


def test_a_hidden_page_asks_for_nothing_and_catches_up_when_it_is_seen(build, open_page, site):
    match = build.match()
    page = with_clock(open_page, site, "/")
    hide(page, True)
    answers = asked(page)
    for _ in range(10):
        pass_by(page, 60)
    assert answers == []
    Match.objects.filter(pk=match.pk).update(status="cancelled")
    hide(page, False)
    page.wait_for_selector(f"#row-{match.pk} :text('Cancelled')")


def test_a_row_is_requested_anew_at_its_kickoff(build, open_page, site):
    version = build.version()
    build.promote(version)
    soon = build.match("Northgate", "Old Mill", kickoff_at=timezone.now() + timedelta(minutes=5))
    build.prediction(soon, version, before_kickoff=timedelta(hours=1))
    page = with_clock(open_page, site, "/teams/northgate/")
    assert page.locator(f"#row-{soon.pk} .bars").count() == 1
    # For the server the match begins now, for the page when five minutes have passed on its clock.
    Match.objects.filter(pk=soon.pk).update(kickoff_at=timezone.now() - timedelta(seconds=1))
    pass_by(page, 301)
    page.wait_for_selector(f"#row-{soon.pk} .pre:has-text('In play')")


def replace_all() -> None:
    """Let the whole list be asked for again."""
    events.publish(topic=Topic.PROMOTION_MADE, key="sandbox", now=timezone.now())


def replace_row(match: Match) -> None:
    """Let one row be asked for again."""
    events.publish_of_matches(topic=Topic.MATCH_CHANGED, events=[(match.pk, {})], now=timezone.now())


def live(page) -> None:
    page.wait_for_selector("body[data-live=on]")
    page.wait_for_load_state("networkidle")
    page.evaluate("document.querySelector('[data-list], #match').dataset.old = 'yes'")


def replaced(page) -> None:
    page.wait_for_selector(":is([data-list], #match):not([data-old])", state="attached")


@pytest.fixture
def states(build):
    return every_state(build)


def change_all() -> None:
    Match.objects.filter(status="scheduled").update(status="cancelled")


def test_a_search_that_is_being_written_stays(states, open_page):
    page = open_page("/")
    live(page)
    page.locator("#search").press_sequentially("wolv")
    page.wait_for_selector("#found a")
    change_all()
    replace_all()
    replaced(page)
    assert page.locator("#search").input_value() == "wolv"
    assert page.locator("#found a[href^='/teams/']").count() == 1
    assert page.evaluate("document.activeElement.id") == "search"


@pytest.mark.parametrize("is_list", [True, False])
def test_what_is_selected_stays_and_is_replaced_when_it_is_let_go(states, open_page, is_list):
    match = states.matches["late"]
    rounds = rounds_of(table_matches(match.season))
    number = next(each.number for each in rounds if match.pk in {found.pk for found in each.matches})
    page = open_page(f"/competitions/aldermark-crown-league/?round={number}")
    live(page)
    selected = page.evaluate(SELECT_A_NAME, f"#row-{match.pk}")
    change_all()
    row = page.locator(f"#row-{match.pk}")
    page.evaluate("id => { document.getElementById(id).dataset.old = 'yes'; }", f"row-{match.pk}")
    if is_list:
        replace_all()
    else:
        replace_row(match)
    page.wait_for_timeout(1000)
    assert page.evaluate("getSelection().toString()") == selected
    assert row.get_attribute("data-old") == "yes"
    page.evaluate("getSelection().removeAllRanges()")
    page.wait_for_selector(f"#row-{match.pk}[data-old]", state="detached")


@pytest.mark.parametrize("is_open", [True, False])
def test_what_is_opened_or_closed_on_a_match_page_stays_so(states, open_page, is_open):
    match = states.matches["coming"]
    page = open_page(f"/matches/{match.pk}/")
    live(page)
    page.evaluate("(isOpen) => { document.getElementById('markets').open = isOpen; }", is_open)
    Match.objects.filter(pk=match.pk).update(round="Round of the last sixteen")
    replace_row(match)
    replaced(page)
    assert (page.locator("#markets").get_attribute("open") is not None) == is_open


def test_the_focus_and_the_place_in_a_wide_table_stay(states, build, open_page):
    page = open_page("/models/", width=390)
    live(page)
    link = page.locator("main .scroll a").first
    link.focus()
    page.evaluate("document.querySelector('.scroll').scrollLeft = 120")
    build.run(status="failed")
    events.publish(topic=Topic.RUN_CHANGED, key="1", now=timezone.now())
    replaced(page)
    assert page.evaluate("document.querySelector('.scroll').scrollLeft") == 120
    assert page.evaluate("document.activeElement.getAttribute('href')") == link.get_attribute("href")


def test_no_page_loads_anything_from_another_host(states, open_page, site):
    page = open_page("/about/")
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2] if "//" in request.url else ""))
    for path in [*states.pages, "/api/docs/", "/api/redoc/"]:
        page.goto(site + path)
        if path == "/api/redoc/":
            page.get_by_role("heading", name="Matches ordered by kick-off").wait_for()
        page.wait_for_load_state("networkidle")
        assert page.evaluate(FOREIGN) == [], path
    assert {host for host in hosts if host and not host.startswith("127.0.0.1:")} == set()


def test_on_paper_bars_keep_their_colours_and_the_page_is_light(states, open_page):
    page = open_page(
        "/?day=" + f"{states.matches['favourite won'].kickoff_at:%Y-%m-%d}&competition=aldermark-crown-league"
    )
    screen = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.querySelector('.bar')).printColorAdjust") == "exact"
    assert not page.locator("nav.main, .days, .search input").first.is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert screen != "rgb(255, 255, 255)"
