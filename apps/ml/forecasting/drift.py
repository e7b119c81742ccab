"""Drift: do recent matches, or the forecasts of them, differ from those that a model was trained on?

The method, for data and predictions:

- *Like with like.* Each match belongs to a stratum: its competition, and how far the season had come (`strata`). A
  window of matches is compared with the earlier ones in the proportions of its own strata. So a week of second
  divisions, or of August with its promoted clubs, is not taken for drift.
- *Statistic.* For each column the Jensen-Shannon distance (Lin, 1991, "Divergence measures based on the Shannon
  entropy", IEEE Transactions on Information Theory 37) between the window and the earlier matches, over bins at
  the deciles, with a bin for missing values; 0 means equal, 1 nothing in common.
- *Threshold.* The same distance of past windows of the same number of matches, one for each past day on which a match
  became known, each compared with the matches before it, with the same gap between them. Its level and spread
  standardize each column. The largest standardized distance over all columns and over the days of a week is taken for
  each past week, and the window of today is compared with the quantile of these maxima (Westfall and Young, 1993,
  "Resampling-based multiple testing"; the quantile as in Vovk et al., 2005, "Algorithmic learning in a random world").
  So the level is the share of undrifted weeks in which a daily test raises an alarm. The threshold depends on the
  number of matches, on the number of columns and on how they hang together, and needs no assumption about their
  distribution. Textbook thresholds do: a population stability index of 0.1 raises an alarm in a third or more of the
  undrifted windows of 100 matches.
- *Units.* A distance means little for a column whose past windows differ much. So a column has drifted too when its
  values are larger or smaller than in any past window by more than a factor, see `units`.

Concept drift is the excess of the log loss of graded forecasts over their entropy, which is what a calibrated
forecaster expects (as in Spiegelhalter, 1986, "Probabilistic prediction in patient management and clinical trials",
Statistics in Medicine 5, for the Brier score), compared with that of past windows of out-of-sample forecasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apps.ml.forecasting import scoring, units
from apps.ml.forecasting.arrays import Floats, Integers

WEEK: Final = 7
"""Days that share a false alarm: the test is made every day, and its level holds for all days of a week together."""

TESTS: Final = 3
"""Number of tests: of the data, of the predictions and of the concept. Each gets an equal part of the level."""

SHRINKAGE: Final = 20.0
"""Matches that all strata together count for in the distribution of one, so that a new competition has one too."""

SAMPLED: Final = 20_000
"""Matches that the bins of a column are made from."""

LEAST_DISTANCE: Final = 0.05
"""Smaller distances count as this one: too small to matter, and a column that never varied has a logarithm."""

LEAST_SPREAD: Final = 0.05
"""Smallest standard deviation of the logarithm of a distance: that of a column that hardly ever varied."""


@dataclass(frozen=True, slots=True)
class MeasuredDrift:
    """How far one column, or the log loss, lies from what was expected; it has drifted above the threshold."""

    name: str
    statistic: float  # a distance in [0, 1]; a factor where the units changed; for the log loss its excess in nats
    threshold: float
    direction: str  # in words, such as "higher"

    @property
    def is_drifted(self) -> bool:
        """Whether it lies above its threshold."""
        return self.statistic > self.threshold

    @property
    def score(self) -> float:
        """Statistic over threshold: 1 and more is drift; 0 where it is no worse than expected."""
        return max(0.0, self.statistic / self.threshold) if self.threshold > 0 else float(self.is_drifted)


@dataclass(frozen=True, slots=True)
class DriftTest:
    """The result of a test of drift; with too little data it has no measures, and the note gives the reason."""

    measured: tuple[MeasuredDrift, ...] = ()  # those that have drifted farthest first
    n: int = 0  # matches in the window
    reference: int = 0  # earlier matches
    weeks: int = 0  # past weeks that give the thresholds
    note: str = ""

    @property
    def is_drifted(self) -> bool:
        """Whether any measure has drifted."""
        return any(each.is_drifted for each in self.measured)

    @property
    def score(self) -> float:
        """The largest score of its measures."""
        return max((each.score for each in self.measured), default=0.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Windows of a history of rows in chronological order: the current one is the last, past ones lie before it."""

    n: int  # rows of a window
    lag: int  # rows between a window and the rows that it is compared with
    reference: int  # rows that the current window is compared with: the first ones
    starts: Integers  # of the past windows, in chronological order
    weeks: Integers  # of the last day of each past window, numbered by any rising numbers

    @property
    def weekly(self) -> Integers:
        """Where the first window of each week stands in `starts`."""
        return _first_of_each(self.weeks)


def strata(competitions: ArrayLike, played: ArrayLike, phases: Sequence[int]) -> Integers:
    """Return the stratum of each match: its competition and the phase of its season, numbered from 0; shape (n,).

    Parameters
    ----------
    competitions : array_like, shape (n,)
        Any labels.
    played : array_like of int, shape (n,)
        Matches that the home club had played in the season.
    phases : sequence of int
        Rising; each begins a phase after so many matches.
    """
    _, number = np.unique(np.asarray(competitions), return_inverse=True)
    phase = np.searchsorted(np.asarray(phases), np.asarray(played), side="right")
    _, found = np.unique(number * (len(phases) + 1) + phase, return_inverse=True)
    return found.astype(np.int64)


def matches_played(seasons: Integers, home: Integers, away: Integers) -> Integers:
    """Return how many matches of its season each home club had played before, by ids in chronological order; shape
    (n,).

    Parameters
    ----------
    seasons, home, away : ndarray of int, shape (n,)
        Ids of the season and of both clubs, below 2 ** 31.
    """
    sides = (np.column_stack((home, away)).astype(np.int64) + (seasons.astype(np.int64)[:, None] << 32)).ravel()
    order = np.argsort(sides, kind="stable")
    begins = np.flatnonzero(np.diff(sides[order], prepend=-1))
    earlier = np.empty(sides.size, dtype=np.int64)
    earlier[order] = np.arange(sides.size) - np.repeat(begins, np.diff(begins, append=sides.size))
    return earlier[::2]


def plan(days: Integers, trained: int, section: dict[str, Any], *, at_most: int | None = None) -> Plan | None:
    """Return the windows of a history; None where it is too short.

    Parameters
    ----------
    days : ndarray of int, shape (rows,)
        The day on which each row of the history became known, counted from 1970-01-01; not falling.
    trained : int
        How many rows, from the first on, the model was trained on.
    section : dict
        The section ``drift`` of the parameters.
    at_most : int, optional
        Rows at the end that may be the current window, where fewer than ``matches`` belong to it.
    """
    rows = len(days)
    n = min(section["matches"], rows if at_most is None else at_most)
    while n >= section["least_matches"]:
        reference = min(trained, rows - n)
        lag = rows - n - reference
        # A window is compared with ten times as many rows, so that theirs is the smaller error by far.
        first = lag + max(10 * n, section["least_reference"])
        if (reference - first) // n >= section["least_windows"]:
            ends, weeks = _past_windows(days[:reference], n, first, section)
            return Plan(n, lag, reference, ends - n, weeks)
        n = int(0.9 * n)
    return None


def compare(values: Floats, of: Integers, names: Sequence[str], made: Plan, level: float) -> DriftTest:
    """Compare the last rows of a history with the first ones, column by column.

    The measure of a column in other units is the factor, of any other column its distance.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        In the order of time; NaN where a value is missing.
    of : ndarray of int, shape (rows,)
        The stratum of each row.
    names : sequence of str
        Of the columns.
    made : Plan
        The windows.
    level : float
        Share of undrifted weeks in which any column is reported as drifted on any day.
    """
    codes, bins = _binned(values, made.reference)
    found = _distances(codes, of, bins, made)
    logs = np.log(np.maximum(found.distances, LEAST_DISTANCE))
    past, current = logs[:-1], logs[-1]
    mean, spread = past.mean(axis=0), np.maximum(past.std(axis=0, ddof=1), LEAST_SPREAD)
    limit = _quantile(np.maximum.reduceat(_standardized(past).max(axis=1), made.weekly), level)
    thresholds = np.exp(mean + limit * spread)
    change = _size_change(values, made)
    order = np.lexsort((-(current - mean) / spread, ~change.is_other_unit))
    measured = []
    for column in order:
        statistic, threshold = float(found.distances[-1, column]), float(min(thresholds[column], 1.0))
        direction = _direction(found.observed[column], found.expected[column])
        if change.is_other_unit[column]:
            factor = float(change.factors[column])
            statistic, threshold = max(factor, 1.0 / factor), float(change.limits[column])
            direction += f": {units.in_words(factor)}"
        measured.append(MeasuredDrift(names[column], statistic, threshold, direction))
    return DriftTest(tuple(measured), made.n, made.reference, len(made.weekly))


def expected_loss(p: ArrayLike) -> Floats:
    """Return the entropy of each forecast in nats, shape (n,): its expected log loss if it is calibrated."""
    forecasts = np.clip(np.asarray(p, dtype=np.float64), scoring.FLOOR, 1.0)
    entropy: Floats = -(forecasts * np.log(forecasts)).sum(axis=1)
    return entropy


def concept(
    past: tuple[ArrayLike, ArrayLike],
    days: Integers,
    live: tuple[ArrayLike, ArrayLike],
    section: dict[str, Any],
    level: float,
) -> DriftTest:
    """Compare the log loss of graded forecasts with what their probabilities and the evaluation let expect.

    Parameters
    ----------
    past, live : tuple of ndarray
        Forecasts, shape (n, 3), and outcomes, shape (n,): out of sample from the evaluation, and graded ones; both in
        the order of time.
    days : ndarray of int, shape (n,)
        The day on which each outcome of `past` became known, counted from 1970-01-01; not falling.
    section : dict
        The section ``drift`` of the parameters.
    level : float
        Share of undrifted weeks on any day of which the log loss is reported as too high.
    """
    graded, evaluated = len(np.asarray(live[1])), len(days)
    n = min(graded, section["matches"], evaluated // section["least_windows"])
    if graded < section["least_matches"]:
        return DriftTest(n=graded, note=too_few("graded forecasts", graded, section))
    if n < section["least_matches"]:
        return DriftTest(n=graded, note=f"the evaluation has {evaluated} forecasts, too few for past windows")
    before, after = (scoring.log_loss_each(p, y) - expected_loss(p) for p, y in (past, live))
    ends, weeks = _past_windows(days, n, 0, section)
    total = np.concatenate([[0.0], np.cumsum(before)])
    windows = (total[ends] - total[ends - n]) / n
    excess, usual = float(after[-n:].mean()), float(windows.mean())
    highest = np.maximum.reduceat(windows, _first_of_each(weeks))
    threshold = max(_quantile(highest, level) - usual, 1e-9)
    forecasts = np.asarray(live[0])[-n:]
    expected = float(expected_loss(forecasts).mean()) + usual
    words = f"{'worse' if excess > usual else 'no worse'}: {expected + excess - usual:.3f}, {expected:.3f} expected"
    return DriftTest((MeasuredDrift("log loss", excess - usual, threshold, words),), n, before.size, len(highest))


def too_few(what: str, n: int, section: dict[str, Any]) -> str:
    """Return the note of a test without enough rows."""
    return f"{n} {what}, fewer than {section['least_matches']}"


@dataclass(frozen=True, slots=True)
class _Distances:
    """Distances of all windows, the current one last, and the distributions of the current one."""

    distances: Floats  # (windows, columns)
    observed: Floats  # (columns, bins)
    expected: Floats


def _past_windows(days: Integers, n: int, first: int, section: dict[str, Any]) -> tuple[Integers, Integers]:
    """Return where the past windows of n rows after a first row end, in chronological order, and their weeks.

    One ends with each day. A history of too few weeks, such as that of the sandbox, in which a season lasts for days,
    has windows without a row in common instead, each of which counts as a week.
    """
    ends = np.flatnonzero(np.diff(days, append=days[-1] + 1)) + 1
    ends = ends[ends >= first + n]
    weeks = days[ends - 1] // WEEK
    if len(np.unique(weeks)) < section["least_windows"]:
        ends = np.arange(len(days), first + n - 1, -n)[::-1]
        weeks = np.arange(len(ends))
    latest = weeks >= np.unique(weeks)[-section["most_weeks"] :][0]
    return ends[latest], weeks[latest]


def _first_of_each(groups: Integers) -> Integers:
    """Return where each group of equal numbers begins."""
    return np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))


def _size_change(values: Floats, made: Plan) -> units.SizeChange:
    """Compare the sizes of the columns in the current window with those in the first window of each past week."""
    starts = [*made.starts[made.weekly], len(values) - made.n]
    found = units.sizes(values, [slice(start, start + made.n) for start in starts])
    return units.size_change(found[:-1], found[-1])


def _binned(values: Floats, reference: int) -> tuple[NDArray[np.uint8], int]:
    """Return the bin of each value, and the number of bins; the last one is of missing values.

    Deciles of the reference bound the bins and are bins themselves, so that a column with few values has one for each,
    and a constant column one for what it was.
    """
    sample = values[np.linspace(0, reference - 1, min(reference, SAMPLED)).astype(np.int64)]
    shares = np.linspace(0.0, 1.0, 11)[1:-1]
    bins = 2 * len(shares) + 2
    codes = np.empty(values.shape, dtype=np.uint8)
    for column in range(values.shape[1]):
        known = sample[:, column][np.isfinite(sample[:, column])]
        edges = np.unique(np.quantile(known, shares, method="nearest")) if known.size else np.zeros(1)
        own = values[:, column]
        code = np.searchsorted(edges, own, side="left") + np.searchsorted(edges, own, side="right")
        codes[:, column] = np.where(np.isnan(own), bins - 1, code)
    return codes, bins


def _distances(codes: NDArray[np.uint8], of: Integers, bins: int, made: Plan) -> _Distances:
    """Compare the windows in chronological order, each compared with what is before it and the lag."""
    columns = codes.shape[1]
    cells = columns * bins
    strata_count = int(of.max()) + 1
    counts, everything, known = np.zeros((strata_count, cells)), np.zeros(cells), np.zeros(strata_count)
    offset = np.arange(columns) * bins

    def add(start: int, end: int) -> None:
        for stratum in np.unique(of[start:end]):
            rows = codes[start:end][of[start:end] == stratum] + offset
            added = np.bincount(rows.ravel(), minlength=cells)
            counts[stratum] += added
            everything[:] += added
            known[stratum] += len(rows)

    def expected_of(start: int) -> Floats:
        """Return the mean of the distributions of the window's strata, each drawn to that of all rows."""
        share = np.bincount(of[start : start + made.n], minlength=strata_count) / made.n
        weights = share / (known + SHRINKAGE)
        blend: Floats = weights @ counts + weights.sum() * SHRINKAGE * everything / known.sum()
        return blend.reshape(columns, bins)

    starts = [*made.starts, len(codes) - made.n]
    distances = np.empty((len(starts), columns))
    done = 0
    for number, start in enumerate(starts):
        until = min(start - made.lag, made.reference)
        add(done, until)
        done = until
        seen = np.bincount((codes[start : start + made.n] + offset).ravel(), minlength=cells)
        observed = seen.reshape(columns, bins) / made.n
        expected = expected_of(start)
        distances[number] = _jensen_shannon(observed, expected)
    return _Distances(distances, observed, expected)


def _jensen_shannon(p: Floats, q: Floats) -> Floats:
    """Return the distance of two distributions in each row, to base 2, in [0, 1]."""
    middle = (p + q) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(each > 0.0, each * np.log2(each / middle), 0.0).sum(axis=1) for each in (p, q)]
    distance: Floats = np.sqrt(np.clip((terms[0] + terms[1]) / 2.0, 0.0, 1.0))
    return distance


def _standardized(past: Floats) -> Floats:
    """Return each row standardized by the mean and spread of the other ones, as the current window is."""
    m = len(past)
    mean = (past.sum(axis=0) - past) / (m - 1)
    square = ((past**2).sum(axis=0) - past**2) / (m - 1)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0) * (m - 1) / (m - 2))
    standardized: Floats = (past - mean) / np.maximum(spread, LEAST_SPREAD)
    return standardized


def _quantile(past: Floats, level: float) -> float:
    """Return what the next of exchangeable values exceeds with a probability of at most `level`."""
    rank = ceil((1.0 - level) * (len(past) + 1))
    return float("inf") if rank > len(past) else float(np.sort(past)[rank - 1])


def _direction(observed: Floats, expected: Floats) -> str:
    """Return in words where the values of a column went."""
    moved = np.abs(observed - expected).sum() / 2.0
    missing = observed[-1] - expected[-1]
    if abs(missing) > moved / 2.0:
        return "missing more often" if missing > 0 else "missing less often"
    # How much more often one of the window is above one of the reference than below, in [-1, 1].
    above = np.cumsum(expected[:-1]) - expected[:-1] / 2.0
    higher = 2.0 * float((observed[:-1] - expected[:-1]) @ above)
    if abs(higher) < moved / 2.0:
        return "spread differently"
    return "higher" if higher > 0 else "lower"
