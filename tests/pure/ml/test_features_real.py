"""The look-ahead properties on real results, where there are some: `SPAI_REAL_DATA` names the folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps.matches.records import MatchRecord
from apps.ml.forecasting.features import FAMILIES, FeatureState, build_features, catalogue, offline_as_of
from apps.ml.forecasting.features.schema import STATS
from apps.ml.forecasting.prices import EARLIER
from apps.ml.forecasting.scoring import devig
from apps.scraping.sources import SOURCES
from tests.pure.ml.look_ahead import SeenTooEarlyError, an_hour_early, refuse_look_ahead, same, shuffled_after, tempting

REAL_DATA = os.environ.get("SPAI_REAL_DATA", "")
SEASONS = ("2018-19", "2019-20", "2020-21")
DIVISIONS = ("E0", "E1", "E2", "SC0", "D1", "D2")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_data,
    pytest.mark.skipif(not REAL_DATA, reason="SPAI_REAL_DATA is not set: no real results to look at"),
]


def prices_of(record: MatchRecord) -> dict[str, float | None]:
    """The closing prices of Pinnacle; none where they were not quoted."""
    quoted = next((row for row in record.odds if (row.bookmaker, row.moment) == ("PS", "closing")), None)
    return {outcome: getattr(quoted, outcome, None) for outcome in ("home", "draw", "away")}


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    rows = []
    for season in SEASONS:
        for division in DIVISIONS:
            path = Path(REAL_DATA) / "football-data" / season / f"{division}.csv"
            for record in SOURCES["football-data"].parse_file(f"{season}/{division}.csv", path.read_bytes()).records:
                stats = {name: getattr(record.stats, name, None) for name in STATS}
                rows.append(
                    {
                        "competition": record.competition.name,
                        "region": record.competition.region,
                        "level": record.competition.level,
                        "season": record.season,
                        "stage": record.stage,
                        "home_team": record.home_team,
                        "away_team": record.away_team,
                        "kickoff_at": record.kickoff_at,
                        "kickoff_precision": str(record.kickoff_precision),
                        "known_at": record.known_at,
                        "status": str(record.status),
                        "is_neutral": record.is_neutral,
                        "home_goals": record.home_goals,
                        "away_goals": record.away_goals,
                        **stats,
                        **prices_of(record),
                    }
                )
    frame = pd.DataFrame(rows)
    for column in ("kickoff_at", "known_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.as_unit("us")
    for column in ("home_goals", "away_goals", *STATS):
        frame[column] = frame[column].astype(float)
    league = frame["region"] + "/" + frame["competition"]
    teams = pd.factorize(
        pd.concat((frame["region"] + "/" + frame["home_team"], frame["region"] + "/" + frame["away_team"]))
    )
    frame["home_team_id"], frame["away_team_id"] = np.split(teams[0] + 1, 2)
    frame["competition_id"] = pd.factorize(league)[0] + 1
    frame["season_id"] = pd.factorize(league + frame["season"])[0] + 1
    frame["match_id"] = np.arange(len(frame)) + 1
    frame["as_of"] = offline_as_of(frame, pd.Timedelta(hours=1).to_pytimedelta())
    p = devig(frame[["home", "draw", "away"]].to_numpy(dtype=float))
    return frame.assign(**{name: p[:, place] for place, name in enumerate(EARLIER)})


@pytest.fixture(scope="module")
def described(history, params) -> tuple[np.ndarray, tuple[str, ...]]:
    return build_features(history, history, params=params["features"])


@pytest.mark.parametrize("family", list(FAMILIES))
def test_shuffling_every_result_after_a_date_leaves_all_earlier_rows_as_they_were(history, described, params, family):
    values, names = described
    columns = [names.index(feature.name) for feature in catalogue(params["features"], [family])]
    for day in ("2018-12-26", "2020-01-18"):
        moment = pd.Timestamp(day, tz="UTC")
        past = (history["as_of"] <= moment).to_numpy()
        found, _ = build_features(
            shuffled_after(history, moment), history, params=params["features"], families=[family]
        )
        assert same(found[past], values[past][:, columns])
        # The calendar is no result, and these files have no line-ups.
        assert family in ("context", "lineups") or not same(found[~past], values[~past][:, columns])


@pytest.mark.parametrize("family", ["elo", "gap"])
def test_a_leak_of_a_result_by_an_hour_is_caught_on_real_matches(history, params, family):
    days = history[history["kickoff_at"].between("2020-01-18", "2020-02-18")].reset_index(drop=True)
    section = {"params": params["features"], "families": [family]}
    honest, _ = build_features(days, days, **section)
    leaking, _ = an_hour_early(days, days, **section)
    moments = tempting(days)
    assert moments
    refuse_look_ahead(days, honest, moments, **section)
    with pytest.raises(SeenTooEarlyError, match="became known later"):
        refuse_look_ahead(days, leaking, moments, build=an_hour_early, **section)


def test_rows_online_equal_rows_offline_on_real_matches(history, described, params):
    values, _ = described
    state = FeatureState.new(params["features"])
    state.schedule(history)
    moments = history["as_of"].drop_duplicates().sort_values()
    known = pd.Timestamp.min.tz_localize("UTC")
    for moment in moments:
        state.observe(history[(history["known_at"] >= known) & (history["known_at"] < moment)])
        known = moment
        due = np.flatnonzero(history["as_of"] == moment)
        assert state.describe(history.iloc[due]).tobytes() == values[due].tobytes()
