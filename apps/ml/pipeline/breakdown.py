"""Scores by group of matches: competition, season, month, promoted clubs, rating gap, part of the season."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting import scoring, weaknesses
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.prices import probabilities
from apps.ml.pipeline import files
from apps.ml.pipeline.columns import CALIBRATED

MOVED: Final = ("table_moved_home", "table_moved_away")
"""Features: levels by which a side was promoted before the season, negative when it was relegated."""

RATING_GAP: Final = "elo_diff"
"""Feature: Elo points by which the home side leads, home advantage included."""

PROGRESS: Final = "table_progress"
"""Feature: share of the season that the sides have played."""

PROMOTED: Final = ("neither side moved", "a promoted side", "a relegated side", "a promoted and a relegated side")
"""Names of the groups by promotion and relegation before the season, in their order."""

PARTS: Final = ((0.25, "first quarter"), (0.5, "second quarter"), (0.75, "third quarter"), (0.9, "until nine tenths"))
"""Parts of a season by the share of it at which they end; what is left is `END`."""

END: Final = "last tenth"

WEAKNESSES: Final = {
    "": "none",
    weaknesses.NEW_CLUB: "a new club",
    weaknesses.NO_STATISTICS: "no statistics",
    weaknesses.PROMOTED: "a promoted side, early",
    weaknesses.RELEGATED: "a relegated side, early",
    weaknesses.SEASON_START: "the start of a season",
    weaknesses.LONG_BREAK: "a long break",
}
"""Names of the groups by the code of the first weakness, in their order."""

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def closing_line(rows: pd.DataFrame, odds: pd.DataFrame, section: dict[str, Any]) -> Floats:
    """Return the fair probabilities of the closing prices that reports compare with, NaN without a price."""
    market = section["market"]
    return probabilities(rows, odds, [(market["bookmaker"], market["moment"])], section["devig"])


def groups_of(root: Path, match_ids: pd.Series, section: dict[str, Any]) -> dict[str, tuple[str, pd.Series]]:
    """Return, for each table of groups, the name of its column and the group of each match in the given order.

    Groups whose order is not that of their names are ordered categories.
    """
    about = files.read_frame(root / files.FINISHED, ["match_id", "competition", "season", "kickoff_at"])
    about = about.set_index("match_id").loc[match_ids]
    wanted = ["match_id", *dict.fromkeys((*MOVED, RATING_GAP, PROGRESS, *weaknesses.COLUMNS))]
    known = files.read_frame(root / files.FEATURES, wanted).set_index("match_id").loc[match_ids]
    return {
        "competitions": ("competition", about["competition"]),
        "seasons": ("season", about["season"]),
        "months": ("month", months(about["kickoff_at"])),
        "promotions": ("sides", promotions(known[MOVED[0]], known[MOVED[1]])),
        "rating_gaps": ("gap", rating_gaps(known[RATING_GAP], section["rating_gaps"])),
        "season_parts": ("part", season_parts(known[PROGRESS])),
        "weaknesses": ("weakness", first_weaknesses(known[list(weaknesses.COLUMNS)])),
    }


def months(kickoff: pd.Series) -> pd.Series:
    """Return the month of the calendar of every match, years pooled, in the order of the year."""
    return _ordered(kickoff.dt.month.to_numpy() - 1, MONTHS, kickoff.index)


def promotions(home: pd.Series, away: pd.Series) -> pd.Series:
    """Return whether a side of each match was promoted or relegated before the season, as groups of `PROMOTED`."""
    promoted = ((home > 0) | (away > 0)).to_numpy().astype(int)
    relegated = ((home < 0) | (away < 0)).to_numpy().astype(int)
    return _ordered(promoted + 2 * relegated, PROMOTED, home.index)


def rating_gaps(difference: pd.Series, edges: Sequence[float]) -> pd.Series:
    """Return the bin of each absolute difference; a difference at an edge belongs to the upper bin."""
    bounds = [0, *edges]
    names = [f"{low} to {high} points" for low, high in pairwise(bounds)]
    place = np.searchsorted(np.asarray(edges, dtype=np.float64), difference.abs().to_numpy(), side="right")
    return _ordered(place, [*names, f"{edges[-1]} points and more"], difference.index)


def season_parts(progress: pd.Series) -> pd.Series:
    """Return the part of the season of every match, in chronological order."""
    ends = np.array([end for end, _ in PARTS])
    names = [name for _, name in PARTS]
    return _ordered(np.searchsorted(ends, progress.to_numpy(), side="right"), [*names, END], progress.index)


def first_weaknesses(features: pd.DataFrame) -> pd.Series:
    """Return the first weakness of every forecast, as groups of `WEAKNESSES`."""
    codes = list(WEAKNESSES)
    found = weaknesses.weaknesses(list(features.columns), features.to_numpy(dtype=np.float64))
    places = np.array([codes.index(each[0].code) if each else 0 for each in found], dtype=np.int64)
    return _ordered(places, list(WEAKNESSES.values()), features.index)


def by_group(
    best: pd.DataFrame, base: pd.DataFrame, groups: pd.Series, name: str, line: Floats, section: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the scores of the best model and of base rates for each group of matches, in the order of the groups.

    Parameters
    ----------
    line : ndarray, shape (n, 3)
        The closing line as probabilities, NaN where it is not quoted. Columns that begin with ``quoted_`` are means
        over the `quoted_n` matches where it is, and null where that is none.
    section : dict
        Section ``evaluate`` of the parameters. Each group has ``base_gap``, model less base rates in log loss, and
        ``line_gap``, model less line in RPS where it is quoted, with bootstrap intervals over match days.
    """
    y = best["outcome"].to_numpy(dtype=np.int64)
    quoted = ~np.isnan(line[:, 0])
    own, plain = best[CALIBRATED].to_numpy(), base[CALIBRATED].to_numpy()
    table = pd.DataFrame({name: groups.to_numpy(), "n": 1, "quoted_n": quoted.astype(int)})
    if isinstance(groups.dtype, pd.CategoricalDtype):
        table[name] = pd.Categorical(groups)
    for measure, each in (("log_loss", scoring.log_loss_each), ("rps", scoring.rps_each)):
        table[measure], table[f"base_{measure}"] = each(own, y), each(plain, y)
        market = np.full(len(y), np.nan)
        if quoted.any():
            market[quoted] = each(line[quoted], y[quoted])
        table[f"quoted_line_{measure}"] = market
        table[f"quoted_{measure}"] = table[measure].where(quoted)
        table[f"quoted_base_{measure}"] = table[f"base_{measure}"].where(quoted)
    days = best["as_of"].dt.floor("D").to_numpy(dtype="datetime64[us]")
    rows = []
    for group, part in table.groupby(name, sort=True, observed=True):
        row: dict[str, Any] = {name: group}
        for column in table.columns.drop(name):
            row[column] = int(part[column].sum()) if column in ("n", "quoted_n") else _mean(part[column])
        of_days, seen = days[part.index], part["quoted_n"].to_numpy() > 0
        row["base_gap"] = _gap(part["log_loss"] - part["base_log_loss"], of_days, section)
        row["line_gap"] = (
            _gap((part["rps"] - part["quoted_line_rps"])[seen], of_days[seen], section) if seen.any() else None
        )
        rows.append(row)
    return rows


def over_time(best: pd.DataFrame, base: pd.DataFrame, line: Floats) -> list[dict[str, Any]]:
    """Return the mean differences of the best model from base rates and the closing line, by month.

    The mean differences are `less_base` in log loss and `less_line` in RPS, null where no match is quoted.
    """
    y = best["outcome"].to_numpy(dtype=np.int64)
    own, quoted = best[CALIBRATED].to_numpy(), ~np.isnan(line[:, 0])
    less_line = np.full(len(y), np.nan)
    if quoted.any():
        less_line[quoted] = scoring.rps_each(own[quoted], y[quoted]) - scoring.rps_each(line[quoted], y[quoted])
    less_base = scoring.log_loss_each(own, y) - scoring.log_loss_each(base[CALIBRATED].to_numpy(), y)
    table = pd.DataFrame({"less_base": less_base, "less_line": less_line})
    groups = table.groupby(best["as_of"].dt.strftime("%Y-%m").to_numpy(), sort=True)
    return [
        {"month": month, "n": len(rows)} | {name: _mean(rows[name]) for name in table.columns} for month, rows in groups
    ]


def _mean(column: pd.Series) -> float | None:
    value = column.mean()
    return None if pd.isna(value) else float(value)


def _gap(difference: pd.Series, days: NDArray[Any], section: dict[str, Any]) -> dict[str, float]:
    draws, level = section["bootstrap_draws"], section["bootstrap_level"]
    return scoring.paired_bootstrap(difference.to_numpy(), days, draws=draws, level=level).as_dict()


def _ordered(place: Integers, names: Sequence[str], index: pd.Index) -> pd.Series:
    return pd.Series(pd.Categorical.from_codes(place.astype(np.int64), pd.Index(names), ordered=True), index=index)
