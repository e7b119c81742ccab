"""How often gates stop real seasons: `python -m benchmarks.clean_batches [--data DIR] [--batches N] [--json FILE]`.

DIR holds files in football-data form (itself, or in football-data/). The results that were known on days spread over
the history are checked as an export of that day would be, by the checks of rows against other rows
(`apps/ml/pipeline/batch_checks.py`) and by that of features in other units (`apps/ml/forecasting/units.py`). Nothing
was wrong with them: whatever is stopped is named. The last lines say how many of the features that have values would
be stopped if the latest 300 matches had them in another unit.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import yaml

from apps.ml.forecasting import units
from apps.ml.forecasting.features import FAMILIES, FeatureState
from apps.ml.pipeline.batch_checks import CHECKS
from apps.ml.pipeline.expectations import WINDOW, WINDOWS
from benchmarks.report import Measure, folder_of, parser, print_measures
from benchmarks.season_quality import history

FIRST: Final = pd.Timedelta(days=4 * 365)
"""History before the first batch: the checks compare with earlier years."""


BEGINS: Final = pd.Timestamp("2001-07-01", tz="UTC")
"""Features of earlier matches are not described: they would only take memory."""
FACTORS: Final = {"a thousand": 1000.0, "a hundred": 100.0, "24": 24.0, "ten": 10.0, "2.54": 2.54}
"""Other units; each is tried upwards and downwards."""


def described(matches: pd.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return all features that are not made of prices, by the order of `as_of`, and their names."""
    params = yaml.safe_load(Path("apps/ml/params.yaml").read_text(encoding="utf-8"))
    state = FeatureState.new(params["features"], [name for name in FAMILIES if name != "market"])
    values = np.empty((len(matches), len(state.names)), dtype=np.float32)
    for block in state.stream(matches, matches, schedule=matches):
        values[block.rows] = block.values.T
    return values, state.names


def units_of(matches: pd.DataFrame, days: pd.DatetimeIndex) -> list[Measure]:
    """Look for features in other units on each day, in sound values and in changed ones."""
    matches = matches[matches["kickoff_at"] >= BEGINS].sort_values(["as_of", "match_id"], ignore_index=True)
    values, names = described(matches)
    stopped, fixtures, seen = 0, 0, Counter[str]()
    tried = 0
    known = matches["known_at"].dt.tz_localize(None).to_numpy()
    for day in days[days >= BEGINS + FIRST]:
        end = int((known < np.datetime64(day.tz_localize(None))).sum())
        ends = range(end, WINDOW - 1, -WINDOW)[: WINDOWS.stop]
        found = units.sizes(values, [slice(one - WINDOW, one) for one in [*ends, min(end + WINDOW, len(values))]])
        current, past, next_ones = found[0], found[1:-1], found[-1]
        for what, own in (("results", current), ("fixtures", next_ones)):
            change = units.size_change(past, own)
            places = np.flatnonzero(change.is_other_unit)
            changes = [f"{names[place]} {units.in_words(change.factors[place])}" for place in places]
            for words in changes:
                print(f"  {day:%Y-%m-%d}, {what}: {words}")
            stopped += bool(changes) and what == "results"
            fixtures += bool(changes) and what == "fixtures"
        can_be = np.isfinite(current) & (np.isfinite(past).sum(axis=0) >= units.LEAST_WINDOWS)
        tried += int(can_be.sum())
        for name, factor in FACTORS.items():
            for which, by in (("up", factor), ("down", 1.0 / factor)):
                seen[f"{name}, {which}"] += int(units.size_change(past, current * by).is_other_unit[can_be].sum())
    measures = [
        Measure("batches stopped by features in other units", stopped, "", f"0 of {len(days[days >= BEGINS + FIRST])}"),
        Measure("  by the 300 matches that followed", fixtures, "", "0"),
    ]
    share = {name: 100.0 * count / max(tried, 1) for name, count in seen.items()}
    return measures + [Measure(f"seen: {name}", value, "%", f"of {tried:,} columns") for name, value in share.items()]


def main() -> int:
    """Check and print."""
    options = parser(__doc__ or "")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), help="files in football-data form")
    options.add_argument("--batches", type=int, default=100, help="days that are exported")
    args = options.parse_args()
    matches, _ = history(folder_of(args.data))
    matches = matches.assign(competition=matches["region"] + " " + matches["name"])
    days = pd.date_range(matches["kickoff_at"].min() + FIRST, matches["kickoff_at"].max(), periods=args.batches)
    stopped, by = 0, Counter[str]()
    for day in days.floor("D"):
        batch = matches[matches["known_at"] < day]
        found = {name: batch[is_at_fault(batch, day)] for name, is_at_fault in CHECKS.items()}
        found = {name: rows for name, rows in found.items() if len(rows)}
        stopped += bool(found)
        by.update(list(found))
        for name, rows in found.items():
            row = rows.iloc[-1]
            print(
                f"  {day:%Y-%m-%d}, {name}: {len(rows)} rows of {', '.join(sorted(set(rows['competition'])))}, such as "
                f"{row['home_team']} – {row['away_team']} {row['kickoff_at']:%Y-%m-%d} ({row['season']})"
            )
    measures = [Measure(f"batches stopped, of {len(days)}", stopped, "", "0")]
    measures += [Measure(f"  {name}", by[name], "") for name in CHECKS]
    measures += units_of(matches, days)
    print_measures("Sound batches of real seasons", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
