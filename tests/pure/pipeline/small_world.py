"""A small football world, as an export writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from apps.ml.forecasting.features.schema import ADJUSTMENTS, LINEUPS, MATCHES, ODDS, STATS, TRUTH, XG
from apps.ml.pipeline import calibrate, evaluate, explain, featurize, files, preprocess, report, split, train

STAGES = (preprocess, featurize, split, train, calibrate, evaluate, explain, report)
"""What runs between the two ends that know the database."""
AS_OF = datetime(2024, 4, 17, tzinfo=UTC)
TEAMS = 10
LEAGUES = 3
HOUR = pd.Timedelta(hours=1)


def small_params() -> dict:
    """The real parameters with less work in them."""
    params = yaml.safe_load(Path("apps/ml/params.yaml").read_text(encoding="utf-8"))
    params["split"] |= {"warm_up_days": 300, "test_refits": 2, "calibrate_refits": 1}
    params["train"]["smoke"]["xgboost"]["rounds"] = 5
    params["calibrate"]["intervals"]["least_past"] = 100
    params["evaluate"]["bootstrap_draws"] = params["evaluate"]["ece_draws"] = params["gates"]["ece_draws"] = 20
    params["features"]["form"]["windows"] = [3]
    return params


def matches(seed: int = 3) -> pd.DataFrame:
    """Five seasons of three leagues of ten clubs, 1,350 matches; the last weeks of the fifth are to come on AS_OF."""
    generator = np.random.default_rng(seed)
    strength = generator.normal(0.0, 0.4, size=LEAGUES * TEAMS)
    rows = []
    for year in range(5):
        for league in range(LEAGUES):
            clubs = range(league * TEAMS, (league + 1) * TEAMS)
            pairs = [(home, away) for home in clubs for away in clubs if home != away]
            for number, place in enumerate(generator.permutation(len(pairs))):
                home, away = pairs[place]
                edge = strength[home] - strength[away]
                chance = _outcome(edge)
                rows.append(
                    {
                        "match_id": 1 + (year * LEAGUES + league) * len(pairs) + number,
                        "competition_id": 1 + league,
                        "competition": f"league-{league}",
                        "region": "Southland" if league == 2 else "Northland",
                        "level": 1 + league % 2,
                        "season_id": 1 + year * LEAGUES + league,
                        "season": f"{2019 + year}-{20 + year}",
                        "stage": "",
                        "home_team_id": 1 + home,
                        "away_team_id": 1 + away,
                        "home_team": f"Club {home}",
                        "away_team": f"Club {away}",
                        "kickoff_at": pd.Timestamp(f"{2019 + year}-08-03", tz="UTC") + _offset(league, number),
                        "kickoff_precision": "date" if league == 2 else "minute",
                        "known_at": pd.NaT,
                        "status": "finished",
                        "is_neutral": False,
                        **_result(generator, chance),
                        "chance": chance,
                    }
                )
    return _as_known(pd.DataFrame(rows)).sort_values(["kickoff_at", "match_id"], ignore_index=True)


def _offset(league: int, number: int) -> pd.Timedelta:
    return pd.Timedelta(days=3 * number + league) + pd.Timedelta(hours=0 if league == 2 else 14 + number % 5)


def _outcome(edge: float) -> np.ndarray:
    powers = np.exp([0.35 + edge, 0.0, -edge])
    return powers / powers.sum()


def _result(generator: np.random.Generator, chance: np.ndarray) -> dict[str, float]:
    outcome = generator.choice(3, p=chance)
    low = float(generator.poisson(0.8))
    margin = float(1 + generator.poisson(0.5))
    home, away = [(low + margin, low), (low, low), (low, low + margin)][outcome]
    counts = generator.poisson(8.0, size=len(STATS)).astype(float)
    xg = {"home_xg": 0.4 + 0.6 * home, "away_xg": 0.4 + 0.6 * away}
    return {"home_goals": home, "away_goals": away, **dict(zip(STATS, counts, strict=True)), **xg}


def _as_known(frame: pd.DataFrame) -> pd.DataFrame:
    """Hide what was not known on AS_OF, as the export does."""
    frame["kickoff_at"] = frame["kickoff_at"].dt.as_unit("us")
    hours = np.where(frame["kickoff_precision"] == "date", 30, 3)
    known_at = frame["kickoff_at"] + pd.to_timedelta(hours, unit="h").as_unit("us")
    is_known = known_at < AS_OF
    frame["known_at"] = known_at.where(is_known)
    frame.loc[~is_known, ["home_goals", "away_goals", *STATS]] = np.nan
    xg_known_at = known_at.dt.floor("D") + pd.Timedelta(hours=30)
    # The third league has no source of xG.
    has_xg = (xg_known_at < AS_OF) & (frame["competition_id"] != 3)
    frame.loc[~has_xg, list(XG)] = np.nan
    frame["xg_known_at"] = xg_known_at.dt.as_unit("us").where(has_xg)
    frame.loc[~is_known, "status"] = np.where(frame.loc[~is_known, "kickoff_at"] >= AS_OF, "scheduled", "unknown")
    return frame


def odds_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The truth, a market near it with a margin on half of the matches, and an average on all."""
    rows = []
    for match in frame[frame["status"] == "finished"].itertuples():
        noisy = match.chance * np.exp(np.random.default_rng(match.match_id).normal(0.0, 0.05, size=3))
        prices = {("Avg", "opening"): 1.0 / (noisy / noisy.sum() * 1.06), (TRUTH, "closing"): 1.0 / match.chance}
        if match.match_id % 2:
            prices["PS", "closing"] = 1.0 / (match.chance * 1.03)
        for (bookmaker, moment), (home, draw, away) in prices.items():
            rows.append((match.match_id, bookmaker, moment, home, draw, away))
    return pd.DataFrame(rows, columns=ODDS.names).sort_values(["match_id", "bookmaker", "moment"], ignore_index=True)


def lineups_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Both elevens of the first league's finished matches, two hours before kick-off, from thirteen players a club."""
    generator = np.random.default_rng(5)
    rows = [
        (match.match_id, "paper", side, 100 * team + player, "starter", match.kickoff_at - pd.Timedelta(hours=2))
        for match in frame[(frame["status"] == "finished") & (frame["competition_id"] == 1)].itertuples()
        for side, team in (("home", match.home_team_id), ("away", match.away_team_id))
        for player in np.sort(generator.choice(13, size=11, replace=False)).tolist()
    ]
    return pd.DataFrame(rows, columns=LINEUPS.names).sort_values(LINEUPS.names, ignore_index=True)


def write_export(root: Path, frame: pd.DataFrame, params: dict | None = None) -> Path:
    """Write a frame of matches as the export of a run."""
    odds, lineups = odds_of(frame), lineups_of(frame)
    files.write_frame(root / files.MATCHES, frame, MATCHES)
    files.write_frame(root / files.ODDS, odds, ODDS)
    files.write_frame(root / files.LINEUPS, lineups, LINEUPS)
    files.write_table(root / files.ADJUSTMENTS, ADJUSTMENTS.empty_table())
    files.RawManifest("sandbox", AS_OF, "smoke", len(frame), len(odds), len(lineups)).write(root / files.MANIFEST)
    files.write_json(root / files.SNAPSHOT, {"data_snapshot": 7, "code": "test"})
    files.write_text(root / files.PARAMS, yaml.safe_dump(params or small_params(), sort_keys=False))
    return root


def every_stage(root: Path) -> None:
    """Write the export of the small world and let every stage run on it."""
    write_export(root, matches())
    for stage in STAGES:
        stage.main(root)
