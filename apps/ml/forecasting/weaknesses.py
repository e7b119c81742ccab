"""Why a forecast is less sure than usual, by features that show how much is known about both sides.

The codes are stored with every prediction and are part of the public API. Pages and the API have the sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from apps.ml.forecasting.arrays import Floats

FALLBACK: Final = "fallback"
NEW_CLUB: Final = "new_club"
NO_STATISTICS: Final = "no_statistics"
PROMOTED: Final = "promoted"
RELEGATED: Final = "relegated"
SEASON_START: Final = "season_start"
LONG_BREAK: Final = "long_break"

CODES: Final = (FALLBACK, NEW_CLUB, NO_STATISTICS, PROMOTED, RELEGATED, SEASON_START, LONG_BREAK)
"""All codes, in the order in which the weaknesses of a forecast are listed."""

SIDES: Final = ("home", "away")

FEW_MATCHES: Final = 15
"""Observed matches from which a club is no longer new: they halve the variance of its attack in the goals filter
(1 / 0.048 at the start, and about 1.35 more with each match)."""

MOSTLY: Final = 0.5
"""Share of a side's late matches that have statistics below which most of them have none."""

EARLY: Final = 0.25
"""Share of the season up to which a side that came up or went down is new to its level: the first of the parts of a
season that the report of an evaluation shows apart."""

START: Final = 0.1
"""Share of the season up to which it has only begun: four rounds of 38."""

LONG_BREAK_DAYS: Final = 21
"""Days without a match that make a long break. Those for national teams last two weeks, and the feature counts no
further (`rest_cap_days` of the parameters)."""

_PAIRS: Final = ("elo_matches", "filter_counted", "table_moved", "rest")
_SINGLE: Final = ("table_progress", "level")

COLUMNS: Final = (*(f"{name}_{side}" for name in _PAIRS for side in SIDES), *_SINGLE)
"""Features that weaknesses are read from."""


class Weakness(NamedTuple):
    """A reason why a forecast is less sure than usual.

    `side` is one of `SIDES`, and empty for the whole match. `number` is that of known matches for `NEW_CLUB`, days
    for `LONG_BREAK`, and 0 for every other code.
    """

    code: str
    side: str = ""
    number: int = 0


def weaknesses(names: Sequence[str], values: Floats) -> list[list[Weakness]]:
    """Return the weaknesses of forecasts by their features, each in the order of `CODES`, home before away.

    Parameters
    ----------
    names : sequence of str
        Columns of `values`. A column that is not there names no weakness.
    values : ndarray, shape (n, features)
        Features as `FeatureState.describe` gives them.
    """
    places = {name: index for index, name in enumerate(names)}
    unknown = np.full(len(values), np.nan)
    columns = {name: values[:, places[name]] if name in places else unknown for name in COLUMNS}
    played, counted, moved, rest = (np.stack([columns[f"{name}_{side}"] for side in SIDES]) for name in _PAIRS)
    # A comparison with NaN is false and names no weakness.
    is_start = (columns["level"] >= 1) & (columns["table_progress"] < START)
    is_early = columns["table_progress"] < EARLY
    uncounted = (played >= FEW_MATCHES) & (counted < MOSTLY)
    # A club of which no match is known has the longest rest too, and before the first matches it is summer.
    rested = (played > 0) & (rest >= LONG_BREAK_DAYS) & ~is_start
    marks = {
        NEW_CLUB: played < FEW_MATCHES,
        NO_STATISTICS: uncounted & ~uncounted.all(axis=0),
        PROMOTED: (moved > 0) & is_early,
        RELEGATED: (moved < 0) & is_early,
        LONG_BREAK: rested,
    }
    of_both = {NO_STATISTICS: uncounted.all(axis=0), SEASON_START: is_start}
    kinds = [(code, side) for code in CODES for side in (*SIDES, "") if code in (marks if side else of_both)]
    table = np.column_stack([marks[code][SIDES.index(side)] if side else of_both[code] for code, side in kinds])
    found: list[list[Weakness]] = [[] for _ in range(len(values))]
    for row, kind in np.argwhere(table).tolist():
        code, side = kinds[kind]
        number = int(played[SIDES.index(side), row]) if code == NEW_CLUB else LONG_BREAK_DAYS * (code == LONG_BREAK)
        found[row].append(Weakness(code, side, number))
    return found
