"""The record and the ratings: what they say of few matches and of many; back-tests never mix with the record."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from types import SimpleNamespace

import numpy as np
from django.template.loader import render_to_string

from apps.api.rating_charts import rating_history
from apps.ml import services as ml_services
from apps.ml.forecasting import record
from apps.ml.models import RecordSummary, TeamRating
from tests.web.test_pages import text_of

LIST = "Every graded match"


def record_of(*, n: int, p: tuple[float, float, float], outcomes: list[int]) -> dict:
    """The record of matches an hour apart with one forecast, with which the market agrees."""
    rows = np.zeros(n, dtype=record.GRADED)
    rows["match"], rows["kickoff"], rows["outcome"] = np.arange(n), 3600 * np.arange(n), outcomes
    rows["p_home"], rows["p_draw"], rows["p_away"] = p
    rows["market_loss"] = rows["base_loss"] = -np.log(np.array(p)[outcomes])
    return record.summary(rows)


def test_the_record_begins_empty_and_then_says_how_few_matches_it_has(client, build, champion):
    assert "No forecast has been graded yet" in text_of(client.get("/track-record/"))
    for n in range(12):
        match = build.match(f"H{n}", f"A{n}", kickoff_at=build.now - timedelta(hours=3 + n), goals=(1, 0))
        build.score(build.prediction(match, champion))
    ml_services.summarize_due(now=build.now)
    page = text_of(client.get("/track-record/"))
    for said in (
        "12 matches graded so far; a fair judgement needs about 300",
        "Too early to say",
        "100% of the time; we expected 50%",
        "too few",
        "H0 1–0 A0",
        "50 · 30 · 20%",
    ):
        assert said in page
    (address,) = re.findall(r'href="(/api/v1/scores/[^"]*)"\s+download', client.get("/track-record/").content.decode())
    assert len(client.get(unescape(address)).content.decode().splitlines()) == 13


def test_the_record_gives_a_result_what_the_bar_of_its_match_shows(client, build, champion):
    match = build.match(kickoff_at=build.now - timedelta(hours=3), goals=(1, 1))
    build.score(build.prediction(match, champion, (0.7343, 0.1546, 0.1111)))
    ml_services.summarize_due(now=build.now)
    # Rounded by itself the draw has 15%; in a bar, whose parts sum to 100, it has 16.
    assert "73 · 16 · 11% 16%" in text_of(client.get("/track-record/"))
    assert "draw 16%" in client.get(f"/matches/{match.pk}/").content.decode()


def test_the_record_says_in_one_sentence_how_the_forecasts_did(client, build, champion):
    # 300 matches of 60 %, of which 180 were won, with prices that say the same.
    summary = record_of(n=300, p=(0.6, 0.25, 0.15), outcomes=[0] * 180 + [1] * 75 + [2] * 45)
    RecordSummary.objects.create(
        world="sandbox", is_back_tested=False, content=summary | {"void": 2}, computed_at=build.now, seconds=1
    )
    page = text_of(client.get("/track-record/"))
    for said in (
        "When we said 60%, it happened 60% of the time.",
        "300 matches since",
        "Yes. The closer a dot",
        "We are level with the market",
        "As much as the market.",
        "2 matches had forecasts only after the actual kick-off",
    ):
        assert said in page


def test_as_long_as_nothing_is_graded_the_record_shows_back_tests_and_never_mixes_them(client, build, champion):
    match = build.match(kickoff_at=build.now - timedelta(days=300), goals=(2, 0))
    build.record(champion)
    page = text_of(client.get("/track-record/"))
    assert "back-tested" in page
    assert "1 match graded so far" in page
    assert "Northgate 2–0 Old Mill" in page
    assert "No forecast has been graded yet" in text_of(client.get("/track-record/?of=published"))
    build.score(
        build.prediction(build.match("H", "A", kickoff_at=build.now - timedelta(hours=3), goals=(1, 0)), champion)
    )
    build.record(champion)
    page = text_of(client.get("/track-record/"))
    assert "H 1–0 A" in page
    assert "Northgate 2–0" not in page
    assert f"/matches/{match.pk}/" in client.get("/track-record/?of=back-tests").content.decode()


def test_the_graded_list_has_pages_and_filters(client, build, champion):
    for n in range(30):
        build.match(f"H{n}", f"A{n}", kickoff_at=build.now - timedelta(days=1 + n), goals=(1, 0))
    build.match("X", "Y", season=build.season("Shield League"), kickoff_at=build.now - timedelta(days=3), goals=(1, 0))
    build.record(champion)
    first = client.get("/track-record/").content.decode()
    (older,) = re.findall(r'href="(\?[^"]*after=[^"]*)#graded"', first)
    rest = text_of(client.get("/track-record/" + older.replace("&amp;", "&")))
    assert "H0 1–0 A0" in text_of(client.get("/track-record/"))
    assert "H0 1–0 A0" not in rest
    assert "H29 1–0 A29" in rest
    only = text_of(client.get("/track-record/?competition=aldermark-shield-league"))
    assert "X 1–0 Y" in only
    assert "H1 1–0 A1" not in only.split(LIST)[1]
    until = (build.now - timedelta(days=20)).date()
    assert "H18 1–0 A18" not in text_of(client.get(f"/track-record/?until={until}")).split(LIST)[1]
    for wrong in ("competition=nowhere", "after=999999", "after=x", "of=dreams", "until=yesterday"):
        assert client.get(f"/track-record/?{wrong}").status_code == 404


def test_ratings_are_one_list_that_a_country_a_league_or_a_name_narrows(client, build, champion):
    assert "No club is rated yet" in text_of(client.get("/ratings/"))
    for n in range(30):
        build.match(f"H{n}", f"A{n}", kickoff_at=build.now - timedelta(days=1 + n), goals=(1, 0))
    build.record(champion)
    page = text_of(client.get("/ratings/"))
    assert "60 clubs" in page
    assert "70%" in page
    assert 'rel="next"' in client.get("/ratings/").content.decode()
    assert "1 club " in text_of(client.get("/ratings/?q=h29"))
    assert "No club matches" in text_of(client.get("/ratings/?country=Nowhere"))
    assert client.get("/ratings/?page=3").status_code == 404


def test_a_row_of_a_past_match_shows_the_back_test_only_where_nothing_was_published(client, build, champion):
    past = build.match("North", "South", kickoff_at=build.now - timedelta(hours=3), goals=(2, 0))
    graded = build.match("East", "West", kickoff_at=build.now - timedelta(hours=3), goals=(2, 0))
    build.score(build.prediction(graded, champion, (0.41, 0.3, 0.29)))
    build.record(champion)
    rows = re.findall(r'<a\s+class="fx".*?</a>', client.get("/").content.decode(), re.DOTALL)
    by_match = {int(re.search(r'data-match="(\d+)"', row)[1]): row for row in rows}
    assert re.search(r'<span class="chip">back-tested</span>\s*<b>60%</b>', by_match[past.pk])
    assert "back-tested" not in by_match[graded.pk]
    assert "<b>41%</b>" in by_match[graded.pk]


def rated(team, n: int, *, days: int = 7) -> list[TeamRating]:
    """The ratings of a club: a week apart where nothing else is said, ever stronger."""
    first = datetime(2022, 1, 3, tzinfo=UTC)
    return [
        TeamRating(team=team, as_of=first + timedelta(days=days * i), place=9, p_win=0.3 + 0.4 * i / n, p_draw=0.2)
        for i in range(n)
    ]


def test_the_history_of_a_rating_is_a_line_of_few_points_that_ends_today(build):
    team = build.match().home_team
    history = rating_history(team, rated(team, 260))
    assert history.newest.as_of == datetime(2022, 1, 3, tzinfo=UTC) + timedelta(days=7 * 259)
    assert (history.lowest.p_win, history.highest.p_win) == (0.3, history.newest.p_win)
    assert len(history.chart.rows) <= 60
    assert history.chart.rows[-1] == (f"{history.newest.as_of:%-d %b %Y}", ["70%"])
    assert [tick.text for tick in history.chart.x_ticks] == ["2023", "2024", "2025", "2026"]
    assert [tick.text for tick in history.chart.y_ticks] == ["20%", "40%", "60%", "80%"]
    page = render_to_string(
        "partials/ratings/history.html", {"history": history, "page": SimpleNamespace(world_query="")}
    )
    assert "Beats an average club of its country’s top league 70% of the time" in " ".join(page.split())
    assert "Since 3 January 2022" in " ".join(page.split())


def test_too_short_a_history_is_no_chart(build):
    team = build.match().home_team
    assert rating_history(team, rated(team, 2)) is None
    assert rating_history(team, rated(team, 3, days=1)).chart.x_ticks
    assert not render_to_string("partials/ratings/history.html", {"history": None}).strip()
