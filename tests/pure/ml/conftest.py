"""A small football world and the real parameters, for the tests of the mathematics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from apps.ml.forecasting.features import offline_as_of
from apps.ml.forecasting.features.schema import LINEUPS
from apps.ml.forecasting.prices import EARLIER

HORIZON = pd.Timedelta(hours=1)
TEAMS = 6


@pytest.fixture(scope="session")
def params() -> dict:
    return yaml.safe_load(Path("apps/ml/params.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def world() -> pd.DataFrame:
    """Two regions, one with two levels that swap a team each summer, and a cup of both; three seasons, 306 matches.

    Kick-offs of the first region are known to the minute, several a day and some of them at once; those of the second
    only by date. Shots are missing in one league, one club comes late, one match is on neutral ground, and one team
    plays three matches within as many hours.
    """
    generator = np.random.default_rng(7)
    strength = generator.normal(0.0, 0.35, size=40)
    rows: list[dict] = []
    tiers = {1: [1, 2, 3, 4, 5, 6], 2: [7, 8, 9, 10, 11, 12], 3: [21, 22, 23, 24, 25, 26]}
    for year in range(3):
        for league, teams in tiers.items():
            rows += _season(generator, strength, year, league, teams)
        rows += _season(generator, strength, year, 9, [tiers[1][0], tiers[1][1], tiers[3][0], tiers[3][1]])
        tiers[1], tiers[2] = [*tiers[1][:-1], tiers[2][0]], [*tiers[2][1:], tiers[1][-1]]
        tiers[3] = [*tiers[3][1:], 27 + year]
    frame = pd.DataFrame(rows)
    frame["kickoff_at"] = pd.to_datetime(frame["kickoff_at"], utc=True).dt.as_unit("us")
    by_date = frame["kickoff_precision"] == "date"
    frame["known_at"] = frame["kickoff_at"] + pd.Timedelta(hours=3)
    frame.loc[by_date, "known_at"] = frame["kickoff_at"] + pd.Timedelta(hours=30)
    frame.loc[17, "is_neutral"] = True
    frame = frame.sort_values(["kickoff_at", "match_id"]).reset_index(drop=True)
    frame["as_of"] = offline_as_of(frame, HORIZON)
    return frame


@pytest.fixture(scope="session")
def lineups(world) -> pd.DataFrame:
    """Squads and absences of that world, in the columns of `schema.LINEUPS`.

    One match in five has none, one in ten those of one side alone, some two sources. They become known before the
    forecast of their match, at its very moment, between it and the result, or only after the result.
    """
    generator = np.random.default_rng(8)
    delays = pd.to_timedelta([-180, -60, -59, -20, 24 * 60 * 4], unit="min")
    rows: list[tuple] = []
    for match in world.itertuples():
        if generator.random() < 0.2:
            continue
        known_at = match.as_of + pd.Timedelta(hours=1) + delays[generator.choice(5, p=[0.35, 0.2, 0.2, 0.2, 0.05])]
        reported_at = match.as_of + pd.Timedelta(minutes=int(generator.integers(-600, 60)))
        for side, team in (("home", match.home_team_id), ("away", match.away_team_id)):
            # A third of the players move on to the next club with every season.
            season = match.season_id % 10
            squad = [100 * (team + (season if place < 6 else 0)) + place for place in range(18)]
            weights = np.linspace(2.0, 0.4, 18)
            order = generator.permutation(18)[np.argsort(-weights[generator.permutation(18)])]
            out = set(generator.choice(18, size=2, replace=False).tolist()) if generator.random() < 0.5 else set()
            rows += [
                (match.match_id, "paper", side, squad[place], ("absent", "doubtful")[place % 2], reported_at)
                for place in sorted(out)
            ]
            if generator.random() < 0.05:
                continue
            chosen = [squad[place] for place in order if place not in out]
            for source in ("paper", "radio")[: 1 + int(generator.random() < 0.1)]:
                shift = 1_000_000 if source == "radio" else 0
                rows += [
                    (match.match_id, source, side, shift + player, "starter" if place < 11 else "substitute", known_at)
                    for place, player in enumerate(chosen)
                ]
    frame = pd.DataFrame(rows, columns=LINEUPS.names)
    return frame.assign(known_at=pd.to_datetime(frame["known_at"], utc=True).dt.as_unit("us"))


def _season(
    generator: np.random.Generator, strength: np.ndarray, year: int, league: int, teams: list[int]
) -> list[dict]:
    region, level = {1: ("Northland", 1), 2: ("Northland", 2), 3: ("Southland", 1), 9: ("Everywhere", 0)}[league]
    rows = []
    for day, (home, away) in enumerate((home, away) for home in teams for away in teams if home != away):
        start = pd.Timestamp(f"{2020 + year}-08-01") + pd.Timedelta(days=2 * (7 * day % 30))
        hours = 0 if league == 3 else 12 + 2 * (day % 4)
        edge = strength[home] - strength[away]
        counts = generator.poisson([1.5 * np.exp(edge), 1.1 * np.exp(-edge), 13.0, 10.0, 5.0, 4.0, 6.0, 5.0])
        seen = counts.astype(float)
        if league == 2:
            seen[2:] = np.nan
        prices = np.full(3, np.nan) if day % 7 == 0 else generator.dirichlet([4.5, 2.7, 2.8])
        rows.append(
            {
                "match_id": 1000 * league + 100 * year + day,
                "competition_id": league,
                "competition": f"league-{league}",
                "region": region,
                "level": level,
                "season_id": 10 * league + year,
                "season": f"{2020 + year}-{21 + year}",
                "stage": "",
                "home_team_id": home,
                "away_team_id": away,
                "home_team": f"Club {home}",
                "away_team": f"Club {away}",
                "kickoff_at": start + pd.Timedelta(hours=hours),
                "kickoff_precision": "date" if league == 3 else "minute",
                "status": "finished",
                "is_neutral": False,
                **dict(
                    zip(
                        (
                            "home_goals",
                            "away_goals",
                            "home_shots",
                            "away_shots",
                            "home_shots_on_target",
                            "away_shots_on_target",
                            "home_corners",
                            "away_corners",
                        ),
                        seen,
                        strict=True,
                    )
                ),
                **dict(zip(EARLIER, prices, strict=True)),
            }
        )
    return rows
