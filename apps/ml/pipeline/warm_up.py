"""Compile every kernel, or load it from the cache, before it is needed.

A kernel is compiled when it is first called. All of them take almost a minute of one processor, in each process that
finds an empty cache. `run` calls all kernels on a few made-up matches: the first process on a machine compiles while
the others wait, then all load the same files.

``python -m apps.ml.pipeline.warm_up`` compiles on several processors, for an installation or an image.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from apps.matches.standings import GOALS_FIRST
from apps.ml.forecasting import goal_shares, season
from apps.ml.forecasting.estimators import hist_boosting
from apps.ml.forecasting.features import FAMILIES, FeatureState, offline_as_of
from apps.ml.forecasting.features.schema import LINEUPS, MATCHES, STATS, XG
from apps.ml.forecasting.kernels import cache_folder
from apps.ml.forecasting.prices import EARLIER
from apps.ml.pipeline import files

CHECKOUT: Final = Path(__file__).parents[3]
GOALS: Final = "goals"
TREES: Final = "trees"
SEASONS: Final = "seasons"
# Form has the largest kernels and comes first, so that it does not run alone at the end.
PARTS: Final = ("form", *(family for family in FAMILIES if family != "form"), GOALS, TREES, SEASONS)
PROCESSES: Final = 4
"""Maximum number of compiling processes: each needs half a gigabyte."""
CLUBS: Final = 4
PLAYERS: Final = 11
START: Final = pd.Timestamp("2020-08-01 15:00", tz="UTC")


def run() -> float:
    """Call every kernel once with each type of argument that is used; return the duration in seconds."""
    began = time.perf_counter()
    with one_at_a_time():
        for part in PARTS:
            call(part)
    return time.perf_counter() - began


def call(part: str) -> None:
    """Call the kernels of one family of features, of the goals, of the trees, or of the seasons."""
    if part == GOALS:
        goal_shares.call_kernels()
    elif part == TREES:
        hist_boosting.call_kernels()
    elif part == SEASONS:
        simulate()
    else:
        fold(part)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the lock of the cache folder, so that one process compiles at a time."""
    folder = os.open(cache_folder(), os.O_RDONLY)
    try:
        # Without locks in the file system, several processes compile the same kernels; that only costs time.
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def fold(family: str) -> None:
    """Fold made-up matches into one family, as pipeline and serving do."""
    params = files.read_params(CHECKOUT)["features"]
    matches, lineups = invented_matches(), invented_lineups()
    played, coming = matches[:-2], matches[-2:].assign(home_goals=np.nan, away_goals=np.nan, status="scheduled")
    state = FeatureState.new(params, [family])
    for _ in state.stream(played, played, schedule=matches, lineups=lineups, threads=1):
        pass
    restored = FeatureState.from_bytes(state.to_bytes())
    restored.schedule(matches)
    restored.describe(coming, lineups=lineups)
    restored.observe(matches[-2:], lineups=lineups)
    restored.to_bytes()


def simulate() -> None:
    """Simulate a made-up season, with doubt and without, and with a given result."""
    fixtures = np.array([(home, away) for home in range(CLUBS) for away in range(CLUBS) if home != away])
    for doubt in (0.0, 0.3):
        drawn = season.draw(
            clubs=CLUBS,
            fixtures=fixtures,
            p=np.full((len(fixtures), 3), 1 / 3),
            expected=np.full((len(fixtures), 2), 1.3),
            doubt=doubt,
            simulations=2,
        )
        season.tabulate(drawn, clubs=CLUBS, played=np.empty((0, 4), dtype=np.int64), rule=GOALS_FIRST, given={0: 1})


def invented_matches() -> pd.DataFrame:
    """Return a double round of four clubs with goals, statistics and prices, one match a day."""
    rows: list[dict[str, Any]] = []
    for home in range(CLUBS):
        for away in range(CLUBS):
            if home == away:
                continue
            kickoff = START + pd.Timedelta(days=len(rows))
            rows.append(
                {
                    "match_id": len(rows) + 1,
                    "competition_id": 1,
                    "competition": "league",
                    "region": "Nowhere",
                    "level": 1,
                    "season_id": 1,
                    "season": "2020-21",
                    "stage": "",
                    "home_team_id": home + 1,
                    "away_team_id": away + 1,
                    "home_team": f"Club {home}",
                    "away_team": f"Club {away}",
                    "kickoff_at": kickoff,
                    "kickoff_precision": "minute",
                    "known_at": kickoff + pd.Timedelta(hours=3),
                    "status": "finished",
                    "is_neutral": False,
                    "home_goals": float(home),
                    "away_goals": float(away),
                    **dict.fromkeys(STATS, 5.0),
                    **dict.fromkeys(XG, 1.2),
                    "xg_known_at": kickoff + pd.Timedelta(hours=15),
                    **dict.fromkeys(EARLIER, 1 / 3),
                }
            )
    frame = pd.DataFrame(rows, columns=[*MATCHES.names, *EARLIER])
    for name in ("kickoff_at", "known_at", "xg_known_at"):
        frame[name] = frame[name].dt.as_unit("us")
    return frame.assign(as_of=offline_as_of(frame, pd.Timedelta(hours=1)))


def invented_lineups() -> pd.DataFrame:
    """Return the line-ups of those matches, each known before its kick-off."""
    rows = [
        (match["match_id"], "paper", side, 100 * team + number, "absent" if number == 0 else "starter", match["as_of"])
        for match in invented_matches().to_dict("records")
        for side, team in (("home", match["home_team_id"]), ("away", match["away_team_id"]))
        for number in range(PLAYERS + 1)
    ]
    frame = pd.DataFrame(rows, columns=LINEUPS.names)
    return frame.assign(known_at=(frame["known_at"] - pd.Timedelta(minutes=1)).dt.as_unit("us"))


def main() -> None:
    """Compile the kernels in several processes."""
    began = time.perf_counter()
    with one_at_a_time(), ProcessPoolExecutor(min(PROCESSES, os.cpu_count() or 1), get_context("spawn")) as pool:
        list(pool.map(call, PARTS))
    files.log_line(f"kernels compiled in {time.perf_counter() - began:.1f} s; cached in {cache_folder()}")


if __name__ == "__main__":
    main()
