"""Which lines of prices agree with the others: a line takes part only while it does.

The column of a bookmaker can become something else without notice. Two signs are checked for each line and
month: the mean distance of its probabilities to those of the other bookmakers, and the share of matches in which a
price lies above the maximum of all bookmakers, which cannot be. A month is judged by the earlier months of the same
line: it disagrees when a sign lies more than `deviations` standard deviations above their mean, and above a floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.features.schema import TRUTH
from apps.ml.forecasting.prices import OUTCOMES, are_lines
from apps.ml.forecasting.scoring import devig, distance_each

AVERAGE: Final = "Avg"
MAXIMUM: Final = "Max"
OF_ALL: Final = (AVERAGE, MAXIMUM)
"""Lines that a source makes of all bookmakers."""

SIGNS: Final = ("distance", "above")

ROUNDING: Final = 1.001
"""A price this many times the maximum is above it."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A month in which a line disagreed with the others."""

    bookmaker: str
    moment: str
    month: str  # such as 2025-09
    matches: int
    distance: float | None  # mean distance to the others, in the unit of the RPS; None without others
    above: float | None  # share of matches with a price above the maximum; None where no maximum is quoted

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a plain dictionary."""
        return asdict(self)


def disagreements(odds: pd.DataFrame, matches: pd.DataFrame, section: Mapping[str, Any]) -> list[Disagreement]:
    """Return the months in which lines disagreed with the others, by line and month.

    Parameters
    ----------
    odds : DataFrame
        Columns of `schema.ODDS`.
    matches : DataFrame
        ``match_id`` and ``kickoff_at`` of their matches.
    section : mapping
        ``least_matches`` of a month that is judged, ``least_months`` before it, ``deviations``, and ``floors`` of the
        two signs.
    """
    quoted = odds[are_lines(odds) & (odds["bookmaker"] != TRUTH).to_numpy()]
    months, signs = months_of(quoted, matches), _signs(quoted)
    monthly = {int(str(number)): _means(rows, section) for number, rows in signs.groupby(months)}
    past: dict[tuple[str, str], list[Floats]] = {}
    found = []
    for number, means in sorted(monthly.items()):
        apart: list[tuple[str, str]] = []
        while (worst := _worst(means, past, section)) is not None:
            n, values = means[worst]
            month = str(np.datetime64(number, "M"))
            known = [None if np.isnan(value) else float(value) for value in values]
            found.append(Disagreement(*worst, month, n, *known))
            # What it did to the others ends with it.
            apart.append(worst)
            rows = quoted[months == number]
            lines = pd.MultiIndex.from_frame(rows[["bookmaker", "moment"]])
            means = _means(_signs(rows[~lines.isin(apart)]), section)
        for line, (_, values) in means.items():
            past.setdefault(line, []).append(values)
    return sorted(found, key=lambda each: (each.bookmaker, each.moment, each.month))


def without(
    odds: pd.DataFrame, matches: pd.DataFrame, found: list[Disagreement], *, months_later: int = 0
) -> pd.DataFrame:
    """Return the prices without those of the months in which their line disagreed.

    With `months_later` of 1, a line is missing in the month after: what a match is described by must not depend on
    prices of later matches of its month.
    """
    months, out = months_of(odds, matches), np.zeros(len(odds), dtype=bool)
    for line, group in groupby(found, lambda each: (each.bookmaker, each.moment)):
        rows = ((odds["bookmaker"] == line[0]) & (odds["moment"] == line[1])).to_numpy()
        out |= rows & np.isin(months, [_number(each.month) + months_later for each in group])
    return odds[~out]


def in_words(found: Sequence[Disagreement]) -> str:
    """Return what was left out, such as “PS closing in 3 months from 2025-09 to 2025-11”; empty for nothing."""
    parts = []
    for (bookmaker, moment), group in groupby(found, lambda each: (each.bookmaker, each.moment)):
        months = [each.month for each in group]
        when = f"{len(months)} months from {months[0]} to {months[-1]}" if len(months) > 1 else months[0]
        parts.append(f"{bookmaker} {moment} in {when}")
    return ", ".join(parts)


def months_of(odds: pd.DataFrame, matches: pd.DataFrame) -> Integers:
    """Return the month of the match of each price, counted from January 1970, shape (n,)."""
    kickoff = matches["kickoff_at"].dt.tz_localize(None).to_numpy(dtype="datetime64[M]").astype(np.int64)
    place = pd.Index(matches["match_id"]).get_indexer(odds["match_id"])
    return kickoff[place]


def _means(signs: pd.DataFrame, section: Mapping[str, Any]) -> dict[tuple[str, str], tuple[int, Floats]]:
    """Return the number of matches and the mean signs of each line that quotes enough matches of a month."""
    table = signs.assign(n=1).groupby(["bookmaker", "moment"]).agg({"n": "sum", **dict.fromkeys(SIGNS, "mean")})
    enough = table[table["n"] >= section["least_matches"]]
    return {line: (int(row["n"]), row[list(SIGNS)].to_numpy(dtype=np.float64)) for line, row in enough.iterrows()}


def _worst(
    means: Mapping[tuple[str, str], tuple[int, Floats]],
    past: Mapping[tuple[str, str], list[Floats]],
    section: Mapping[str, Any],
) -> tuple[str, str] | None:
    """Return the line that lies furthest above its limits, in their multiples; None when none does."""
    excess = {
        line: np.nan_to_num(values / _limits(np.array(past[line]), section)).max()
        for line, (_, values) in means.items()
        if line in past
    }
    worst = max(excess, key=lambda line: excess[line], default=None)
    return worst if worst is not None and excess[worst] > 1.0 else None


def _limits(past: Floats, section: Mapping[str, Any]) -> Floats:
    """Return the limits of the signs after earlier months, shape (months, signs); a missing sign has no limit."""
    floors = np.array([section["floors"][sign] for sign in SIGNS])
    known = np.isfinite(past)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, past, 0.0).sum(axis=0) / n
    spread = np.sqrt(np.where(known, (past - mean) ** 2, 0.0).sum(axis=0) / n)
    limits: Floats = np.maximum(floors, mean + section["deviations"] * spread)
    return np.where(known.sum(axis=0) >= section["least_months"], limits, np.inf)


def _signs(quoted: pd.DataFrame) -> pd.DataFrame:
    """Return bookmaker, moment and both signs of each price; NaN where there is nothing to compare with."""
    prices = quoted[list(OUTCOMES)].to_numpy(dtype=np.float64)
    p = devig(prices, "multiplicative")
    match, moment = (pd.factorize(quoted[name])[0] for name in ("match_id", "moment"))
    place = match * (moment.max(initial=0) + 1) + moment
    bookmaker = quoted["bookmaker"].to_numpy()
    single = ~np.isin(bookmaker, OF_ALL)
    others = _sums(p, place, single)[place] - np.where(single[:, None], p, 0.0)
    count = np.bincount(place, weights=single)[place] - single
    average = np.where((bookmaker == AVERAGE)[:, None], np.nan, _of_line(p, place, bookmaker == AVERAGE)[place])
    consensus = np.where(count[:, None] > 0, others / np.maximum(count, 1)[:, None], average)
    highest = _of_line(prices, place, bookmaker == MAXIMUM)[place]
    above = np.where(np.isfinite(highest[:, 0]), (prices > ROUNDING * highest).any(axis=1), np.nan)
    return pd.DataFrame(
        {
            "bookmaker": bookmaker,
            "moment": quoted["moment"].to_numpy(),
            "distance": distance_each(p, consensus),
            "above": above,
        }
    )


def _sums(values: Floats, place: Integers, chosen: NDArray[np.bool_]) -> Floats:
    """Return the sums of the chosen rows by place, shape (places, 3)."""
    size = int(place.max(initial=-1)) + 1
    columns = [np.bincount(place[chosen], weights=values[chosen, column], minlength=size) for column in range(3)]
    return np.column_stack(columns)


def _of_line(values: Floats, place: Integers, chosen: NDArray[np.bool_]) -> Floats:
    """Return the chosen row of each place, shape (places, 3); NaN where there is none."""
    found = np.full((int(place.max(initial=-1)) + 1, 3), np.nan)
    found[place[chosen]] = values[chosen]
    return found


def _number(month: str) -> int:
    return int(np.datetime64(month, "M").astype(np.int64))
