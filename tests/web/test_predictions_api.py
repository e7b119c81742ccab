"""The lists of forecasts and of their scores: filters, pages, fields and formats; and batches."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from apps.matches.models import Match, Team
from apps.ml import services as ml_services
from apps.ml.forecasting.weaknesses import Weakness
from apps.ml.services import ForecastNumbers
from tests.web.conftest import INTERVALS
from tests.web.test_api import problem_of

LIST = "/api/v1/predictions/"
SCORES = "/api/v1/scores/"


def ids(client, query: str = "", address: str = LIST) -> list[int]:
    return [row["match"] for row in client.get(f"{address}?{query}").json()["results"]]


def test_a_match_is_listed_with_its_latest_forecast_before_the_kickoff(client, build, champion):
    match = build.match("Northgate", "Old Mill", kickoff_at=build.now + timedelta(hours=1))
    build.prediction(match, champion, (0.4, 0.3, 0.3), before_kickoff=timedelta(hours=3))
    build.prediction(match, champion, (0.5, 0.3, 0.2), before_kickoff=timedelta(hours=2), data_snapshot=2)
    build.match("A", "B")
    (row,) = client.get(LIST).json()["results"]
    assert row == {
        "match": match.pk,
        "world": "sandbox",
        "kickoff_at": "2026-11-23T13:00:00Z",
        "status": "scheduled",
        "competition": "aldermark-crown-league",
        "competition_name": "Crown League",
        "season": "2026-27",
        "home_team": "northgate",
        "home_team_name": "Northgate",
        "away_team": "old-mill",
        "away_team_name": "Old Mill",
        "is_neutral": False,
        "home_goals": None,
        "away_goals": None,
        "result": None,
        "p_home": 0.5,
        "p_draw": 0.3,
        "p_away": 0.2,
        "model": 1,
        "home_expected_goals": row["home_expected_goals"],
        "away_expected_goals": row["away_expected_goals"],
        "fair_home": 2.0,
        "fair_draw": 3.333,
        "fair_away": 5.0,
        "data_snapshot": 2,
        "as_of": "2026-11-23T11:00:00Z",
        "published_at": "2026-11-23T11:00:00Z",
        "degraded": None,
        "weaknesses": "",
        "interval_level": None,
        "p_home_low": None,
        "p_home_high": None,
        "p_draw_low": None,
        "p_draw_high": None,
        "p_away_low": None,
        "p_away_high": None,
    }
    single = client.get(f"/api/v1/matches/{match.pk}/prediction/").json()["expected_goals"]
    assert row["home_expected_goals"] == pytest.approx(single["home"], abs=1e-3)
    assert row["away_expected_goals"] == pytest.approx(single["away"], abs=1e-3)


def batch(client, *items, **headers):
    return client.post(f"{LIST}batch/", {"items": list(items)}, content_type="application/json", headers=headers)


def test_a_batch_answers_each_item_in_its_place(client, build, champion, numbers):
    forecast = build.match("Northgate", "Old Mill")
    build.prediction(forecast, champion, (0.5, 0.3, 0.2))
    fixture = build.match("Old Mill", "Northgate", kickoff_at=build.now + timedelta(days=40))
    over = build.match("Northgate", "Old Mill", kickoff_at=build.now - timedelta(days=2), goals=(1, 0))
    pairing = {"home": "northgate", "away": "old-mill", "date": "2026-12-05", "neutral": True}
    items = [forecast.pk, fixture.pk, over.pk, 987654321, pairing, {"home": "northgate", "away": "nobody"}, forecast.pk]
    results = batch(client, *items).json()["results"]
    assert [each["item"] for each in results] == list(range(7))
    assert [each["error"] and each["error"]["type"].removeprefix("urn:spai:problem:") for each in results] == [
        *(None, None, "no-forecast", "unknown-match", None, "unknown-team", None)
    ]
    assert results[0]["forecast"] == client.get(LIST).json()["results"][0] == results[6]["forecast"]
    assert (results[1]["forecast"]["match"], results[1]["forecast"]["published_at"]) == (fixture.pk, None)
    made = results[4]["forecast"]
    assert (made["match"], made["status"], made["kickoff_at"]) == (None, None, "2026-12-05T15:00:00Z")
    assert (made["home_team"], made["away_team_name"], made["is_neutral"]) == ("northgate", "Old Mill", True)
    assert (made["p_home"], made["fair_draw"], made["model"], made["degraded"]) == (0.5, 3.333, 1, None)
    assert results[5]["error"]["parameter"] == "away"


@pytest.fixture
def numbers(monkeypatch, champion):
    """The loaded champion answers for any number of matches."""

    def made(matches, served, *, now):
        shape = (len(matches), 1)
        return ForecastNumbers(
            p=np.tile([0.5, 0.3, 0.2], shape),
            goals=np.tile([1.6, 1.1], shape),
            rho=0.0,
            version_number=champion.number,
            data_snapshot=5,
            degraded="",
            weaknesses=[[Weakness("new_club", "home", 4)]] * len(matches),
            intervals=np.tile([list(INTERVALS[outcome].values()) for outcome in OUTCOMES], (*shape, 1)),
            interval_level=INTERVALS["level"],
        )

    monkeypatch.setattr(ml_services, "model_to_serve", lambda world, *, now: None)
    monkeypatch.setattr(ml_services, "forecast_numbers", made)


OUTCOMES = ("home", "draw", "away")

WEAK = [{"code": "new_club", "side": "home", "number": 4}, {"code": "season_start", "side": "", "number": 0}]


def doubt_of(client, match: Match) -> dict:
    """Return the columns that say how sure the forecast of a match is, from its own answer."""
    single = client.get(f"/api/v1/matches/{match.pk}/prediction/").json()
    codes = [":".join(filter(None, (each["code"], each["side"]))) for each in single["weaknesses"]]
    columns = {"weaknesses": " ".join(codes), "interval_level": single["intervals"] and single["intervals"]["level"]}
    for outcome in OUTCOMES:
        for end in ("low", "high"):
            columns[f"p_{outcome}_{end}"] = single["intervals"] and single["intervals"][outcome][end]
    return columns


class TestHowSure:
    @pytest.fixture
    def matches(self, build, champion) -> list[Match]:
        """One whose forecast is weak and has intervals, one of which neither is so, and one of each."""
        found = [build.match(f"H{n}", f"A{n}", kickoff_at=build.now + timedelta(hours=1 + n)) for n in range(4)]
        for n, match in enumerate(found):
            build.prediction(match, champion, weaknesses=WEAK * (n % 2), intervals=INTERVALS if n < 2 else None)
        return found

    @pytest.fixture
    def expected(self, client, matches) -> list[dict]:
        return [doubt_of(client, match) for match in matches]

    def test_a_row_has_the_codes_of_the_weaknesses_and_the_ends_of_the_intervals(self, expected):
        assert [row["weaknesses"] for row in expected] == ["", "new_club:home season_start"] * 2
        assert [row["p_draw_low"] for row in expected] == [0.2712, 0.2712, None, None]

    def test_json_says_what_the_forecast_of_the_match_says(self, client, matches, expected):
        for rows in (
            client.get(LIST).json()["results"],
            [each["forecast"] for each in batch(client, *(match.pk for match in matches)).json()["results"]],
        ):
            assert [{name: row[name] for name in expected[0]} for row in rows] == expected

    def test_csv_says_what_the_forecast_of_the_match_says(self, client, expected):
        content = client.get(f"{LIST}?format=csv").content.decode()
        rows = list(csv.DictReader(io.StringIO(content, newline="")))
        written = [{name: "" if value is None else str(value) for name, value in row.items()} for row in expected]
        assert [{name: row[name] for name in written[0]} for row in rows] == written

    def test_parquet_says_what_the_forecast_of_the_match_says(self, client, expected):
        from pyarrow import parquet

        fields = ",".join(expected[0])
        table = parquet.read_table(io.BytesIO(client.get(f"{LIST}?format=parquet&fields={fields}").content))
        assert table.to_pylist() == expected
        assert [str(column) for column in table.schema.types] == ["string"] + ["double"] * 7

    def test_a_forecast_that_is_made_now_says_it_too(self, client, build, champion, numbers):
        fixture = build.match(kickoff_at=build.now + timedelta(days=40))
        results = batch(client, fixture.pk, {"home": "northgate", "away": "old-mill"}).json()["results"]
        for row in (each["forecast"] for each in results):
            assert (row["weaknesses"], row["interval_level"]) == ("new_club:home", 0.8)
            ends = [[row[f"p_{outcome}_low"], row[f"p_{outcome}_high"]] for outcome in OUTCOMES]
            assert ends == [list(INTERVALS[outcome].values()) for outcome in OUTCOMES]


class TestFilters:
    def test_lists_narrow_by_day_competition_team_status_and_time(self, client, build, champion):
        early = build.match("A", "B", kickoff_at=build.now - timedelta(days=1), goals=(0, 0))
        late = build.match("C", "A", kickoff_at=build.now + timedelta(hours=1))
        other = build.match("A", "D", season=build.season("Shield League"), kickoff_at=build.now + timedelta(days=1))
        for match in (early, late, other):
            build.prediction(match, champion, before_kickoff=timedelta(hours=3))
        assert ids(client) == [early.pk, late.pk, other.pk]
        assert ids(client, "ordering=-kickoff_at") == [other.pk, late.pk, early.pk]
        assert ids(client, "day=2026-11-23") == [late.pk]
        assert ids(client, "team=c") == [late.pk]
        assert ids(client, "competition=aldermark-shield-league") == [other.pk]
        assert ids(client, "status=finished") == [early.pk]
        assert ids(client, "from=2026-11-23&to=2026-11-23") == [late.pk]
        assert ids(client, "world=real") == []

    def test_a_model_has_the_matches_that_it_forecast_as_champion(self, client, build, champion):
        first, second = (build.match(kickoff_at=build.now + timedelta(hours=n)) for n in (1, 2))
        build.prediction(first, champion, before_kickoff=timedelta(hours=3))
        build.prediction(second, champion, before_kickoff=timedelta(hours=4))
        newer = build.version(2)
        build.promote(newer)
        build.prediction(second, newer, (0.6, 0.2, 0.2), before_kickoff=timedelta(hours=3), data_snapshot=2)
        shown = lambda query: [  # noqa: E731
            (row["match"], row["model"]) for row in client.get(f"{LIST}?{query}").json()["results"]
        ]
        assert shown("") == [(first.pk, 1), (second.pk, 2)]
        assert shown("model=1") == [(first.pk, 1), (second.pk, 1)]
        assert shown("model=2") == shown("model=champion") == [(second.pk, 2)]

    def test_a_model_that_was_never_champion_is_refused_with_those_that_were(self, client, build, champion):
        build.version(2)
        for wrong in ("2", "challenger", "-1", "9" * 40):
            (error,) = problem_of(client.get(f"{LIST}?model={wrong}"), 400)["errors"]
            assert error["parameter"] == "model"
            assert error["detail"].endswith("past or present: champion, 1.")

    def test_before_the_first_champion_the_lists_are_empty(self, client, build):
        build.match()
        assert ids(client) == ids(client, address=SCORES) == []

    @pytest.mark.parametrize(
        ("query", "parameter", "allowed"),
        [
            ("status=over", "status", "one of scheduled, live, finished"),
            ("world=mars", "world", "one of real, sandbox"),
            ("ordering=p_home", "ordering", "one of kickoff_at, -kickoff_at"),
            ("format=xml", "format", "one of json, csv, parquet"),
            ("fields=match,odds", "fields", "no field odds; the fields are match, world, kickoff_at"),
            ("page_size=10001", "page_size", "from 1 to 10000"),
            ("day=9999-12-31", "day", "too far away"),
            ("day=tomorrow", "day", "a day such as 2026-11-28"),
            ("competition=nowhere", "competition", "/api/v1/competitions/ lists all"),
            ("team=nobody", "team", "/api/v1/teams/ lists all"),
            ("day=2026-11-23&day=2026-11-24", "day", "more than once"),
        ],
    )
    def test_a_wrong_value_is_refused_with_the_allowed_ones(self, client, build, champion, query, parameter, allowed):
        for address in (LIST, SCORES):
            (error,) = problem_of(client.get(f"{address}?{query}"), 400)["errors"]
            assert error["parameter"] == parameter
            assert allowed in error["detail"]


class TestPages:
    @pytest.mark.parametrize("order", ["kickoff_at", "-kickoff_at"])
    def test_pages_hold_every_match_once_and_link_back(self, client, build, champion, order):
        expected = []
        for n in range(9):
            match = build.match(f"H{n}", f"A{n}", kickoff_at=build.now + timedelta(hours=1 + n // 4))
            # Matches without a forecast lie between them.
            build.match(f"H{n}", f"B{n}", kickoff_at=match.kickoff_at)
            build.prediction(match, champion, before_kickoff=timedelta(hours=3))
            expected.append(match.pk)
        expected = expected[::-1] if order.startswith("-") else expected
        pages = [client.get(f"{LIST}?page_size=4&ordering={order}").json()]
        while pages[-1]["next"]:
            pages.append(client.get(pages[-1]["next"]).json())
        assert [row["match"] for page in pages for row in page["results"]] == expected
        assert client.get(pages[1]["previous"]).json()["results"] == pages[0]["results"]

    def test_the_links_are_in_a_header_for_formats_without_a_place(self, client, build, champion):
        for n in range(3):
            build.prediction(build.match(kickoff_at=build.now + timedelta(hours=n + 1)), champion)
        response = client.get(f"{LIST}?page_size=1&format=csv")
        (link,) = response["Link"].split(", ")
        assert link.endswith('; rel="next"')
        second = client.get(link.partition(">")[0].removeprefix("<"))
        assert second["Content-Type"] == "text/csv; charset=utf-8"
        assert 'rel="prev"' in second["Link"]

    def test_a_match_that_was_moved_far_ahead_is_left_out(self, client, build, champion):
        match = build.match()
        build.prediction(match, champion, before_kickoff=timedelta(hours=2))
        Match.objects.filter(pk=match.pk).update(kickoff_at=build.now + timedelta(days=16))
        assert ids(client) == []

    def test_who_has_the_content_already_gets_304(self, client, build, champion):
        build.prediction(build.match(), champion)
        for address in (LIST, f"{LIST}?format=csv", SCORES):
            first = client.get(address)
            assert "Accept" in first["Vary"].split(", ")
            assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 304


class TestFormats:
    @pytest.fixture
    def forecast(self, build, champion):
        build.prediction(build.match("Northgate", "Old Mill", goals=(2, 1), kickoff_at=build.now), champion)
        Team.objects.filter(slug="old-mill").update(short_name="=HYPERLINK(1)")

    def test_fields_are_columns_in_the_order_that_is_asked_for(self, client, forecast):
        (row,) = client.get(f"{LIST}?fields=p_home,match,,p_home").json()["results"]
        assert list(row) == ["p_home", "match"]

    def test_csv_is_safe_in_a_spreadsheet(self, client, forecast):
        response = client.get(LIST, headers={"Accept": "text/csv"})
        (row,) = csv.DictReader(io.StringIO(response.content.decode(), newline=""))
        assert row["away_team_name"] == "'=HYPERLINK(1)"
        assert (row["kickoff_at"], row["is_neutral"], row["degraded"]) == ("2026-11-23T12:00:00Z", "false", "")
        assert (row["p_home"], row["result"]) == ("0.5", "H")

    def test_parquet_has_types(self, client, forecast):
        from pyarrow import parquet

        response = client.get(LIST, headers={"Accept": "application/vnd.apache.parquet"})
        table = parquet.read_table(io.BytesIO(response.content))
        (row,) = table.to_pylist()
        assert (row["home_goals"], row["p_draw"], row["away_team_name"]) == (2, 0.3, "=HYPERLINK(1)")
        assert row["kickoff_at"] == datetime(2026, 11, 23, 12, tzinfo=UTC)
        assert table.column_names == list(client.get(LIST).json()["results"][0])
        assert str(table.schema.field("degraded").type) == "string"

    def test_an_empty_list_is_a_file_too(self, client, build):
        for form in ("csv", "parquet"):
            assert client.get(f"{LIST}?format={form}").status_code == 200

    def test_what_none_of_the_formats_is_accepted_for_is_a_problem(self, client, forecast):
        problem_of(client.get(LIST, headers={"Accept": "application/pdf"}), 406)
        problem_of(client.get(f"{LIST}?page_size=0", headers={"Accept": "text/csv"}), 400)


class TestScores:
    def test_a_graded_forecast_is_listed_with_its_scores(self, client, build, champion):
        match = build.match("Northgate", "Old Mill", kickoff_at=build.now - timedelta(hours=3), goals=(2, 1))
        build.score(build.prediction(match, champion))
        build.match(kickoff_at=build.now - timedelta(hours=2), goals=(0, 0))
        (row,) = client.get(SCORES).json()["results"]
        assert (row["match"], row["result"], row["p_home"], row["rps"]) == (match.pk, "H", 0.5, 0.19)
        assert (row["market_rps"], row["settled_at"], row["revision"]) == (0.18, "2026-11-23T12:00:00Z", 1)
        assert ids(client, "model=1", SCORES) == [match.pk]

    def test_a_result_that_changed_since_has_no_score(self, client, build, champion):
        match = build.match(kickoff_at=build.now - timedelta(hours=3), goals=(2, 1))
        build.score(build.prediction(match, champion))
        Match.objects.filter(pk=match.pk).update(revision=2)
        assert ids(client, address=SCORES) == []


class TestBatch:
    def test_lines_are_the_same_answers(self, client, build, champion, numbers):
        match = build.match()
        build.prediction(match, champion)
        expected = batch(client, match.pk, 0, {"home": "northgate", "away": "old-mill"}).json()["results"]
        response = batch(client, match.pk, 0, {"home": "northgate", "away": "old-mill"}, Accept="application/x-ndjson")
        assert response["Content-Type"] == "application/x-ndjson"
        assert [json.loads(line) for line in response.getvalue().splitlines()] == expected

    def test_more_items_than_a_slice_keep_their_order_and_need_few_queries(
        self, client, build, champion, numbers, monkeypatch, django_assert_max_num_queries
    ):
        monkeypatch.setattr("apps.api.services.batch.SLICE", 3)
        found = [build.match(f"H{n}", f"A{n}") for n in range(4)]
        for match in found[::2]:
            build.prediction(match, champion)
        items = [each for match in found for each in (match.pk, {"home": match.home_team.slug, "away": "a0"})]
        with django_assert_max_num_queries(4 + 3 * 3):
            results = batch(client, *items).json()["results"]
        assert [each["item"] for each in results] == list(range(8))
        assert [each["forecast"]["match"] for each in results[::2]] == [match.pk for match in found]
        assert [each["forecast"] and each["forecast"]["home_team"] for each in results[1::2]] == [
            "h0",
            "h1",
            "h2",
            "h3",
        ]

    @pytest.mark.parametrize(
        ("item", "kind", "parameter"),
        [
            (True, "bad-item", None),
            (1.5, "bad-item", None),
            ("12", "bad-item", None),
            (None, "bad-item", None),
            ([], "bad-item", None),
            (-1, "bad-item", "match"),
            (2**63, "bad-item", "match"),
            (2**63 - 1, "unknown-match", "match"),
            ({}, "bad-item", "home"),
            ({"home": "northgate"}, "bad-item", "away"),
            ({"home": 5, "away": "old-mill"}, "bad-item", "home"),
            ({"home": "northgate", "away": "\x00"}, "bad-item", "away"),
            ({"home": "northgate", "away": "x" * 161}, "bad-item", "away"),
            ({"home": "northgate", "away": "old-mill", "day": "2026-12-05"}, "bad-item", "day"),
            ({"home": "northgate", "away": "old-mill", "date": "soon"}, "bad-item", "date"),
            ({"home": "northgate", "away": "old-mill", "date": 20261205}, "bad-item", "date"),
            ({"home": "northgate", "away": "old-mill", "neutral": "no"}, "bad-item", "neutral"),
            ({"home": "northgate", "away": "old-mill", "competition": 7}, "bad-item", "competition"),
            ({"home": "northgate", "away": "old-mill", "competition": "cup"}, "other-competition", "competition"),
            ({"home": "northgate", "away": "old-mill", "date": "2020-01-01"}, "past", "date"),
            ({"home": "northgate", "away": "old-mill", "date": "2028-01-01"}, "too-far", "date"),
            ({"home": "northgate", "away": "northgate"}, "same-team", "away"),
            ({"home": "northgate", "away": "leeds"}, "two-worlds", "away"),
            ({"home": "northgate", "away": "nobody"}, "unknown-team", "away"),
        ],
    )
    def test_a_wrong_item_has_an_error_and_the_others_a_forecast(self, client, build, numbers, item, kind, parameter):
        build.match("Northgate", "Old Mill")
        build.match("Leeds", "Hull", season=build.season("Premier League", simulated=False))
        wrong, right = batch(client, item, {"home": "old-mill", "away": "northgate"}).json()["results"]
        assert wrong["forecast"] is None
        assert wrong["error"]["type"] == f"urn:spai:problem:{kind}"
        assert wrong["error"]["parameter"] == parameter
        assert right["error"] is None

    def test_before_the_first_champion_each_item_says_so(self, client, build):
        match = build.match("Northgate", "Old Mill")
        results = batch(client, match.pk, {"home": "northgate", "away": "old-mill"}).json()["results"]
        assert ["No model makes forecasts yet" in each["error"]["detail"] for each in results] == [True, True]

    @pytest.mark.parametrize(
        ("body", "parameter"),
        [
            (b"{", ""),
            (b"", "items"),
            (b"[1]", ""),
            (b"null", ""),
            (b'{"items": NaN}', ""),
            (b"\xff\xfe", ""),
            (b"[" * 100_000, ""),
            (b"{}", "items"),
            (b'{"items": []}', "items"),
            (b'{"items": {"a": 1}}', "items"),
            (b'{"items": [1], "world": "real"}', "world"),
            (json.dumps({"items": [1] * 10_001}).encode(), "items"),
        ],
    )
    def test_a_body_of_another_form_is_refused_whole(self, client, db, body, parameter):
        response = client.post(f"{LIST}batch/", body, content_type="application/json")
        errors = problem_of(response, 400).get("errors", [])
        assert [each["parameter"] for each in errors] == ([parameter] if errors else [])

    def test_parameters_other_methods_and_other_media_types_are_refused(self, client, db):
        problem_of(client.post(f"{LIST}batch/?world=real", {"items": [1]}, content_type="application/json"), 400)
        problem_of(client.get(f"{LIST}batch/"), 405)
        problem_of(client.post(f"{LIST}batch/", "items=1", content_type="text/plain"), 415)
        response = client.post(
            f"{LIST}batch/", {"items": [1]}, content_type="application/json", headers={"Accept": "text/csv"}
        )
        problem_of(response, 406)

    def test_a_body_may_be_larger_than_that_of_a_form(self, client, build, numbers):
        build.match("Northgate", "Old Mill")
        items = [{"home": "northgate", "away": "x" * 160}] * 8_000
        assert len(json.dumps(items)) > 1_048_576
        assert len(batch(client, *items).json()["results"]) == 8_000
