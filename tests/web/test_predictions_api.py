"""The lists of forecasts and of their scores: filters, pages, fields and formats."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from apps.ml import services as ml_services
from apps.ml.services import ForecastNumbers

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
            np.tile([0.5, 0.3, 0.2], shape), np.tile([1.6, 1.1], shape), 0.0, champion.number, 5, degraded=""
        )

    monkeypatch.setattr(ml_services, "model_to_serve", lambda world, *, now: None)
    monkeypatch.setattr(ml_services, "forecast_numbers", made)
