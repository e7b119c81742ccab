"""The site in a real browser: forecasts are there, push moves an open page, and keys and small screens work."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from apps.matches import events
from apps.matches.models import Match, Topic

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PAGES = (
    "/",
    "/competitions/",
    "/competitions/aldermark-crown-league/",
    "/teams/harbour-city/",
    "/track-record/",
    "/models/",
    "/about/",
    "/search/?q=harbour",
)


def live(page) -> None:
    page.wait_for_selector("body[data-live=on]")


def said(page, text: str) -> None:
    """Wait until the region for screen readers says something."""
    page.wait_for_selector(f"#news:has-text('{text}')", state="attached")


def test_every_page_shows_itself_without_a_complaint_and_fits_a_small_screen(filled, open_page, site):
    match, _ = filled
    page = open_page("/", width=390)
    for path in (*PAGES, f"/matches/{match.pk}/"):
        page.goto(site + path)
        assert page.locator("h1").count() >= 1, path
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_the_first_page_shows_forecasts_and_leads_to_a_match(filled, open_page):
    match, _ = filled
    page = open_page("/")
    assert page.locator(".fx svg.bar").count() == 15
    page.locator(f"#row-{match.pk}").click()
    page.wait_for_url(f"**/matches/{match.pk}/")
    ours = page.locator(".duel [role=img]").first
    assert ours.get_attribute("aria-label") == "Our forecast: home 46%, draw 27%, away 27%"
    assert page.locator(".heat td.top1").count() == 1


def test_a_new_forecast_moves_the_open_pages(filled, build, open_page):
    match, version = filled
    pages = [open_page("/"), open_page(f"/matches/{match.pk}/")]
    for page in pages:
        live(page)
    build.prediction(match, version, (0.61, 0.22, 0.17), before_kickoff=timedelta(minutes=6), data_snapshot=2)
    events.publish_of_matches(topic=Topic.PREDICTION_PUBLISHED, events=[(match.pk, {})], now=timezone.now())
    for page in pages:
        page.wait_for_selector('[aria-label^="Our forecast: home 61%, draw 22%, away 17%"]')
        said(page, "Harbour City – Kingsmoor")


def test_many_facts_at_once_pull_the_list_and_not_each_match(filled, build, open_page, site):
    page = open_page("/about/")
    kept_back: list[str] = []
    sockets = []

    def hold_facts(socket) -> None:
        """Pass on what the server says, but events only when all of them are there."""
        sockets.append(socket)
        server = socket.connect_to_server()
        server.on_message(lambda message: kept_back.append(message) if '"event"' in message else socket.send(message))

    page.route_web_socket("**/ws/**", hold_facts)
    page.goto(site + "/")
    live(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    ids = page.eval_on_selector_all("[data-match]", "rows => rows.map(row => row.dataset.match)")
    Match.objects.filter(status="scheduled").update(status="postponed")
    events.publish_of_matches(topic=Topic.MATCH_CHANGED, events=[(int(each), {}) for each in ids], now=timezone.now())
    while len(kept_back) < len(ids):
        page.wait_for_timeout(50)
    for message in kept_back:
        sockets[-1].send(message)
    said(page, "matches updated")
    page.wait_for_load_state("networkidle")
    assert 1 <= len(asked) < len(ids) / 2
    assert not [url for url in asked if "/matches/" in url]


def test_a_reader_who_was_away_catches_up(filled, build, open_page):
    match, version = filled
    page = open_page("/")
    live(page)
    page.context.set_offline(True)
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    build.prediction(match, version, (0.7, 0.2, 0.1), before_kickoff=timedelta(minutes=6), data_snapshot=2)
    events.publish_of_matches(topic=Topic.PREDICTION_PUBLISHED, events=[(match.pk, {})], now=timezone.now())
    page.context.set_offline(False)
    page.wait_for_selector('.bars[aria-label^="Our forecast: home 70%, draw 20%, away 10%."]')


def test_keys_search_move_and_help(filled, open_page):
    page = open_page("/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("harb")
    page.wait_for_selector("#found a[href='/teams/harbour-city/']")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/teams/harbour-city/"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.locator(".fx").first.get_attribute("id")
    assert page.evaluate("document.activeElement.id") == first
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.locator(f"#{first}").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/matches/*/")


def test_a_row_that_is_replaced_keeps_the_focus(filled, build, open_page):
    match, _ = filled
    page = open_page("/")
    live(page)
    page.locator(f"#row-{match.pk}").focus()
    events.publish_of_matches(topic=Topic.MATCH_CHANGED, events=[(match.pk, {})], now=timezone.now())
    said(page, "Harbour City")
    assert page.evaluate("document.activeElement.id") == f"row-{match.pk}"


def test_a_fact_of_one_match_pulls_its_row_and_not_the_list(filled, build, open_page):
    match, _ = filled
    page = open_page("/")
    live(page)
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    events.publish_of_matches(topic=Topic.MATCH_CHANGED, events=[(match.pk, {})], now=timezone.now())
    said(page, "Harbour City")
    page.wait_for_load_state("networkidle")
    assert [url.rsplit("/", 2)[1] for url in asked] == [str(match.pk)]


@pytest.mark.parametrize("element", ["#fixtures nav a[aria-current]", "#fixtures header a", "#zone-change"])
def test_a_list_that_is_replaced_keeps_the_focus(filled, build, open_page, element):
    page = open_page("/")
    live(page)
    page.locator(element).first.focus()
    held = page.evaluate("document.activeElement.id")
    page.evaluate("document.getElementById('fixtures').dataset.old = 'yes'")
    ids = page.eval_on_selector_all("[data-match]", "rows => rows.map(row => row.dataset.match)")
    Match.objects.filter(status="scheduled").update(status="postponed")
    events.publish_of_matches(topic=Topic.MATCH_CHANGED, events=[(int(each), {}) for each in ids], now=timezone.now())
    page.wait_for_selector("#fixtures:not([data-old])")
    assert held
    page.wait_for_selector(f"[id='{held}']:focus", state="attached")


def test_times_are_those_of_the_readers_device_from_the_first_run_on(filled, open_page, site):
    match, _ = filled
    page = open_page("/", zone="Australia/Adelaide")
    page.wait_for_selector("text=Times in Adelaide")
    page.goto(f"{site}/matches/{match.pk}/")
    shown = page.locator(".when b time")
    assert shown.get_attribute("datetime") == match.kickoff_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert shown.text_content() == match.kickoff_at.astimezone(ZoneInfo("Australia/Adelaide")).strftime("%H:%M")


def test_a_chosen_zone_stays(filled, open_page):
    page = open_page("/")
    page.wait_for_selector("text=Times in London")
    page.locator("#zone-change").click()
    page.locator("#zone-choice").select_option("Asia/Tokyo")
    page.get_by_role("button", name="Show times in this zone").click()
    page.wait_for_selector("text=Times in Tokyo")
    page.reload()
    assert page.locator("text=Times in Tokyo").count() == 1
    assert page.evaluate("document.cookie").count("zone_here=Europe/London") == 1


def test_a_first_visit_from_tokyo_shows_the_day_of_tokyo_and_never_another(build, open_page, site):
    """23:30 UTC is the next morning there: the page of UTC must not flash up."""
    late = timezone.now().replace(hour=23, minute=30, second=0, microsecond=0) + timedelta(days=1)
    build.match(kickoff_at=late)
    page = open_page("/about/", zone="Asia/Tokyo")
    page.context.clear_cookies()
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => {"
        " sessionStorage.shown = (sessionStorage.shown ?? '') + document.querySelector('h1').textContent + '|'; })"
    )
    page.goto(site + "/")
    page.wait_for_selector("text=Times in Tokyo")
    there = late.astimezone(ZoneInfo("Asia/Tokyo"))
    assert page.locator("h1").inner_text().endswith(f"{there:%A} {there.day} {there:%B}")
    assert page.locator(".fx time").inner_text() == "08:30"
    assert page.evaluate("sessionStorage.shown").count("|") == 1


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_the_star_of_a_row_is_the_stop_after_its_team_and_large_enough_for_a_finger(filled, open_page, width):
    page = open_page("/competitions/aldermark-crown-league/", width=width, push=False)
    row = page.locator(".league tbody tr:has-text('Kingsmoor')")
    star = row.get_by_role("button", name="Follow Kingsmoor")
    box = star.bounding_box()
    assert min(box["width"], box["height"]) >= 44
    assert box["x"] + box["width"] <= width
    row.locator("a.team").focus()
    page.keyboard.press("Tab")
    assert star.evaluate("(each) => each === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_selector("button[aria-label='Follow Kingsmoor'][aria-pressed=true]")
    assert page.url.endswith("/competitions/aldermark-crown-league/")


def test_light_or_dark_is_chosen_in_the_menu_and_stays(filled, open_page):
    page = open_page("/")
    page.locator("#more-summary").click()
    page.get_by_role("button", name="Dark").click()
    page.wait_for_selector("html[data-theme=dark]")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(16, 18, 22)"
    page.locator("#more-summary").click()
    page.keyboard.press("Escape")
    assert page.locator("#more-menu").get_attribute("open") is None
    assert page.evaluate("document.activeElement.id") == "more-summary"


def test_many_updates_are_summed_up_for_screen_readers(filled, open_page):
    page = open_page("/")
    live(page)
    page.evaluate(
        "window.said = []; new MutationObserver(() => said.push(document.getElementById('news').textContent))"
        ".observe(document.getElementById('news'), { childList: true })"
    )
    ids = page.eval_on_selector_all(".fx[data-match]", "rows => rows.map(row => Number(row.dataset.match))")[:4]
    for each in ids:
        page.wait_for_load_state("networkidle")
        events.publish_of_matches(topic=Topic.MATCH_CHANGED, events=[(each, {})], now=timezone.now())
        page.wait_for_selector(f"#row-{each}.fresh", state="attached")
    assert len(page.evaluate("said")) == 1


def test_without_a_script_the_site_can_be_read_and_used(filled, browser, site):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 900})
    try:
        page = context.new_page()
        page.goto(site + "/")
        assert page.locator(".fx").count() >= 15
        page.locator("#calendar").click()
        page.locator(".month a").first.click()
        page.locator("#zone-change").click()
        page.locator("#zone-choice").select_option("Asia/Tokyo")
        page.get_by_role("button", name="Show times in this zone").click()
        assert page.locator("text=Times in Tokyo").count() == 1
        page.locator("#more-summary").click()
        page.get_by_role("button", name="Dark").click()
        assert page.locator("html[data-theme=dark]").count() == 1
        page.get_by_role("link", name="Search").click()
        page.get_by_label("Team, league or match").fill("HÁRBOUR")
        page.get_by_role("button", name="Search").click()
        assert page.locator("main a[href='/teams/harbour-city/']").count() == 1
        page.goto(site + "/api/docs/")
        assert page.locator("text=/api/v1/matches/{id}/prediction/").count() >= 1
        page.locator("text=‹ spai").click()
        assert page.locator("h1").count() == 1
    finally:
        context.close()


def test_before_the_first_champion_the_page_follows_the_run_by_itself(build, open_page):
    build.match()
    run = build.run(stages=[{"name": "export", "status": "running", "seconds": None}])
    page = open_page("/")
    live(page)
    assert page.locator(".stages .is-running").text_content().strip().startswith("Collect the matches")
    run.stages = [{"name": "export", "status": "succeeded", "seconds": 1.0}, {"name": "train", "status": "running"}]
    run.save()
    events.publish(topic=Topic.RUN_CHANGED, key=str(run.pk), now=timezone.now())
    page.wait_for_selector(".stages .is-running:has-text('Learn from the results')")


def test_the_reference_of_the_api_draws_itself(filled, open_page):
    page = open_page("/api/docs/")
    page.wait_for_selector(".opblock-summary-path")
    page = open_page("/api/redoc/")
    page.get_by_role("heading", name="Matches ordered by kick-off").wait_for()


def test_without_push_the_page_still_works(filled, open_page):
    page = open_page("/", push=False)
    page.wait_for_selector("body[data-live=off]")
    page.locator(".days a[aria-current]").click()
    assert page.locator(".fx svg.bar").count() == 15
