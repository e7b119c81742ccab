"""The site without JavaScript: every way from page to page, and every choice, is a link or a form."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

LEAGUE = "/competitions/aldermark-crown-league/"


@pytest.fixture
def page(filled, browser, site):
    """Today on a phone, in a browser that runs no scripts."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 900})
    opened = context.new_page()
    opened.goto(site + "/")
    yield opened
    context.close()


def test_links_lead_from_today_to_league_match_team_and_a_found_team(page, filled):
    match, _ = filled
    page.get_by_role("link", name="Table and chances").first.click()
    page.wait_for_url(f"**{LEAGUE}")
    page.locator(f"main a[href='/matches/{match.pk}/']").first.click()
    page.wait_for_url(f"**/matches/{match.pk}/")
    assert page.locator(".duel .bar text").all_text_contents()[:3] == ["46%", "27%", "27%"]
    page.locator("main a[href='/teams/harbour-city/']").first.click()
    page.wait_for_url("**/teams/harbour-city/")
    page.get_by_role("link", name="Search").click()
    page.get_by_label("Team, league or match").fill("kings")
    page.get_by_role("button", name="Search").click()
    page.locator("main a[href='/teams/kingsmoor/']").click()
    assert page.locator("h1").inner_text() == "Kingsmoor"


def test_language_and_zone_are_chosen_by_forms_that_lead_back(page, site):
    page.goto(site + LEAGUE)
    page.locator("#more-summary").click()
    page.get_by_role("button", name="Deutsch").click()
    page.wait_for_url(f"**{LEAGUE}")
    assert page.locator("html").get_attribute("lang") == "de"
    page.get_by_role("link", name="Heute").last.click()
    page.locator("#zone-change").click()
    page.locator("#zone-choice").select_option("Asia/Tokyo")
    page.locator("main form button").click()
    assert page.locator("text=Uhrzeiten in Tokyo").count() == 1


def test_a_team_is_followed_from_the_table_and_comes_first_today(page, site):
    page.goto(f"{site}{LEAGUE}?table=home")
    page.get_by_role("button", name="Follow Kingsmoor").click()
    page.wait_for_url(f"**{LEAGUE}?table=home")
    assert page.get_by_role("button", name="Follow Kingsmoor").get_attribute("aria-pressed") == "true"
    page.goto(site + "/")
    assert page.locator("main section .fx .name").nth(1).inner_text() == "Kingsmoor"
    page.goto(site + LEAGUE)
    page.get_by_role("button", name="Follow Kingsmoor").click()
    assert page.get_by_role("button", name="Follow Kingsmoor").get_attribute("aria-pressed") == "false"
