"""Teams that a reader follows without an account: the star, the cookie, the page."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from apps.api.pages.context import FOLLOW_COOKIE, MOST_FOLLOWED
from tests.web.test_pages import text_of

HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def teams(build):
    region = build.season().competition.region
    return [build.team(name, region=region) for name in ("Northgate", "Old Mill")]


def send(client, team, *, headers=HERE, **fields):
    return client.post("/follow/", {"team": team, **fields}, headers=headers)


def ids_in(client) -> str:
    return client.cookies[FOLLOW_COOKIE].value if FOLLOW_COOKIE in client.cookies else ""


def test_the_star_follows_a_team_and_leads_back(client, teams):
    response = send(client, teams[0].pk, on="on", next="/teams/northgate/")
    assert (response.status_code, response["Location"]) == (302, "/teams/northgate/")
    cookie = client.cookies[FOLLOW_COOKIE]
    assert (cookie.value, cookie["samesite"], cookie["max-age"]) == (str(teams[0].pk), "Lax", 31_536_000)
    send(client, teams[1].pk, on="on")
    send(client, teams[0].pk, on="on")
    assert ids_in(client) == f"{teams[1].pk},{teams[0].pk}"


def test_the_page_lists_the_teams_and_one_that_was_removed_can_be_had_back(client, teams):
    for team in teams:
        send(client, team.pk, on="on")
    assert "Northgate Aldermark" in text_of(client.get("/follow/"))
    response = send(client, teams[0].pk, next=f"/follow/?left={teams[0].pk}")
    page = client.get(response["Location"])
    assert "You no longer follow Northgate. Undo" in text_of(page)
    assert f'name="team" value="{teams[0].pk}"' in page.content.decode()
    send(client, teams[0].pk, on="on", next="/follow/")
    assert "no longer" not in text_of(client.get(f"/follow/?left={teams[0].pk}"))


def test_the_page_leads_to_a_calendar_and_a_feed_of_its_teams(client, teams):
    send(client, teams[0].pk, on="on")
    page = client.get("/follow/").content.decode()
    assert f'href="webcal://127.0.0.1:8000/follow/calendar.ics?teams={teams[0].pk}"' in page
    assert client.get(f"/follow/feed/?teams={teams[0].pk}").status_code == 200


def test_the_last_team_takes_the_cookie_with_it(client, teams):
    send(client, teams[0].pk, on="on")
    send(client, teams[0].pk)
    assert client.cookies[FOLLOW_COOKIE]["max-age"] == 0
    assert "You follow no team yet" in text_of(client.get("/follow/"))


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x", ""])
def test_a_form_leads_to_no_other_site(client, teams, address):
    assert send(client, teams[0].pk, on="on", next=address)["Location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
    ],
)
def test_another_site_cannot_make_a_reader_follow(client, teams, headers):
    response = send(client, teams[0].pk, headers=headers, on="on")
    assert response.status_code == 403
    assert FOLLOW_COOKIE not in response.cookies


def test_a_browser_that_names_its_origin_alone_may_follow(client, teams):
    assert send(client, teams[0].pk, headers={"Origin": "http://testserver"}, on="on").status_code == 302


def test_no_more_teams_are_followed_than_fit(client, build, teams):
    many = [build.team(f"Club {n}", region=teams[0].region).pk for n in range(MOST_FOLLOWED)]
    client.cookies[FOLLOW_COOKIE] = ",".join(map(str, many))
    response = send(client, teams[0].pk, on="on", next="/teams/northgate/")
    assert FOLLOW_COOKIE not in response.cookies
    assert "Stop following one to add another" in text_of(client.get(response["Location"]))


def test_teams_that_were_merged_away_take_no_room(client, teams):
    client.cookies[FOLLOW_COOKIE] = ",".join(str(10**9 + n) for n in range(MOST_FOLLOWED))
    send(client, teams[0].pk, on="on")
    assert ids_in(client) == str(teams[0].pk)


@pytest.mark.parametrize("team", ["", "x", "0", "-1", "2000000001", "9" * 30, "1\x00"])
def test_a_team_that_does_not_exist_is_followed_by_nobody(client, teams, team):
    assert send(client, team, on="on").status_code == 404


@pytest.mark.parametrize("cookie", ["", ",,", "x,1e3,²,-4", "9" * 4000, "1," * 2000, '"\\054', "0"])
def test_any_cookie_gives_a_page(client, teams, cookie):
    client.cookies[FOLLOW_COOKIE] = cookie
    assert client.get("/follow/").status_code == 200


def test_a_wrong_address_of_the_page_does_not_exist(client, db):
    assert client.get("/follow/?left=x").status_code == 404


def test_a_team_page_has_a_star_that_is_pressed_when_the_team_is_followed(client, build, teams):
    build.match()
    assert 'aria-pressed="false"' in client.get("/teams/northgate/").content.decode()
    send(client, teams[0].pk, on="on")
    page = client.get("/teams/northgate/").content.decode()
    assert 'aria-pressed="true"' in page
    assert 'name="on"' not in page


def test_a_match_page_has_a_star_for_each_team_that_leads_back_to_it(client, build, teams):
    match = build.match()
    address = f"/matches/{match.pk}/"
    page = client.get(address).content.decode()
    assert 'aria-label="Follow Northgate"' in page
    assert 'aria-label="Follow Old Mill"' in page
    stars = re.findall(r'<form class="follow".*?</form>', page, re.DOTALL)
    assert [f'name="next" value="{address}"' in star for star in stars] == [True, True]
    send(client, match.home_team_id, on="on", next=address)
    page = client.get(address).content.decode()
    assert page.count('aria-pressed="true"\n    aria-label="Follow Northgate"') == 1
    assert 'aria-pressed="true"\n    aria-label="Follow Old Mill"' not in page


def test_the_followed_teams_of_today_lead_to_the_page_that_removes_them(client, build):
    match = build.match()
    send(client, match.home_team_id, on="on")
    assert '<a id="followed-edit" class="text small end" href="/follow/">Edit</a>' in client.get("/").content.decode()
    assert "Stop following Northgate" in client.get("/follow/").content.decode()


def test_each_row_of_a_table_has_a_star_that_leads_back_to_the_table_as_it_was(client, build, teams):
    build.match(goals=(1, 0))
    address = "/competitions/aldermark-crown-league/?table=home"
    stars = re.findall(r'<form class="follow".*?</form>', client.get(address).content.decode(), re.DOTALL)
    assert [re.search(r'name="next" value="([^"]*)"', star).group(1) for star in stars] == [address, address]
    send(client, teams[1].pk, on="on", next=address)
    page = client.get(address).content.decode()
    assert 'aria-pressed="true"\n    aria-label="Follow Old Mill"' in page
    assert 'aria-pressed="false"\n    aria-label="Follow Northgate"' in page
    # The process keeps rendered tables, and another reader must not get this one.
    assert 'aria-pressed="true"\n    aria-label="Follow' not in Client().get(address).content.decode()
