"""The back-test of one estimator: which matches it forecasts.

Its run has the stages of any other up to the evaluation. `data/folds.json` names the estimator and the season of each
competition, which the later stages read there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import pandas as pd

QUIET: Final = timedelta(days=75)
"""A season without fixtures has ended after so long without a match; winter breaks of leagues are shorter."""

OLDEST: Final = timedelta(days=730)
"""A season that ended longer ago is of a competition that is not played or not followed any more."""

COLUMNS: Final = ["competition", "season", "kickoff_at"]


def latest_finished_seasons(finished: pd.DataFrame, upcoming: pd.DataFrame, as_of: datetime) -> dict[str, str]:
    """Return the latest season of each competition that has ended, by the slug of the competition.

    A season has ended when none of its fixtures is left and a later one has begun or is announced, or when no match was
    played for `QUIET`: some sources announce fixtures only a week ahead.

    Parameters
    ----------
    finished, upcoming : DataFrame
        Matches with a result, and fixtures after `as_of`, with the columns `COLUMNS`.
    """
    now = pd.Timestamp(as_of)
    rows = pd.concat([finished[COLUMNS].assign(is_left=False), upcoming[COLUMNS].assign(is_left=True)])
    spans = rows.groupby(["competition", "season"]).agg(
        first=("kickoff_at", "min"), latest=("kickoff_at", "max"), is_left=("is_left", "any")
    )
    found = {}
    for competition, seasons in spans.groupby(level="competition"):
        newest = seasons["first"].max()
        is_over = ~seasons["is_left"] & ((seasons["latest"] < newest) | (seasons["latest"] < now - QUIET))
        ended = seasons[is_over & (seasons["latest"] >= now - OLDEST)]
        if len(ended):
            found[str(competition)] = str(ended["latest"].idxmax()[1])
    return found


def is_tested(matches: pd.DataFrame, plan: Mapping[str, Any]) -> pd.Series:
    """Return which matches count in the evaluation of a run: in a back-test those of the seasons that it is about.

    Parameters
    ----------
    matches : DataFrame
        With the columns ``competition`` and ``season``.
    plan : mapping
        Content of `files.FOLDS`.
    """
    if "seasons" not in plan:
        return pd.Series(data=True, index=matches.index)
    return matches["competition"].map(plan["seasons"]) == matches["season"]
