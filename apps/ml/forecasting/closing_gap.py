"""The gaps of live and of back-tested forecasts to the closing line, and how many matches show a difference.

A gap is the mean score of the forecasts less that of the closing prices on the same matches: above 0 the prices were
better. Matches that kick off at the same moment count as correlated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np

from apps.ml.forecasting.arrays import Floats, Integers, Records
from apps.ml.forecasting.record import P, mean_with_error
from apps.ml.forecasting.scoring import log_loss_each, rps_each

SCORES: Final = ("log_loss", "rps")


@dataclass(frozen=True, slots=True)
class GapTest:
    """What a difference of two gaps is tested for."""

    difference: float  # nats, the size to detect
    power: float  # probability that such a difference is detected
    level: float  # of the interval that must not contain 0

    @property
    def z(self) -> float:
        """Standard errors on each side of the interval."""
        return NormalDist().inv_cdf((1.0 + self.level) / 2.0)

    @property
    def reach(self) -> float:
        """The difference that is detected with the tested power, in standard errors."""
        return self.z + NormalDist().inv_cdf(self.power)


@dataclass(frozen=True, slots=True)
class Gaps:
    """Differences of scores, forecast less closing line, one row for each match that has closing prices."""

    log_loss: Floats  # nats, shape (n,)
    rps: Floats
    kickoffs: Integers  # seconds
    market: float  # mean log loss of the closing line; NaN without a match

    def __len__(self) -> int:
        return len(self.kickoffs)

    @classmethod
    def of(cls, rows: Records) -> Gaps:
        """Return the gaps of graded forecasts, rows of `record.GRADED`; those without closing prices are left out."""
        rows = rows[~np.isnan(rows["market_loss"])]
        if not len(rows):
            return cls(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64), math.nan)
        p = np.column_stack([rows[name] for name in P])
        p, y = p / p.sum(axis=1, keepdims=True), rows["outcome"].astype(np.int64)
        return cls(
            log_loss_each(p, y) - rows["market_loss"],
            rps_each(p, y) - rows["market_rps"],
            rows["kickoff"].astype(np.int64),
            float(rows["market_loss"].mean()),
        )


def comparison(live: Records, back_tested: Records, test: GapTest) -> dict[str, Any]:
    """Return both gaps, their difference, and the power to detect one, as values that JSON can hold.

    Parameters
    ----------
    live, back_tested : ndarray of `record.GRADED`
        Graded forecasts that were published, and those of a back-test. Either may be empty. A match that is in both
        makes them less independent, which the interval of the difference takes into account.

    Returns
    -------
    dict
        ``live`` and ``back_test``: ``n`` (with closing prices), ``of`` (all), and for ``log_loss`` and ``rps`` the mean
        with ``low`` and ``high``, None with few matches; each None without a match. ``difference``: live less
        back-tested, likewise. ``points``: nats as percentage points of the probability that was given to what happened.
        ``power``: see `power`; None without a back-test that has an interval.
    """
    own, other = Gaps.of(live), Gaps.of(back_tested)
    return {
        "live": _gap(own, len(live), test),
        "back_test": _gap(other, len(back_tested), test),
        "difference": _difference(own, other, test),
        "power": power(own, other, test),
    }


def power(live: Gaps, back_tested: Gaps, test: GapTest) -> dict[str, Any] | None:
    """Return how many matches are needed to detect a difference of the tested size.

    Returns
    -------
    dict or None
        ``difference``, ``power`` and ``level`` as tested; ``points``: the difference in percentage points; ``needed``:
        live matches in total, None when the back-tested ones are too few for any number; ``more``: those still missing;
        ``seen``: the smallest difference, in nats, that the present matches detect with this power, None without live
        ones; ``limit``: the smallest that any number of live matches would detect. None without a back-test that has an
        interval.
    """
    _, error = mean_with_error(back_tested.log_loss, back_tested.kickoffs) if len(back_tested) else (0.0, None)
    if error is None:
        return None
    spread = _spread(live, back_tested)
    needed = matches_needed(spread=spread, other_error=error, test=test)
    n = len(live)
    return {
        "difference": test.difference,
        "points": in_points(test.difference, back_tested.market),
        "power": test.power,
        "level": test.level,
        "needed": needed,
        "more": None if needed is None else max(0, needed - n),
        "seen": test.reach * math.sqrt(spread**2 / n + error**2) if n else None,
        "limit": test.reach * error,
    }


def matches_needed(*, spread: float, other_error: float, test: GapTest) -> int | None:
    """Return how many matches are needed to detect a difference of the tested size with the tested power.

    The standard error of the difference is ``sqrt(spread ** 2 / n + other_error ** 2)``, which
    may be at most the difference divided by `GapTest.reach`.

    Parameters
    ----------
    spread : float
        Standard deviation of the differences of one match.
    other_error : float
        Standard error of the other mean.

    Returns
    -------
    int or None
        None when no number is enough, because the other mean is too uncertain.
    """
    room = (test.difference / test.reach) ** 2 - other_error**2
    return None if room <= 0.0 else max(1, math.ceil(spread**2 / room))


def difference_error(own: Floats, own_groups: Integers, other: Floats, other_groups: Integers) -> float:
    """Return the standard error of the difference of two means over groups of correlated values.

    A group that occurs in both means contributes to both, because values of the same match are correlated. There must
    be at least two groups.
    """
    groups, codes = np.unique(np.concatenate([own_groups, other_groups]), return_inverse=True)
    parts = np.concatenate([(own - own.mean()) / own.size, -(other - other.mean()) / other.size])
    sums = np.bincount(codes, weights=parts)
    return float(np.sqrt((sums**2).sum() * groups.size / (groups.size - 1)))


def in_points(nats: float, market: float) -> float:
    """Return a small difference of log losses as percentage points of the probability given to what happened.

    `market` is the mean log loss around which it lies.
    """
    return float(100.0 * math.exp(-market) * nats)


def _spread(live: Gaps, back_tested: Gaps) -> float:
    """Return the standard deviation of one match, from the matches of both: few live ones give a poor estimate."""
    found = [
        (len(gaps), error)
        for gaps in (live, back_tested)
        if len(gaps) and (error := mean_with_error(gaps.log_loss, gaps.kickoffs)[1]) is not None
    ]
    # The error of a mean times the square root of its n, which includes the correlation of simultaneous matches.
    return math.sqrt(sum(n * n * error**2 for n, error in found) / sum(n for n, _ in found))


def _gap(gaps: Gaps, of: int, test: GapTest) -> dict[str, Any] | None:
    if not of:
        return None
    gap: dict[str, Any] = {"n": len(gaps), "of": of}
    for name in SCORES:
        gap[name] = None
        if len(gaps):
            mean, error = mean_with_error(getattr(gaps, name), gaps.kickoffs)
            gap[name] = _interval(mean, error, test)
    gap["points"] = in_points(gap["log_loss"]["mean"], gaps.market) if len(gaps) else None
    return gap


def _difference(own: Gaps, other: Gaps, test: GapTest) -> dict[str, Any] | None:
    if not len(own) or not len(other):
        return None
    is_sure = all(mean_with_error(gaps.log_loss, gaps.kickoffs)[1] is not None for gaps in (own, other))
    found: dict[str, Any] = {}
    for name in SCORES:
        here, there = getattr(own, name), getattr(other, name)
        error = difference_error(here, own.kickoffs, there, other.kickoffs) if is_sure else None
        found[name] = _interval(float(here.mean() - there.mean()), error, test)
    return found | {"points": in_points(found["log_loss"]["mean"], other.market)}


def _interval(mean: float, error: float | None, test: GapTest) -> Mapping[str, float | None]:
    low, high = (None, None) if error is None else (mean - test.z * error, mean + test.z * error)
    return {"mean": mean, "low": low, "high": high}
