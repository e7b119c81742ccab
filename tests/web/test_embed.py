"""Widgets for other sites: framed by all, while every other page refuses it."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.web.test_pages import text_of
from tests.web.test_query_counts import PAGES, filled  # noqa: F401

DENIED = ("x-frame-options", "content-security-policy")


def directives(response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in response["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.fixture
def coming(build, champion):
    match = build.match()
    build.prediction(match, champion, (0.456, 0.272, 0.272))
    return match


def test_a_widget_may_be_framed_by_every_site_and_do_nothing_else(client, coming):
    response = client.get(f"/embed/match/{coming.pk}/")
    assert "X-Frame-Options" not in response
    assert directives(response) == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "*",
    }
    page = response.content.decode()
    assert not re.search(r"<script|<form|style=|\son\w+=", page)


@pytest.mark.parametrize("address", ["/embed/match/{}/", "/embed/table/aldermark-crown-league/"])
def test_a_widget_sets_no_cookie_and_reads_none(client, coming, address):
    client.cookies["zone"], client.cookies["follow"] = "Asia/Tokyo", "1"
    response = client.get(address.format(coming.pk))
    assert (response.status_code, response.cookies) == (200, {})
    assert "Cookie" not in response["Vary"]
    assert response["Cache-Control"] == "public, max-age=60"


def test_a_widget_says_when_who_and_how_likely(client, coming):
    text = text_of(client.get(f"/embed/match/{coming.pk}/"))
    assert "Northgate" in text
    assert "13:00 UTC" in text
    assert "22:00" in text_of(client.get(f"/embed/match/{coming.pk}/?zone=Asia/Tokyo"))


def test_a_widget_says_afterwards_what_the_result_was_given(client, build, champion):
    match = build.match(kickoff_at=build.now.replace(hour=9), goals=(0, 1))
    build.prediction(match, champion, (0.7, 0.2, 0.1))
    text = text_of(client.get(f"/embed/match/{match.pk}/"))
    assert "0–1" in text
    assert re.search(r"We gave this result 10 ?% before kick-off", text)


def test_a_table_is_a_widget_too(client, build, champion):
    build.round(build.season(), finished=3, coming=1, version=champion)
    assert "Crown League 1" in text_of(client.get("/embed/table/aldermark-crown-league/"))


@pytest.mark.parametrize("address", ["/embed/match/999999999/", "/embed/table/none/", "/embed/match/7/?zone=x"])
def test_what_does_not_exist_is_no_widget_and_cannot_be_framed(client, db, address):
    response = client.get(address)
    assert (response.status_code, response["X-Frame-Options"]) == (404, "DENY")
    assert directives(response)["frame-ancestors"] == "'none'"


def test_the_page_of_a_match_has_the_html_to_copy(client, coming):
    page = client.get(f"/matches/{coming.pk}/").content.decode()
    snippet = unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.S)[1])
    assert snippet == (
        f'<iframe src="http://127.0.0.1:8000/embed/match/{coming.pk}/?zone=UTC" title="Northgate – Old Mill" '
        'width="420" height="190" loading="lazy"></iframe>'
    )


def test_a_name_cannot_leave_its_attribute_in_the_copied_html(client, build):
    match = build.match('A" onload="x', "B & <Sons>")
    page = client.get(f"/matches/{match.pk}/").content.decode()
    snippet = unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.S)[1])
    assert 'title="A&quot; onload=&quot;x – B &amp; &lt;Sons&gt;"' in snippet


def test_no_other_page_can_be_framed(client, filled):  # noqa: F811
    match, _ = filled
    others = ("/follow/", "/robots.txt", "/sitemap.xml", "/nothing/")
    for address in (*PAGES.values(), *others):
        if address.startswith("/embed/"):
            continue
        response = client.get(address.format(match=match.pk, home=match.home_team_id, away=match.away_team_id))
        assert response["X-Frame-Options"] == "DENY", address
        assert directives(response)["frame-ancestors"] == "'none'", address
