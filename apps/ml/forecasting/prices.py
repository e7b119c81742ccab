"""Probabilities derived from prices, for the models that are labelled with that input.

Prices of earlier matches are known at the latest with the result. Prices of the match itself are forecasts by others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.scoring import Devig, devig

OUTCOMES: Final = ("home", "draw", "away")

EARLIER: Final = ("price_home", "price_draw", "price_away")
"""Columns of results: probabilities derived from the prices of the match, NaN without prices."""

LEAST_SUM: Final = 0.7
LARGEST_SUM: Final = 2.0
"""Plausible bounds of the sum of the inverse prices of a line: the best prices of many bookmakers may sum to less than
one, and no margin is so wide."""

BEFORE: Final = ("odds_home", "odds_draw")
"""Columns of a match: log-odds of home and of draw against away, from the prices before it."""


def with_prices(matches: pd.DataFrame, odds: pd.DataFrame, section: Mapping[str, Any]) -> pd.DataFrame:
    """Return the matches with the columns `EARLIER`, from the first quoted line of each match.

    The section has ``lines``, pairs of bookmaker and moment, the preferred first, and ``devig``, the method.
    """
    p = probabilities(matches, odds, section["lines"], section["devig"])
    return matches.assign(**{name: p[:, index] for index, name in enumerate(EARLIER)})


def before_the_match(matches: pd.DataFrame, odds: pd.DataFrame, section: Mapping[str, Any]) -> pd.DataFrame:
    """Return the columns `BEFORE` of every match, with the caller's index: means over the lines that are quoted.

    A match without any has NaN. The section has ``before``, pairs of bookmaker and moment, and ``devig``, the method.
    """
    total, lines = np.zeros((len(matches), len(BEFORE))), np.zeros((len(matches), 1))
    for line in section["before"]:
        p = probabilities(matches, odds, [line], section["devig"])
        quoted = np.isfinite(p[:, 0])
        total[quoted] += np.log(p[quoted, :2] / p[quoted, 2:])
        lines[quoted] += 1.0
    mean = np.divide(total, lines, out=np.full_like(total, np.nan), where=lines > 0.0)
    return pd.DataFrame(mean, matches.index, list(BEFORE))


def line_of(odds: pd.DataFrame, bookmaker: str, moment: str) -> pd.DataFrame:
    """Return the prices that a bookmaker quoted at a moment, columns `OUTCOMES` by match; see `are_lines`."""
    quoted = odds[(odds["bookmaker"] == bookmaker) & (odds["moment"] == moment)]
    return quoted[are_lines(quoted)].set_index("match_id")[list(OUTCOMES)]


def inverses(odds: pd.DataFrame) -> pd.Series[float]:
    """Return the sum of the inverse prices of each line: one plus the bookmaker's margin."""
    return (1.0 / odds[list(OUTCOMES)]).sum(axis=1, skipna=False)


def are_lines(odds: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows have three prices that can belong together; in the others a price is a typing error."""
    return inverses(odds).between(LEAST_SUM, LARGEST_SUM).to_numpy()


def probabilities(matches: pd.DataFrame, odds: pd.DataFrame, lines: Sequence[Sequence[str]], method: Devig) -> Floats:
    """Return the probabilities behind the first line that quotes each match, shape (n, 3); NaN where none does."""
    found = np.full((len(matches), 3), np.nan)
    for bookmaker, moment in lines:
        quoted = line_of(odds, bookmaker, moment)
        missing = np.isnan(found[:, 0]) & matches["match_id"].isin(quoted.index).to_numpy()
        if missing.any():
            chosen = quoted.loc[matches["match_id"].to_numpy()[missing]]
            found[missing] = devig(chosen.to_numpy(dtype=np.float64), method)
    return found
