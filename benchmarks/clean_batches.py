"""How often gates stop real seasons: `python -m benchmarks.clean_batches [--data DIR] [--batches N] [--json FILE]`.

DIR holds files in football-data form (itself, or in football-data/). The results that were known on days spread over
the history are checked as an export of that day would be, by the checks of rows against other rows
(`apps/ml/pipeline/batch_checks.py`). Nothing was wrong with them: whatever is stopped is named.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import Final

import pandas as pd

from apps.ml.pipeline.batch_checks import CHECKS
from benchmarks.report import Measure, folder_of, parser, tell
from benchmarks.season_quality import history

FIRST: Final = pd.Timedelta(days=4 * 365)
"""History before the first batch: the checks compare with earlier years."""


def main() -> int:
    """Check and tell."""
    options = parser(__doc__ or "")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), help="files in football-data form")
    options.add_argument("--batches", type=int, default=100, help="days that are exported")
    asked = options.parse_args()
    matches, _ = history(folder_of(asked.data))
    matches = matches.assign(competition=matches["region"] + " " + matches["name"])
    days = pd.date_range(matches["kickoff_at"].min() + FIRST, matches["kickoff_at"].max(), periods=asked.batches)
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
    tell("Sound batches of real seasons", measures, asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
