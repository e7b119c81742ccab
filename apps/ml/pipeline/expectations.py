"""Expectations of the gates about their files, for Great Expectations; each has a test with a bad row.

A broken expectation stops the pipeline and lists the rows that break it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from great_expectations import expectations as gxe
from great_expectations.expectations.row_conditions import Column, Condition

from apps.matches.records import EXPECTED_GOALS_LIMIT, GOALS_LIMIT, KickoffPrecision, MatchStatus
from apps.ml.forecasting import units
from apps.ml.forecasting.arrays import Integers
from apps.ml.forecasting.features.schema import ROLES, STATS, XG
from apps.ml.forecasting.prices import LARGEST_SUM, LEAST_SUM, OUTCOMES, are_lines, inverses
from apps.ml.pipeline import files
from apps.ml.pipeline.batch_checks import CHECKS
from apps.ml.pipeline.columns import KEYS

EITHER: Final = "either_value_is_missing"

SIDES: Final = ("home", "away")

FIRST_KICKOFF: Final = pd.Timestamp("1863-10-26", tz="UTC")
"""The Football Association was founded on this day."""

FURTHEST_FIXTURE: Final = timedelta(days=3 * 366)

COUNT_LIMIT: Final = 150
"""Largest plausible count of shots, fouls or corners in a match; more is a typing error."""

LARGEST_PRICE: Final = 10_000.0

BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "probability": (0.0, 1.0),
    "root of a probability": (0.0, 1.0),
    "share": (0.0, 1.0),
    "score": (0.0, 1.0),
    "difference of shares": (-1.0, 1.0),
    "yes or no": (0.0, 1.0),
    "goals": (0.0, 30.0),
    "goals per match": (0.0, 30.0),
    "expected goals": (0.0, 1e5),
    "log goals": (-10.0, 10.0),
    "points": (-5_000.0, 10_000.0),
    "per match": (-150.0, 150.0),
    "matches": (-1e6, 1e6),
    "days": (-1e4, 1e4),
    "level": (0.0, 20.0),
    "levels": (-20.0, 20.0),
    "log ratio": (-10.0, 10.0),
    "share of the mean": (-20.0, 20.0),
    "goals of advantage": (-20.0, 20.0),
    "points per match": (-60.0, 60.0),  # a league may take 30 points, or give back some, before the first match
    "points per match left": (-10.0, 10.0),
    "seasons": (0.0, 200.0),
}
"""Smallest and largest plausible value of a feature by its unit."""

WIDEST: Final = (-1e9, 1e9)
"""Bounds of all other units."""


COLUMNS: Final = 64
"""Columns that are read at once, so that a wide file is never in memory as a whole."""

WINDOW: Final = 300
"""Most matches of a window, for features in other units: the latest one is compared with earlier ones."""

WINDOWS: Final = range(30, 301)
"""Earlier windows: at least and at most; in a short history they are smaller."""

OF_THE_CALENDAR: Final = ("context",)
"""Families that follow the calendar. The pace of the sandbox changes, from a week between matches to minutes."""

OTHER_UNITS: Final = "in other units"
"""A column that `ranges` adds: the features that are, in the rows where they are; null in all others."""

LEAST: Final = "smallest"
MOST: Final = "largest"
"""First word of the columns that `ranges` adds; the unit follows."""


BETWEEN_TEAMS: Final = "home_team_id - away_team_id"
"""A column that `matches` adds."""

INVERSE: Final = "sum of inverse prices"
"""A column that `odds` adds."""

MOST_WRONG_LINES: Final = 0.0002
"""Largest share, among the lines of a bookmaker at a moment, of those that are no lines by `prices.are_lines`.

Old files have a few typing errors, which models leave out; more than that is a column in other units.
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation."""

    name: str  # what must hold, in a few words, for the error message
    expectation: gxe.Expectation


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that a gate checks: its path, the columns that identify a row, and the checks."""

    path: Path
    keys: tuple[str, ...]
    checks: Sequence[Check]


def raw(manifest: files.RawManifest) -> list[CheckedFile]:
    """Return the checks of an export: as many rows as were exported, facts known before its `as_of`, fixtures after it,
    plausible values.

    `matches` has added the results of `batch_checks` to the frame.
    """
    return [
        CheckedFile(files.MATCHES, ("match_id",), _of_raw_matches(manifest)),
        CheckedFile(files.ODDS, ("match_id", "bookmaker", "moment"), _of_odds(manifest)),
        CheckedFile(files.LINEUPS, ("match_id", "player_id", "role"), _of_lineups(manifest)),
    ]


def _of_raw_matches(manifest: files.RawManifest) -> list[Check]:
    as_of = pd.Timestamp(manifest.as_of)
    finished, scheduled = (
        Column("status") == MatchStatus.FINISHED.value,
        Column("status") == MatchStatus.SCHEDULED.value,
    )
    return [
        Check("there are matches", gxe.ExpectTableRowCountToBeBetween(min_value=1)),
        _as_many("matches", manifest.rows),
        Check("each match is there once", _once("match_id")),
        Check(
            "a pairing is not there twice at one time",
            _once("season_id", "home_team_id", "away_team_id", "kickoff_at"),
        ),
        Check("a team does not play itself", gxe.ExpectColumnValuesToNotBeInSet(column=BETWEEN_TEAMS, value_set=[0])),
        Check("the status is a known one", _one_of("status", [status.value for status in MatchStatus])),
        Check("the precision is minute or date", _one_of("kickoff_precision", [one.value for one in KickoffPrecision])),
        Check(
            "the kick-off is a plausible time",
            _between("kickoff_at", FIRST_KICKOFF.isoformat(), (as_of + FURTHEST_FIXTURE).isoformat()),
        ),
        Check("a result is known after the kick-off", _after("known_at", "kickoff_at")),
        Check(
            "no result was known after the export's as_of",
            _between("known_at", FIRST_KICKOFF.isoformat(), as_of.isoformat(), strict_max=True),
        ),
        Check(
            "a finished match has the time when its result was known",
            gxe.ExpectColumnValuesToNotBeNull(column="known_at", row_condition=finished),
        ),
        *(
            Check(
                f"a finished match has {side} goals",
                gxe.ExpectColumnValuesToNotBeNull(column=f"{side}_goals", row_condition=finished),
            )
            for side in SIDES
        ),
        *(
            Check(
                f"a fixture has no {side} goals",
                gxe.ExpectColumnValuesToBeNull(column=f"{side}_goals", row_condition=scheduled),
            )
            for side in SIDES
        ),
        Check("a fixture is after as_of", _between("kickoff_at", as_of.isoformat(), None, row_condition=scheduled)),
        *(
            Check(f"{side} goals lie between 0 and {GOALS_LIMIT}", _between(f"{side}_goals", 0, GOALS_LIMIT))
            for side in SIDES
        ),
        *(Check(f"{name} lie between 0 and {COUNT_LIMIT}", _between(name, 0, COUNT_LIMIT)) for name in STATS),
        *_of_xg(as_of, scheduled),
        Check("the level lies between 0 and 20", _between("level", 0, 20)),
        *(Check(name, gxe.ExpectColumnValuesToNotBeInSet(column=name, value_set=[1])) for name in CHECKS),
    ]


def _of_xg(as_of: pd.Timestamp, scheduled: Condition) -> list[Check]:
    return [
        *(
            Check(f"{name} lies between 0 and {EXPECTED_GOALS_LIMIT}", _between(name, 0, EXPECTED_GOALS_LIMIT))
            for name in XG
        ),
        *(
            Check(
                f"{name} has the time when it became known",
                gxe.ExpectColumnValuesToNotBeNull(column="xg_known_at", row_condition=Column(name).is_not_null()),
            )
            for name in XG
        ),
        *(
            Check(f"a fixture has no {name}", gxe.ExpectColumnValuesToBeNull(column=name, row_condition=scheduled))
            for name in XG
        ),
        Check("expected goals are known after the kick-off", _after("xg_known_at", "kickoff_at")),
        Check(
            "no expected goals were known after the export's as_of",
            _between("xg_known_at", FIRST_KICKOFF.isoformat(), as_of.isoformat(), strict_max=True),
        ),
    ]


def _of_odds(manifest: files.RawManifest) -> list[Check]:
    return [
        _as_many("prices", manifest.odds_rows),
        Check("a price is there once", _once("match_id", "bookmaker", "moment")),
        Check("the moment is opening or closing", _one_of("moment", ["opening", "closing"])),
        *(
            Check(f"the {outcome} price lies above 1", _between(outcome, 1.0, LARGEST_PRICE, strict_min=True))
            for outcome in OUTCOMES
        ),
        Check(
            f"the inverse prices of a line sum to {LEAST_SUM} to {LARGEST_SUM}",
            _between(INVERSE, LEAST_SUM, LARGEST_SUM),
        ),
    ]


def _of_lineups(manifest: files.RawManifest) -> list[Check]:
    as_of = pd.Timestamp(manifest.as_of)
    return [
        _as_many("players", manifest.lineup_rows),
        Check("a player is there once in a part of a match", _once("match_id", "player_id", "role")),
        Check("the side is home or away", _one_of("side", SIDES)),
        Check("the role is a known one", _one_of("role", ROLES)),
        Check(
            "no line-up was known after the export's as_of",
            _between("known_at", None, as_of.isoformat(), strict_max=True),
        ),
    ]


def finished(as_of: pd.Timestamp, least_rows: int) -> list[CheckedFile]:
    """Return the checks of finished matches."""
    checks = [
        Check(f"there are at least {least_rows} matches", gxe.ExpectTableRowCountToBeBetween(min_value=least_rows)),
        Check("each match is there once", _once("match_id")),
        Check("only finished matches", _one_of("status", [MatchStatus.FINISHED.value])),
        Check("home goals are there", gxe.ExpectColumnValuesToNotBeNull(column="home_goals")),
        Check("away goals are there", gxe.ExpectColumnValuesToNotBeNull(column="away_goals")),
        Check("the moment of the result is there", gxe.ExpectColumnValuesToNotBeNull(column="known_at")),
        Check("a match is forecast before its result is known", _after("known_at", "as_of")),
        Check("a match is forecast not later than its kick-off", _after("kickoff_at", "as_of", or_equal=True)),
        Check(
            "every result was known before the export's as_of",
            _between("known_at", None, as_of.isoformat(), strict_max=True),
        ),
    ]
    return [CheckedFile(files.FINISHED, ("match_id",), checks)]


def upcoming(as_of: pd.Timestamp) -> list[CheckedFile]:
    """Return the checks of fixtures; there may be none."""
    nothing = ("home_goals", "away_goals", "known_at", *STATS, *XG, "xg_known_at")
    checks = [
        Check("each fixture is there once", _once("match_id")),
        Check("only scheduled matches", _one_of("status", [MatchStatus.SCHEDULED.value])),
        Check("a fixture is after the export's as_of", _between("kickoff_at", as_of.isoformat(), None)),
        Check("a fixture is forecast not before the export's as_of", _between("as_of", as_of.isoformat(), None)),
        Check("a fixture is forecast not later than its kick-off", _after("kickoff_at", "as_of", or_equal=True)),
        *(Check(f"a fixture has no {name}", gxe.ExpectColumnValuesToBeNull(column=name)) for name in nothing),
    ]
    return [CheckedFile(files.UPCOMING, ("match_id",), checks)]


def features(of_units: Sequence[str], required: Sequence[str], rows: int) -> list[CheckedFile]:
    """Return the checks of the features: a row for each match, and plausible values.

    `ranges` has added to the frame the smallest and largest value of each unit in `of_units`, and which features are
    in other units; the `required` features must not be missing in any row.
    """
    checks = [
        Check("there is a row for each match", gxe.ExpectTableRowCountToEqual(value=rows)),
        Check("each match is there once", _once("match_id")),
        Check("the outcome is 0, 1 or 2", _one_of("outcome", [0, 1, 2])),
        *(Check(f"{name} is there", gxe.ExpectColumnValuesToNotBeNull(column=name)) for name in required),
        *(
            Check(f"no {unit} is too {word}", _between(f"{which} {unit}", *BOUNDS.get(unit, WIDEST)))
            for unit in of_units
            for word, which in (("small", LEAST), ("large", MOST))
        ),
        Check("no feature is in other units than before", gxe.ExpectColumnValuesToBeNull(column=OTHER_UNITS)),
    ]
    return [CheckedFile(files.FEATURES, ("match_id",), checks)]


def required(catalogue: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the features that must not be missing in any row."""
    return [str(row["name"]) for row in catalogue if row["unit"] == "probability"]


def matches(path: Path, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the exported matches with the difference of both teams' ids, and 1 in rows at fault by `batch_checks`.

    Great Expectations can compare two columns too, but does so row by row, which takes seconds.
    """
    frame = files.read_frame(path)
    faults = {name: is_at_fault(frame, as_of).astype("int8") for name, is_at_fault in CHECKS.items()}
    return frame.assign(**{BETWEEN_TEAMS: frame["home_team_id"] - frame["away_team_id"]}, **faults)


def odds(path: Path) -> pd.DataFrame:
    """Return the exported prices with the sum of their inverses, which is null where a single line may be wrong."""
    frame = files.read_frame(path)
    wrong = pd.Series(~are_lines(frame), frame.index)
    share = wrong.groupby([frame["bookmaker"], frame["moment"]]).transform("mean")
    is_single = wrong & (share <= MOST_WRONG_LINES)
    return frame.assign(**{INVERSE: inverses(frame).where(~is_single)})


def ranges(path: Path, catalogue: Sequence[Mapping[str, Any]], *, not_compared: Container[str] = ()) -> pd.DataFrame:
    """Return the keys, the required features and, for each unit, the smallest and largest value of each row.

    An expectation for each of more than a thousand columns would take minutes; those of one unit share their bounds.
    Great Expectations compares 64-bit numbers at once and others one by one. The column `OTHER_UNITS` names the
    features that the latest results, or the first fixtures, have in other units; features of the families
    `not_compared` are left out there.
    """
    frame = files.read_frame(path, [*KEYS.names, *required(catalogue)])
    past, looked_at = _windows(frame)
    changed: list[list[str]] = [[] for _ in looked_at]
    compared = {str(row["name"]) for row in catalogue if row["family"] not in not_compared}
    found: dict[str, Any] = {}
    with pq.ParquetFile(path) as file:
        for unit in dict.fromkeys(str(row["unit"]) for row in catalogue):
            names = [str(row["name"]) for row in catalogue if row["unit"] == unit]
            least = most = np.full(file.metadata.num_rows, np.nan, dtype=np.float32)
            for start in range(0, len(names), COLUMNS):
                some = names[start : start + COLUMNS]
                values = np.column_stack([column.to_numpy() for column in file.read(columns=some).columns])
                for column in values.T:
                    least, most = np.fmin(least, column), np.fmax(most, column)
                sizes = units.sizes(values, [*past, *looked_at])
                for own, current in zip(changed, sizes[len(past) :], strict=True):
                    change = units.size_change(sizes[: len(past)], current)
                    own += [
                        f"{some[place]} {units.in_words(change.factors[place])}"
                        for place in np.flatnonzero(change.is_other_unit)
                        if some[place] in compared
                    ]
            found |= {f"{LEAST} {unit}": least.astype(np.float64), f"{MOST} {unit}": most.astype(np.float64)}
    in_other_units = pd.Series(None, index=frame.index, dtype=object)
    for rows, names_of in zip(looked_at, changed, strict=True):
        if names_of:
            in_other_units.iloc[rows] = "; ".join(names_of)
    return frame.assign(**found, **{OTHER_UNITS: in_other_units})


def _windows(keys: pd.DataFrame) -> tuple[list[Integers], list[Integers]]:
    """Return the rows of earlier windows, and of those that are checked: the latest results, the first fixtures."""
    order = np.lexsort((keys["match_id"], keys["as_of"]))
    has_ended = keys["outcome"].notna().to_numpy()[order]
    results, fixtures = order[has_ended], order[~has_ended]
    n = max(1, min(WINDOW, len(results) // (WINDOWS.start + 1)))
    ends = range(len(results), n - 1, -n)
    windows = [results[end - n : end] for end in ends[: WINDOWS.stop]]
    return windows[1:], [rows for rows in (*windows[:1], fixtures[:n]) if len(rows)]


def _as_many(what: str, rows: int) -> Check:
    return Check(f"there are as many {what} as were exported", gxe.ExpectTableRowCountToEqual(value=rows))


def _between(column: str, least: Any, most: Any, **more: Any) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=least, max_value=most, **more)


def _once(*columns: str) -> gxe.Expectation:
    if len(columns) == 1:
        return gxe.ExpectColumnValuesToBeUnique(column=columns[0])
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(columns))


def _one_of(column: str, values: Sequence[Any]) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(values))


def _after(later: str, earlier: str, **more: Any) -> gxe.Expectation:
    return gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A=later, column_B=earlier, ignore_row_if=EITHER, **more)
