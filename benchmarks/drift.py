"""How often drift is a false alarm: `python -m benchmarks.drift [--data DIR] [--draws N] [--seed N] [--json FILE]`.

DIR holds files in football-data form (itself, or in football-data/); without it and without SPAI_REAL_DATA the seasons
of the sandbox are taken. Days of past seasons are drawn at random, with a model of random age, and checked as the
product does: the features that the boosted trees read, and forecasts by a logit that was fitted to earlier seasons.
Days on which spectators were kept out of a ground (`features.context.closed_doors` of the parameters) are left out:
home sides won less often there, which is a drift. Nothing was wrong on the others, so each alarm is a false one; the
interval is a bootstrap over seasons. `week` is a week that is tested on each of its days. Below it stands how often the
days without spectators raise an alarm, and how often drifts that were put into days with them are found.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import yaml

from apps.ml.forecasting import drift, estimators, scoring
from apps.ml.forecasting.features import FeatureState
from apps.ml.pipeline.columns import RAW
from apps.scraping.sandbox.world import SimulatedWorld
from benchmarks.report import Measure, folder_of, parser, print_measures
from benchmarks.season_quality import finished, history

FAMILIES: Final = ("base_rates", "elo", "poisson_filter", "gap", "performance", "pi", "context", "table")
LEARNT_FROM: Final = 4
"""Seasons before the first that is forecast."""
DRAWN_FROM: Final = 12
"""The latest seasons, from which days are drawn."""
EVALUATED: Final = timedelta(days=6 * 365)
"""How far the forecasts of an evaluation reach back."""
OLDEST: Final = 90
"""Days that a model has served at most."""


@dataclass(frozen=True, slots=True)
class Seasons:
    """Described and forecast matches of a history, in the order of `as_of`."""

    matches: pd.DataFrame
    values: np.ndarray
    names: tuple[str, ...]
    of: np.ndarray
    p: np.ndarray  # NaN in the first seasons
    outcomes: np.ndarray
    year: np.ndarray  # in which the season began: it ends in June
    days: np.ndarray  # on which each match became known, counted from 1970-01-01


def described(matches: pd.DataFrame, params: dict[str, Any]) -> Seasons:
    """Describe a history, and forecast each season by what was known before it."""
    matches = matches.sort_values(["as_of", "match_id"], kind="stable", ignore_index=True)
    state = FeatureState.new(params["features"], FAMILIES)
    values = np.empty((len(matches), len(state.names)), dtype=np.float32)
    for block in state.stream(matches, matches):
        values[block.rows] = block.values.T
    outcomes = 1 - np.sign(matches["home_goals"] - matches["away_goals"]).to_numpy(dtype=np.int64)
    year = (matches["as_of"] - pd.Timedelta(days=181)).dt.year.to_numpy()
    p = np.full((len(matches), 3), np.nan)
    for first in np.unique(year)[LEARNT_FROM:][-DRAWN_FROM - EVALUATED.days // 365 :]:
        rows = np.flatnonzero(year < first)[-params["split"]["fit_rows"]["smoke"] :]
        model = estimators.create("logit", params["train"]["smoke"]["logit"], seed=1)
        model.fit(values[rows].astype(float), outcomes[rows], names=state.names)
        p[year == first] = model.predict_proba(values[year == first].astype(float))
    trees = params["train"]["smoke"]["xgboost"]
    chosen = [
        place
        for place, name in enumerate(state.names)
        if any(fnmatch(name, each) for each in trees["columns"])
        and not any(fnmatch(name, each) for each in trees["leave_out"])
    ]
    earlier = drift.matches_played(
        *(matches[name].to_numpy() for name in ("season_id", "home_team_id", "away_team_id"))
    )
    of = drift.strata(matches["competition_id"], earlier, params["drift"]["phases"])
    names = tuple(state.names[place] for place in chosen)
    print(f"{len(matches):,} matches, {len(names)} features, {len(np.unique(year))} seasons", flush=True)
    known = matches["known_at"].dt.tz_localize(None).to_numpy(dtype="datetime64[D]").astype(np.int64)
    return Seasons(matches, values[:, chosen], names, of, p, outcomes, year, np.maximum.accumulate(known))


def looked_at(seasons: Seasons, day: pd.Timestamp, age: timedelta, section: dict[str, Any]) -> dict[str, Any]:
    """Return the three tests as they would have been on a day, of a model that was trained `age` before."""
    level, known = section["level"] / drift.TESTS, seasons.matches["known_at"]
    end, trained = int((known < day).sum()), int((known < day - age).sum())
    first = max(0, end - section["most_rows"])
    part = slice(first, end)
    made = drift.plan(seasons.days[part], trained - first, section)
    tests: dict[str, Any] = {"features": drift.DriftTest(), "predictions": drift.DriftTest()}
    if made is not None:
        tests["features"] = drift.compare(seasons.values[part], seasons.of[part], seasons.names, made, level)
    # It has served since, and was evaluated on the forecasts of the years before.
    live = slice(trained, end)
    at = seasons.matches["as_of"].to_numpy(dtype="datetime64[us]")
    begin = int(np.searchsorted(at, np.datetime64((day - age - EVALUATED).tz_localize(None))))
    begin = max(begin, int(np.isnan(seasons.p[:, 0]).sum()))
    both = drift.plan(seasons.days[begin:end], trained - begin, section, at_most=end - trained)
    if both is not None and end - trained >= section["least_matches"]:
        rows = slice(begin, end)
        tests["predictions"] = drift.compare(seasons.p[rows], seasons.of[rows], RAW, both, level)
    past = slice(begin, trained)
    pairs = [(seasons.p[rows], seasons.outcomes[rows]) for rows in (past, live)]
    tests["concept"] = drift.concept(pairs[0], seasons.days[past], pairs[1], section, level)
    return tests


def was_closed(seasons: Seasons, params: dict[str, Any]) -> np.ndarray:
    """Return which matches became known while spectators were kept out of any ground, or near it, shape (n,).

    Near is a week before, into which a looked-at week may run, and a month after, whose windows hold such matches.
    """
    spans = params["features"]["context"]["closed_doors"]
    first, last = min(span[1] for span in spans), max(span[2] for span in spans)
    known = seasons.matches["known_at"]
    begin = pd.Timestamp(first, tz="UTC") - pd.Timedelta(days=7)
    end = pd.Timestamp(last, tz="UTC") + pd.Timedelta(days=31)
    return ((known >= begin) & (known < end)).to_numpy()


def drawn_day(seasons: Seasons, among: np.ndarray, generator: np.random.Generator) -> tuple[pd.Timestamp, timedelta]:
    """Return a day after one of some matches, each as likely as the others, and the age of a model."""
    day = seasons.matches["known_at"].iloc[int(generator.choice(among))].normalize() + pd.Timedelta(days=1)
    return day, timedelta(days=int(generator.integers(7, OLDEST)))


def put_in(seasons: Seasons, rows: slice, change: Callable[[Seasons, slice], Seasons]) -> Seasons:
    """Return the seasons with a drift in some rows."""
    copied = replace(seasons, values=seasons.values.copy(), p=seasons.p.copy(), outcomes=seasons.outcomes.copy())
    return change(copied, rows)


def _columns(pattern: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Seasons, slice], Seasons]:
    def changed(seasons: Seasons, rows: slice) -> Seasons:
        for place, name in enumerate(seasons.names):
            if fnmatch(name, pattern):
                seasons.values[rows, place] = change(seasons.values[rows, place])
        return seasons

    return changed


def _sharper(seasons: Seasons, rows: slice) -> Seasons:
    powers = seasons.p[rows] ** 1.5
    seasons.p[rows] = powers / powers.sum(axis=1, keepdims=True)
    return seasons


def _swapped(seasons: Seasons, rows: slice) -> Seasons:
    seasons.outcomes[rows] = 2 - seasons.outcomes[rows]
    return seasons


DRIFTS: Final[dict[str, tuple[str, Callable[[Seasons, slice], Seasons]]]] = {
    "Elo of both sides apart by 50 more": ("features", _columns("elo_diff", lambda own: own + 50.0)),
    "rest days in hours": ("features", _columns("rest_*", lambda own: own * 24.0)),
    "pi-ratings missing in every fourth match": (
        "features",
        _columns("pi_*", lambda own: np.where(np.arange(own.size) % 4 == 0, np.nan, own)),
    ),
    "forecasts sharper by a power of 1.5": ("predictions", _sharper),
    "the same, by their log loss": ("concept", _sharper),
    "home and away swapped in the results": ("concept", _swapped),
}
"""What is put into the latest matches, and the test that should find it."""


def main() -> int:
    """Measure and print."""
    options = parser(__doc__ or "")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), help="files in football-data form")
    options.add_argument("--draws", type=int, default=120, help="days that are drawn")
    options.add_argument("--weeks", type=int, default=40, help="of them, those whose whole week is checked")
    options.add_argument("--seed", type=int, default=0, help="of the draws")
    args = options.parse_args()
    params = yaml.safe_load(Path("apps/ml/params.yaml").read_text(encoding="utf-8"))
    section, generator = params["drift"], np.random.default_rng(args.seed)
    if args.data:
        matches, _ = history(folder_of(args.data))
    else:
        now = datetime.now(UTC)
        matches = finished(SimulatedWorld(seed=1, anchor_at=now).records(now))
    seasons = described(matches, params)
    years = np.unique(seasons.year)[max(LEARNT_FROM + 2, len(np.unique(seasons.year)) - DRAWN_FROM) : -1]
    alarms: dict[str, list[float]] = {name: [] for name in ("features", "predictions", "concept", "any", "week")}
    drawn, weeks = [], []
    found: dict[str, list[bool]] = {name: [] for name in DRIFTS}
    closed = was_closed(seasons, params)
    years = [year for year in years if (~closed[seasons.year == year]).any()]
    for number in range(args.draws):
        # Each season as often as the others.
        year = years[number % len(years)]
        day, age = drawn_day(seasons, np.flatnonzero((seasons.year == year) & ~closed), generator)
        tests = looked_at(seasons, day, age, section)
        for name, test in tests.items():
            alarms[name].append(test.is_drifted)
        alarms["any"].append(any(test.is_drifted for test in tests.values()))
        drawn.append(year)
        if number < args.weeks:
            later = [looked_at(seasons, day + pd.Timedelta(days=each), age, section) for each in range(1, 7)]
            alarms["week"].append(alarms["any"][-1] or any(t.is_drifted for each in later for t in each.values()))
            weeks.append(year)
            end = int((seasons.matches["known_at"] < day).sum())
            for name, (kind, change) in DRIFTS.items():
                rows = slice(end - section["matches"], end)
                found[name].append(looked_at(put_in(seasons, rows, change), day, age, section)[kind].is_drifted)
        if number % 10 == 9:
            print(f"  {number + 1} days: {sum(alarms['any'])} with an alarm", flush=True)
    measures = []
    for name, values in alarms.items():
        years_of = weeks if name == "week" else drawn
        shares = np.array(values, dtype=float)
        interval = scoring.ratio_bootstrap(shares, np.ones(shares.size), years_of)
        words = f"{interval.low:.1%} to {interval.high:.1%} over {len(set(years_of))} seasons"
        target = "≤ 5 %; " if name in ("any", "week") else ""
        measures.append(Measure(f"false alarms, {name}", 100 * interval.mean, "%", target + words))
    if closed.any():
        days = [drawn_day(seasons, np.flatnonzero(closed), generator) for _ in range(args.weeks)]
        raised = [any(test.is_drifted for test in looked_at(seasons, *each, section).values()) for each in days]
        measures.append(Measure("days without spectators: alarms", 100 * float(np.mean(raised)), "%", "a real drift"))
    measures += [
        Measure(f"found: {name}", 100 * float(np.mean(values)), "%", f"by {DRIFTS[name][0]}")
        for name, values in found.items()
    ]
    print_measures(f"Drift, {section['matches']} matches a window, {args.draws} days", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
