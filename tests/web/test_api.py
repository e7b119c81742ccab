"""The REST API: shapes, filters, pages, caches, and problems."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from apps.api import services as api_services
from apps.api.rest.serializers import (
    CompetitionSerializer,
    MarketsSerializer,
    PredictionSerializer,
    TeamSerializer,
    WhatIfSerializer,
)
from apps.matches.models import Match, MatchStats, World
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services
from apps.ml.models import ServedWorld
from tests.web.conftest import INTERVALS, made_now

LIST = "/api/v1/matches/"


def problem_of(response, status: int) -> dict:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["request_id"] == response["X-Request-ID"]
    assert body["instance"] == response.wsgi_request.path
    assert {"type", "title", "detail"} <= body.keys()
    return body


def test_a_match_is_shown_with_its_world_and_teams(client, build):
    match = build.match(kickoff_at=datetime(2026, 11, 23, 15, tzinfo=UTC), goals=(2, 1))
    body = client.get(f"{LIST}{match.pk}/").json()
    assert body["world"] == "sandbox"
    assert body["competition"]["slug"] == "aldermark-crown-league"
    assert (body["home_team"]["name"], body["away_team"]["name"]) == ("Northgate", "Old Mill")
    assert body["kickoff_at"] == "2026-11-23T15:00:00Z"
    assert (body["home_goals"], body["away_goals"], body["status"]) == (2, 1, "finished")
    assert body["prediction_url"].endswith(f"/api/v1/matches/{match.pk}/prediction/")


def test_a_match_has_its_statistics_and_says_from_when_its_expected_goals_may_be_used(client, build):
    match = build.match(kickoff_at=datetime(2026, 11, 21, 15, tzinfo=UTC), goals=(2, 1))
    bare = build.match(kickoff_at=datetime(2026, 11, 22, 15, tzinfo=UTC), goals=(0, 0))
    MatchStats.objects.create(match=match, home_shots=9, home_xg=1.5, away_xg=0.25)
    listed = {each["id"]: each for each in client.get(LIST).json()["results"]}
    for found in (client.get(f"{LIST}{match.pk}/").json(), listed[match.pk]):
        stats = found["stats"]
        assert (stats["home_shots"], stats["away_shots"], stats["home_xg"], stats["away_xg"]) == (9, None, 1.5, 0.25)
        assert stats["xg_known_at"] == "2026-11-22T06:00:00Z"
    assert listed[bare.pk]["stats"] is None


def test_the_prediction_is_the_latest_before_kickoff_and_agrees_with_itself(client, build, champion):
    match = build.match()
    build.prediction(match, champion, (0.4, 0.3, 0.3), before_kickoff=timedelta(hours=3))
    build.prediction(match, champion, (0.5, 0.3, 0.2), before_kickoff=timedelta(hours=2), data_snapshot=2)
    body = client.get(f"{LIST}{match.pk}/prediction/?include=markets,scorelines").json()
    assert body["probabilities"] == {"home": 0.5, "draw": 0.3, "away": 0.2}
    assert body["fair_odds"]["home"] == 2.0
    assert (body["model"]["version"], body["data_snapshot"], body["degraded"], body["is_frozen"]) == (1, 2, None, False)
    cells = {(h, a): p for h, row in enumerate(body["scorelines"]) for a, p in enumerate(row)}
    assert len(cells) == 121
    assert sum(p for (h, a), p in cells.items() if h > a) == pytest.approx(0.5, abs=1e-5)
    line = next(line for line in body["markets"]["goal_lines"] if line["line"] == 2.5)
    assert line["over"] == pytest.approx(sum(p for (h, a), p in cells.items() if h + a > 2.5), abs=1e-5)
    assert body["expected_goals"]["home"] == pytest.approx(sum(h * p for (h, _), p in cells.items()), abs=1e-3)
    best = body["markets"]["most_likely"]
    assert cells[best["home_goals"], best["away_goals"]] == max(cells.values())


def test_a_correction_of_low_scores_moves_scorelines_and_leaves_the_outcomes(client, build, champion):
    shown = []
    for snapshot, rho in ((1, 0.0), (2, -0.1)):
        match = build.match("Oldgate", "Westham", kickoff_at=build.now + timedelta(hours=snapshot))
        build.prediction(match, champion, (0.5, 0.3, 0.2), data_snapshot=snapshot, rho=rho)
        shown.append(client.get(f"{LIST}{match.pk}/prediction/?include=scorelines").json())
    plain, corrected = (body["scorelines"] for body in shown)
    assert shown[0]["probabilities"] == shown[1]["probabilities"]
    # Below 0 it makes 0-0 and 1-1 likelier, among the draws at the cost of 2-2; 1-0 rarer, among the home wins.
    assert corrected[0][0] > plain[0][0]
    assert corrected[2][2] < plain[2][2]
    assert corrected[1][0] < plain[1][0]


def test_a_forecast_names_the_teams_and_has_large_members_only_when_asked(client, build, champion):
    match = build.match()
    build.prediction(match, champion)
    body = client.get(f"{LIST}{match.pk}/prediction/").json()
    assert (body["home_team"]["slug"], body["away_team"]["display_name"]) == ("northgate", "Old Mill")
    assert (body["competition"]["slug"], body["season"]) == ("aldermark-crown-league", "2026-27")
    assert not {"markets", "scorelines", "reasons"} & body.keys()
    told = client.get(f"{LIST}{match.pk}/prediction/?include=reasons").json()["reasons"]
    assert told == [
        {"group": "elo", "label": "Elo ratings", "favours": "home", "log_odds": 0.41},
        {"group": "form", "label": "Form", "favours": "away", "log_odds": -0.11},
    ]


@pytest.mark.parametrize(
    ("code", "side", "number", "text"),
    [
        ("fallback", "", 0, "the current model cannot be loaded, and a fallback made the forecast"),
        ("new_club", "away", 0, "no match of Old Mill is known"),
        ("new_club", "away", 1, "Old Mill has played 1 match that we know of"),
        ("new_club", "home", 4, "Northgate has played 4 matches that we know of"),
        ("no_statistics", "", 0, "shots are not counted in most matches of both teams"),
        ("no_statistics", "away", 0, "shots are not counted in most matches of Old Mill"),
        ("promoted", "home", 0, "Northgate came up before this season"),
        ("relegated", "away", 0, "Old Mill went down before this season"),
        ("season_start", "", 0, "the season has only begun"),
        ("long_break", "home", 21, "Northgate has not played for 21 days or more"),
    ],
)
def test_a_weakness_has_a_code_a_side_and_a_text_in_english(client, build, champion, code, side, number, text):
    match = build.match()
    build.prediction(match, champion, weaknesses=[{"code": code, "side": side, "number": number}])
    body = client.get(f"{LIST}{match.pk}/prediction/", headers={"accept-language": "de"}).json()
    assert body["weaknesses"] == [{"code": code, "side": side or None, "text": text}]


def test_a_forecast_has_the_intervals_of_its_model_or_null(client, build, champion):
    match = build.match()
    build.prediction(match, champion)
    assert client.get(f"{LIST}{match.pk}/prediction/").json()["intervals"] is None
    build.prediction(match, champion, intervals=INTERVALS, data_snapshot=2)
    assert client.get(f"{LIST}{match.pk}/prediction/").json()["intervals"] == INTERVALS


def test_the_usual_forecast_has_no_weakness(client, build, champion):
    match = build.match()
    build.prediction(match, champion)
    assert client.get(f"{LIST}{match.pk}/prediction/").json()["weaknesses"] == []


def test_the_shape_is_the_one_that_the_schema_describes(client, build, champion, answers):
    match = build.match(goals=None)
    build.prediction(match, champion)
    everything = "include=markets,scorelines,reasons"
    for address, serializer in (
        (f"{LIST}{match.pk}/prediction/?{everything}", PredictionSerializer),
        (f"/api/v1/what-if/?home=northgate&away=old-mill&{everything}", WhatIfSerializer),
    ):
        body = client.get(address).json()
        assert body.keys() == serializer().fields.keys()
        assert body["home_team"].keys() == TeamSerializer().fields.keys()
        assert body["competition"].keys() == CompetitionSerializer().fields.keys()
        assert body["markets"].keys() == MarketsSerializer().fields.keys()


@pytest.mark.parametrize(
    "p", [(1 / 3, 1 / 3, 1 / 3), (0.123456, 0.234567, 0.641977), (0.999998, 1e-6, 1e-6), (1, 0, 0)]
)
def test_rounded_probabilities_sum_to_one_and_move_by_less_than_their_last_digit(p):
    found = api_services.rounded_probabilities(p)
    assert math.fsum(found) == pytest.approx(1.0, abs=1e-15)
    assert sum(round(value * 100_000) for value in found) == 100_000
    assert all(abs(value - given) < 1e-5 for value, given in zip(found, p, strict=True))


class TestForecastsByName:
    def test_a_version_is_asked_for_by_its_number_or_its_role(self, client, build, champion):
        match, other = build.match(), build.version(2)
        build.prediction(match, other, (0.4, 0.3, 0.3), before_kickoff=timedelta(hours=3))
        build.prediction(match, champion, (0.5, 0.3, 0.2), before_kickoff=timedelta(hours=2))
        address = f"{LIST}{match.pk}/prediction/"
        assert client.get(f"{address}?model=2").json()["probabilities"]["home"] == 0.4
        assert client.get(f"{address}?model=champion").json()["model"]["version"] == 1
        body = problem_of(client.get(f"{address}?model=challenger"), 404)
        assert (body["type"], body["detail"]) == (
            "urn:spai:problem:unknown-model",
            "The sandbox world has no challenger.",
        )
        build.comparison(other, champion)
        assert client.get(f"{address}?model=challenger").json()["model"]["version"] == 2

    def test_an_unknown_version_or_name_is_refused(self, client, build, champion):
        address = f"{LIST}{build.match().pk}/prediction/"
        assert problem_of(client.get(f"{address}?model=9"), 404)["detail"] == "The sandbox world has no version 9."
        for wrong in ("best", "-1", "1.0", "99999999999", "٣"):
            body = problem_of(client.get(f"{address}?model={wrong}"), 400)
            assert body["errors"] == [
                {"parameter": "model", "detail": "It must be champion, challenger or the number of a model version."}
            ]

    def test_a_version_that_cannot_be_loaded_says_why(self, client, build, champion):
        match, _ = build.match(), build.version(2)
        body = problem_of(client.get(f"{LIST}{match.pk}/prediction/?model=2"), 422)
        assert body["type"] == "urn:spai:problem:model-not-served"
        assert "does not have the registered sha256" in body["detail"]

    def test_the_forecast_that_stood_at_a_moment(self, client, build, champion):
        match = build.match(kickoff_at=build.now + timedelta(hours=1))
        build.prediction(match, champion, (0.4, 0.3, 0.3), before_kickoff=timedelta(hours=5))
        build.prediction(match, champion, (0.5, 0.3, 0.2), before_kickoff=timedelta(hours=2), data_snapshot=2)
        address = f"{LIST}{match.pk}/prediction/"
        for hours, home in ((5, 0.4), (3, 0.4), (2, 0.5), (-9, 0.5)):
            at = (match.kickoff_at - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
            assert client.get(f"{address}?as_of={at}").json()["probabilities"]["home"] == home
        body = problem_of(client.get(f"{address}?as_of=2026-01-01T00:00:00Z"), 404)
        assert "had been published at that moment" in body["detail"]
        problem_of(client.get(f"{address}?as_of=yesterday"), 400)

    def test_the_forecast_of_a_moment_is_not_another_when_retention_may_have_deleted_it(self, client, build, champion):
        match = build.match(kickoff_at=build.now - timedelta(days=5), goals=(2, 1))
        build.prediction(match, champion, (0.4, 0.3, 0.3), before_kickoff=timedelta(hours=5))
        build.prediction(match, champion, (0.5, 0.3, 0.2), before_kickoff=timedelta(hours=2), data_snapshot=2)
        address = f"{LIST}{match.pk}/prediction/?as_of="
        at = (match.kickoff_at - timedelta(hours=3)).isoformat().replace("+00:00", "Z")
        assert "are kept for 3 days after the match" in problem_of(client.get(address + at), 404)["detail"]
        at = (match.kickoff_at - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        assert client.get(address + at).json()["probabilities"]["home"] == 0.5

    def test_an_unknown_parameter_or_member_is_refused(self, client, build, champion):
        address = f"{LIST}{build.match().pk}/prediction/"
        body = problem_of(client.get(f"{address}?include=grid"), 400)
        assert body["errors"][0]["detail"] == "It must be some of markets, scorelines, reasons, separated by commas."
        problem_of(client.get(f"{address}?includes=markets"), 400)

    def test_an_unknown_match_has_none(self, client, db):
        for query in ("", "?model=champion", "?as_of=2026-01-01T00:00:00Z"):
            assert problem_of(client.get(f"{LIST}12/prediction/{query}"), 404)["detail"] == "There is no such match."


def test_a_forecast_after_the_kickoff_as_it_came_to_be_is_not_shown(client, build, champion):
    match = build.match(goals=(1, 0), kickoff_at=build.now - timedelta(hours=3))
    build.prediction(match, champion, before_kickoff=timedelta(minutes=-10))
    body = problem_of(client.get(f"{LIST}{match.pk}/prediction/"), 404)
    assert body["type"] == "urn:spai:problem:no-forecast"


def test_before_the_first_champion_the_missing_forecast_is_explained(client, build):
    match = build.match()
    body = problem_of(client.get(f"{LIST}{match.pk}/prediction/"), 404)
    assert "No model makes forecasts yet" in body["detail"]


@pytest.fixture
def live(monkeypatch, champion):
    """The loaded champion answers for fixtures of which nothing is published."""
    monkeypatch.setattr(ml_services, "forecast", lambda match_id, *, now: made_now(champion, match_id, now))


def test_a_fixture_without_a_published_forecast_gets_one_made_now(client, build, live):
    match = build.match(kickoff_at=build.now + timedelta(days=40))
    body = client.get(f"{LIST}{match.pk}/prediction/").json()
    assert (body["published_at"], body["model"]["version"], body["is_frozen"]) == (None, 1, False)
    assert body["as_of"] == "2026-11-23T12:00:00Z"
    assert "Made for you just now and not published" in client.get(f"/matches/{match.pk}/").content.decode()


@pytest.mark.parametrize(("status", "hours"), [("postponed", 5), ("cancelled", 5), ("scheduled", -1), ("finished", -2)])
def test_what_is_no_coming_fixture_gets_none_made(client, build, live, status, hours):
    goals = (1, 0) if status == "finished" else None
    match = build.match(kickoff_at=build.now + timedelta(hours=hours), goals=goals, status=status)
    body = problem_of(client.get(f"{LIST}{match.pk}/prediction/"), 404)
    assert body["type"] == "urn:spai:problem:no-forecast"


def test_the_features_of_the_champion_are_listed_with_what_each_means(client, build, champion):
    body = client.get("/api/v1/features/").json()
    assert (body["world"], body["version"], body["count"]) == ("sandbox", 1, 3)
    assert body["catalogue_sha256"] == champion.catalogue_id
    assert body["results"][1] == {
        "name": "elo_diff",
        "family": "elo",
        "side": "diff",
        "scope": "all",
        "window": None,
        "unit": "rating points",
        "meaning": "Home rating less away rating.",
        "inputs": "no odds",
        "is_read": True,
    }
    assert [row["name"] for row in client.get("/api/v1/features/?family=line").json()["results"]] == ["odds_home"]
    # As in other lists, an empty text filters nothing.
    assert client.get("/api/v1/features/?family=&side=&scope=&inputs=&world=").json()["count"] == 3


def test_features_of_a_world_without_a_champion_and_unknown_parameters_are_problems(client, build, champion):
    assert "real world has no champion" in problem_of(client.get("/api/v1/features/?world=real"), 404)["detail"]
    problem_of(client.get("/api/v1/features/?world=mars"), 400)
    problem_of(client.get("/api/v1/features/?size=3"), 400)


def test_the_list_shows_the_served_world_unless_another_is_requested(client, build):
    build.match()
    build.match("Leeds", "Hull", season=build.season("Premier League", simulated=False))
    names = lambda query="": [each["home_team"]["name"] for each in client.get(LIST + query).json()["results"]]  # noqa: E731
    assert names() == ["Northgate"]
    assert names("?world=real") == ["Leeds"]
    assert names("?competition=england-premier-league") == ["Leeds"]
    ServedWorld.objects.create(id=1, world="real", chosen_at=build.now)
    assert names() == ["Leeds"]


def test_filters_narrow_by_competition_team_status_and_time(client, build):
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    early = build.match("A", "B", kickoff_at=noon - timedelta(days=1), goals=(0, 0))
    late = build.match("C", "A", kickoff_at=noon)
    other = build.match("A", "D", season=build.season("Shield League"), kickoff_at=noon + timedelta(days=1))
    ids = lambda query: [each["id"] for each in client.get(f"{LIST}?{query}").json()["results"]]  # noqa: E731
    assert ids("team=a") == [early.pk, late.pk, other.pk]
    assert ids("team=c") == [late.pk]
    assert ids("competition=aldermark-shield-league") == [other.pk]
    assert ids("status=finished") == [early.pk]
    assert ids("from=2026-11-23") == [late.pk, other.pk]
    assert ids("to=2026-11-23") == [early.pk, late.pk]
    assert ids("from=2026-11-23T12:00:00Z&to=2026-11-24T12:00:00Z") == [late.pk]
    assert ids("from=2026-11-23T13:00:00%2B01:00&to=2026-11-23") == [late.pk]


def test_pages_hold_every_match_once_even_when_all_kick_off_together(client, build):
    at = build.now + timedelta(hours=1)
    wanted = {build.match(f"H{n}", f"A{n}", kickoff_at=at if n % 3 else at + timedelta(hours=n)).pk for n in range(23)}
    seen: list[int] = []
    address = f"{LIST}?page_size=4"
    while address:
        body = client.get(address).json()
        seen += [each["id"] for each in body["results"]]
        address = body["next"]
    assert len(seen) == len(wanted)
    assert set(seen) == wanted


def test_the_page_before_is_named_too(client, build):
    for n in range(5):
        build.match(f"H{n}", f"A{n}", kickoff_at=build.now + timedelta(hours=n + 1))
    first = client.get(f"{LIST}?page_size=2").json()
    second = client.get(first["next"]).json()
    assert client.get(second["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-11-23T25:00:00Z", "from"),
        ("from=0001-01-01T00:00:00%2B14:00", "from"),
        ("to=9999-12-31", "to"),
        ("page_size=0", "page_size"),
        ("page_size=201", "page_size"),
        ("page_size=99999999999999999999", "page_size"),
        ("page_size=0000001009999999", "page_size"),
        ("page_size=000000100" + 30 * "9", "page_size"),
        pytest.param("page_size=000000100" + 4300 * "0", "page_size", id="more digits than Python reads"),
        ("page_size=-1", "page_size"),
        ("page_size=ten", "page_size"),
        ("page_size=٣", "page_size"),
        ("page_size=", "page_size"),
        ("cursor=%00", "cursor"),
        ("cursor=garbage", "cursor"),
        ("cursor=" + b64encode(b"p=yesterday").decode(), "cursor"),
        ("cursor=" + b64encode(b"p=2026-11-23").decode(), "cursor"),
        ("cursor=" + b64encode(b"o=-4").decode(), "cursor"),
        ("cursor=" + b64encode(b"p=2026-11-23T00:00:00").decode(), "cursor"),
        ("cursor=" + b64encode(b"p=2026-11-23T00:00:00Z x").decode(), "cursor"),
        ("cursor=" + b64encode(b"p=2026-11-23 1").decode(), "cursor"),
        ("cursor=" + b64encode(b"r=1&p=0001-01-01T00:00:00%2B14:00 1").decode(), "cursor"),
        ("competition=nowhere", "competition"),
        ("competition=%00", "competition"),
        ("team=nobody", "team"),
        ("status=over", "status"),
        ("world=mars", "world"),
        ("compettion=x", "compettion"),
    ],
)
def test_bad_input_is_refused_by_the_name_of_the_parameter(client, build, query, parameter):
    body = problem_of(client.get(f"{LIST}?{query}"), 400)
    assert [error["parameter"] for error in body["errors"]] == [parameter]
    assert body["type"] == "urn:spai:problem:bad-input"
    assert "Traceback" not in body["detail"]


@pytest.mark.parametrize("wrong", ["abc", "1e3", "-1", "99999999999999999999", "٣"])
def test_an_id_that_is_no_whole_number_is_refused(client, build, wrong):
    for suffix in ("", "prediction/"):
        body = problem_of(client.get(f"{LIST}{wrong}/{suffix}"), 400)
        assert body["errors"][0]["parameter"] == "id"


@pytest.mark.parametrize("served", World.values)
def test_what_a_list_links_to_is_there_whichever_world_is_shown_first(client, build, served):
    ServedWorld.objects.create(pk=1, world=served, chosen_at=build.now)
    for simulated in (True, False):
        season = build.season(simulated=simulated)
        version = build.version(world=World.SANDBOX if simulated else World.REAL)
        names = ("Northgate", "Old Mill") if simulated else ("Leeds", "Hull")
        build.prediction(build.match(*names, season=season), version)
        (listed,) = client.get(f"{LIST}?world={version.world}").json()["results"]
        assert client.get(listed["url"]).json() == listed
        assert client.get(listed["prediction_url"]).json()["model"]["world"] == version.world
        for page in (
            f"/matches/{listed['id']}/",
            f"/teams/{listed['home_team']['slug']}/",
            f"/competitions/{listed['competition']['slug']}/",
            f"/models/{version.world}/{version.number}/",
        ):
            assert client.get(page).status_code == 200


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("query", ["", "team=northgate", "competition=aldermark-crown-league&status=scheduled"])
def test_pages_hold_each_match_once_where_many_kick_off_together(client, build, size, query):
    for n in range(20):
        kickoff_at = build.now + timedelta(hours=1 + n // 8)
        build.match(*(("Northgate", f"Club {n}") if n % 2 else (f"Club {n}", "Northgate")), kickoff_at=kickoff_at)
    expected = list(Match.objects.order_by("kickoff_at", "id").values_list("id", flat=True))
    body = client.get(f"{LIST}?page_size={size}&{query}").json()
    pages = [body]
    while body["next"]:
        body = client.get(body["next"]).json()
        pages.append(body)
    assert [match["id"] for page in pages for match in page["results"]] == expected
    for page in reversed(pages[:-1]):
        body = client.get(body["previous"]).json()
        assert body["results"] == page["results"]
    assert body["previous"] is None


def test_the_way_back_from_a_page_whose_matches_are_gone_loses_none(client, build):
    first, second, last = (build.match(kickoff_at=build.now + timedelta(hours=n)) for n in (1, 2, 3))
    following = client.get(f"{LIST}?page_size=2").json()["next"]
    last.delete()
    empty = client.get(following).json()
    assert (empty["results"], empty["next"]) == ([], None)
    assert [match["id"] for match in client.get(empty["previous"]).json()["results"]] == [first.pk, second.pk]


def test_a_world_and_a_competition_of_the_other_have_no_match_in_common(client, build):
    build.match()
    query = "competition=aldermark-crown-league"
    assert len(client.get(f"{LIST}?{query}&world=sandbox").json()["results"]) == 1
    assert client.get(f"{LIST}?{query}&world=real").json()["results"] == []


def test_an_unknown_match_is_not_found(client, db):
    problem_of(client.get(f"{LIST}9223372036854775807/"), 404)
    problem_of(client.get(f"{LIST}12/prediction/"), 404)


@pytest.mark.parametrize("path", ["/api/", "/api/v2/matches/", "/api/v1/matches/1.5/", "/api/v1/matches"])
def test_whatever_is_not_there_is_a_problem_too(client, db, path):
    response = client.get(path)
    if response.status_code == 301:
        assert response["Location"] == f"{path}/"
    else:
        problem_of(response, 404)


def test_another_method_is_refused(client, build):
    for method in ("post", "put", "patch", "delete"):
        problem_of(getattr(client, method)(LIST), 405)


def test_another_media_type_is_refused(client, build):
    problem_of(client.get(LIST, headers={"Accept": "text/csv"}), 406)


def test_our_own_fault_is_a_problem_without_its_reason(client, build, monkeypatch):
    client.raise_request_exception = False
    monkeypatch.setattr("apps.matches.selectors.keyset.matches", lambda: 1 / 0)
    body = problem_of(client.get(LIST), 500)
    assert "division" not in json.dumps(body)


def test_a_database_that_is_away_is_503(client, build, monkeypatch):
    from django.db import OperationalError

    def away():
        raise OperationalError("connection refused")

    client.raise_request_exception = False
    monkeypatch.setattr("apps.matches.selectors.keyset.matches", away)
    response = client.get(LIST)
    problem_of(response, 503)
    assert response["Retry-After"] == "5"


def test_the_request_id_of_the_caller_is_kept(client, db):
    given = "0123456789abcdef0123456789abcdef"
    response = client.get("/api/nothing", headers={"X-Request-ID": given})
    assert response.json()["request_id"] == given
    assert response["X-Request-ID"] == given


def test_who_has_the_content_already_gets_304(client, build, champion):
    match = build.match()
    build.prediction(match, champion, before_kickoff=timedelta(hours=2))
    for address in (LIST, f"{LIST}{match.pk}/", f"{LIST}{match.pk}/prediction/"):
        first = client.get(address)
        assert first["Cache-Control"] == "no-cache"
        again = client.get(address, headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    old = client.get(f"{LIST}{match.pk}/prediction/")["ETag"]
    build.prediction(match, champion, (0.6, 0.2, 0.2), data_snapshot=2)
    assert client.get(f"{LIST}{match.pk}/prediction/", headers={"If-None-Match": old}).status_code == 200


def test_head_says_what_get_would(client, build):
    build.match()
    response = client.head(LIST)
    assert response.status_code == 200
    assert response.content == b""


def test_the_schema_and_its_two_faces_are_served(client, db):
    assert client.get("/api/schema/?format=json").json()["openapi"].startswith("3.")
    for path in ("/api/docs/", "/api/redoc/"):
        response = client.get(path)
        assert response.status_code == 200
        assert "<script>" not in response.content.decode()
        assert "unsafe-eval" not in response["Content-Security-Policy"]
        assert '<a href="/" aria-label="spai, today">' in response.content.decode()
        # Without JavaScript.
        plain = response.content.decode().split("<noscript>")[1].split("</noscript>")[0]
        assert "<code>/api/v1/matches/{id}/prediction/</code>" in plain
    assert "'unsafe-inline'" not in client.get("/api/docs/")["Content-Security-Policy"]


class TestLiveComparisons:
    def test_a_challenger_is_compared_with_the_champion_as_on_the_page_of_models(self, client, build, champion):
        challenger = build.version(2)
        build.comparison(challenger, champion)
        address = "/api/v1/live-comparisons/sandbox/2/"
        before = client.get("/api/v1/live-comparisons/?world=sandbox").json()["results"]
        assert [(each["version"], each["role"], each["n"], each["log_loss"]) for each in before] == [
            (2, "challenger", 0, None)
        ]
        build.shadow(champion, challenger, p=(0.6, 0.2, 0.2))
        (found,) = client.get("/api/v1/live-comparisons/?world=sandbox").json()["results"]
        # −ln 0.6 = 0.5108; the scores of the champion are given as 0.69 and 0.19.
        # RPS of a home win: ((1 − 0.6)² + (1 − 0.8)²) / 2 = 0.1.
        assert found == {
            "world": "sandbox",
            "version": 2,
            "role": "challenger",
            "champion": 1,
            "n": 1,
            "log_loss": pytest.approx(0.510826, abs=1e-6),
            "champion_log_loss": 0.69,
            "difference": pytest.approx(-0.179174, abs=1e-6),
            "low": None,
            "high": None,
            "rps": pytest.approx(0.1),
            "champion_rps": 0.19,
            "url": f"http://testserver{address}",
        }
        assert client.get(address).json() == found

    def test_the_champion_before_has_a_role_of_its_own_and_an_interval_comes_with_thirty_matches(
        self, client, build, champion
    ):
        later = build.version(2)
        build.promote(later)
        for number in range(30):
            p = 0.5 + 0.01 * number
            build.shadow(later, champion, p=(p, 0.7 - p / 2 - 0.2, 0.5 - p / 2))
        found = client.get("/api/v1/live-comparisons/sandbox/1/").json()
        (row,) = ml_selectors.live_comparison(World.SANDBOX, ml_selectors.stages(World.SANDBOX))
        assert (found["role"], found["champion"], found["n"]) == ("champion before", 2, 30)
        assert (found["low"], found["high"]) == (row.scores.interval.low, row.scores.interval.high)
        assert found["low"] is not None

    @pytest.mark.parametrize(
        ("world", "version", "kind"),
        [("mars", 1, "unknown-world"), ("sandbox", 1, "not-in-shadow"), ("real", 1, "not-in-shadow")],
    )
    def test_what_is_not_in_shadow_is_not_found(self, client, champion, world, version, kind):
        body = problem_of(client.get(f"/api/v1/live-comparisons/{world}/{version}/"), 404)
        assert body["type"] == f"urn:spai:problem:{kind}"
        assert client.get(f"/api/v1/live-comparisons/?world={world}").status_code == (400 if world == "mars" else 200)
