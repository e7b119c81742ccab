"""The record of graded forecasts in numbers that a page shows, from one row for each match.

Losses become points: the probability that a forecast gave to what happened, as the geometric mean over the matches, in
percentage points above the 33.3 that guessing gives. That is ``100 * (exp(-log_loss) - 1 / 3)``.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from apps.ml.forecasting.arrays import Floats, Integers, Records
from apps.ml.forecasting.scoring import brier_each, log_loss_each, rps_each

GRADED: Final = np.dtype(
    [
        ("match", np.int64),
        ("competition", np.int64),
        ("kickoff", np.int64),
        ("outcome", np.int8),
        ("p_home", np.float64),
        ("p_draw", np.float64),
        ("p_away", np.float64),
        ("base_loss", np.float64),
        ("base_rps", np.float64),
        ("market_loss", np.float64),
        ("market_rps", np.float64),
    ]
)
"""A graded forecast: ids, kick-off in seconds of the epoch, outcome (0 home, 1 draw, 2 away), the forecast, and the
scores of base rates and market, NaN where there are none."""

P: Final = ["p_home", "p_draw", "p_away"]

INTERVAL_FROM: Final = 30
"""Fewest matches for a likely range."""

LEAST_PRICED: Final = 0.5
"""Share of the matches that must have prices for the market to be what the record is compared with."""

Z: Final = 1.96
"""Standard errors on each side of a range of 95 %."""

FAVOURITES: Final = (0.45, 0.55, 0.65)
"""Probabilities of the favourite at which its groups part."""

CALLS: Final = 3
"""Best calls, and worst ones."""

MONTHS: Final = 24
"""Most months that are shown one by one; a longer record is shown by year."""

GUESS: Final = 1.0 / 3.0

PRIOR: Final = (45.0, 27.0, 28.0)
"""Home wins, draws and away wins that a competition counts before its first match."""

DAY: Final = 86_400


def summary(rows: Records) -> dict[str, Any]:
    """Return the record of some graded forecasts, as JSON can hold it.

    Parameters
    ----------
    rows : ndarray of `GRADED`, shape (n,)
        n > 0; matches that kick off at the same moment count as correlated.

    Returns
    -------
    dict
        ``n``, ``first_at`` and ``latest_at`` (seconds), ``other`` (``market``, ``base`` or None: what the record is
        compared with), ``scores`` and ``compared`` (`_scores`), ``calibration``, ``favourites``, ``leagues``,
        ``periods`` and ``period`` (``month`` or ``year``), ``best`` and ``worst`` calls. Probabilities are shares;
        points and differences are percentage points.
    """
    p = np.column_stack([rows[name] for name in P])
    p = p / p.sum(axis=1, keepdims=True)
    y = rows["outcome"].astype(np.int64)
    own = log_loss_each(p, y)
    priced, rated = ~np.isnan(rows["market_loss"]), ~np.isnan(rows["base_loss"])
    other = "market" if priced.mean() >= LEAST_PRICED else "base" if rated.any() else None
    chosen = {"market": priced, "base": rated, None: np.zeros(len(rows), dtype=bool)}[other]
    theirs = rows["market_loss" if other == "market" else "base_loss"]
    months = rows["kickoff"].astype("datetime64[s]").astype("datetime64[M]")
    period = "month" if len(np.unique(months)) <= MONTHS else "year"
    periods = months if period == "month" else months.astype("datetime64[Y]")

    def group(name: object, here: Any) -> dict[str, Any]:
        both = here & chosen
        return (
            {"name": name, "n": int(here.sum())}
            | _favourites(p[here], y[here])
            | _difference(own[both], theirs[both], rows["kickoff"][both])
        )

    leagues = [group(int(each), rows["competition"] == each) for each in np.unique(rows["competition"])]
    return {
        "n": len(rows),
        "first_at": int(rows["kickoff"].min()),
        "latest_at": int(rows["kickoff"].max()),
        "other": other,
        "scores": _scores(p, y) | {"brier": float(brier_each(p, y).mean())},
        "compared": None if other is None else _compared(rows[chosen], p[chosen], y[chosen], own[chosen], other),
        "calibration": _calibration(p, y),
        "favourites": _favourites(p, y) | {"groups": _favourite_groups(p, y)},
        "leagues": sorted(leagues, key=lambda row: (-row["n"], row["name"])),
        "period": period,
        "periods": [group(str(each), periods == each) for each in np.unique(periods)],
    } | _calls(rows[chosen], own[chosen], theirs[chosen])


def averages_before(competition: Integers, kickoff: Integers, y: Integers) -> Floats:
    """Return the shares of home wins, draws and away wins in each match's competition on the days before it.

    Parameters
    ----------
    competition, kickoff, y : ndarray, shape (n,)
        Ids, seconds of the epoch, and outcomes, in any order.

    Returns
    -------
    ndarray of float64, shape (n, 3)
    """
    found = np.empty((len(y), 3))
    for each in np.unique(competition):
        here = np.flatnonzero(competition == each)
        days = kickoff[here] // DAY
        order = np.argsort(days, kind="stable")
        counts = np.vstack([np.zeros(3), np.cumsum(y[here][order][:, None] == np.arange(3), axis=0)]) + PRIOR
        found[here] = counts[np.searchsorted(days[order], days, side="left")]
    shares: Floats = found / found.sum(axis=1, keepdims=True)
    return shares


def points(loss: float) -> float:
    """Return a mean log loss in nats as points better than guessing."""
    return float(100.0 * (np.exp(-loss) - GUESS))


def _scores(p: Floats, y: Integers) -> dict[str, float]:
    return {"log_loss": float(log_loss_each(p, y).mean()), "rps": float(rps_each(p, y).mean())}


def _compared(rows: Records, p: Floats, y: Integers, own: Floats, other: str) -> dict[str, Any]:
    """Return the scores of all forecasters on the same matches, and the difference to the chosen one."""
    together = rows["kickoff"]
    found: dict[str, Any] = {"n": len(rows), "model": _scores(p, y) | _points(own, together)}
    guess = np.full_like(p, GUESS)
    found["guess"] = _scores(guess, y)
    for name in ("market", "base"):
        losses = rows[f"{name}_loss"]
        if not np.isnan(losses).any():
            found[name] = {"log_loss": float(losses.mean()), "rps": float(rows[f"{name}_rps"].mean())}
            found[name] |= _points(losses, together)
            found[f"to_{name}"] = _difference(own, losses, together)
    return found


def _points(losses: Floats, together: Integers) -> dict[str, float | None]:
    mean, error = mean_with_error(losses, together)
    ends = (None, None) if error is None else (points(mean + Z * error), points(mean - Z * error))
    return {"points": points(mean), "low": ends[0], "high": ends[1]}


def _difference(own: Floats, theirs: Floats, together: Integers) -> dict[str, float | None]:
    """Return how many points more a forecast gave to what happened than another, with the likely range."""
    if not own.size:
        return {"difference": None, "low": None, "high": None}
    mean, error = mean_with_error(own - theirs, together)
    reference = float(theirs.mean())

    def gained(loss: float) -> float:
        return points(reference + loss) - points(reference)

    ends = (None, None) if error is None else (gained(mean + Z * error), gained(mean - Z * error))
    return {"difference": gained(mean), "low": ends[0], "high": ends[1]}


def mean_with_error(values: Floats, together: Integers) -> tuple[float, float | None]:
    """Return a mean and its standard error over groups of correlated values; None with fewer than `INTERVAL_FROM`."""
    mean = float(values.mean())
    groups, codes = np.unique(together, return_inverse=True)
    if values.size < INTERVAL_FROM or groups.size < 2:
        return mean, None
    sums = np.bincount(codes, weights=values - mean)
    return mean, float(np.sqrt((sums**2).sum() * groups.size / (groups.size - 1)) / values.size)


def _calibration(p: Floats, y: Integers) -> list[dict[str, Any]]:
    """Return, for forecasts around 10 %, 20 % and so on, how often they came true, and the range of a perfect one.

    The range contains 95 % of the results of as many perfectly calibrated forecasts.
    """
    said, happened = p.ravel(), (y[:, None] == np.arange(3)).ravel()
    tenth = np.rint(10.0 * said).astype(np.int64)
    found = []
    for each in np.unique(tenth):
        here = said[tenth == each]
        mean, error = float(here.mean()), float(np.sqrt((here * (1.0 - here)).sum()) / here.size)
        found.append(
            {
                "said": int(10 * each),
                "mean": mean,
                "happened": float(happened[tenth == each].mean()),
                "low": max(0.0, mean - Z * error),
                "high": min(1.0, mean + Z * error),
                "n": int(here.size),
            }
        )
    return found


def _favourites(p: Floats, y: Integers) -> dict[str, Any]:
    """Return how often the most likely outcome came true, and how often that was expected."""
    return {"won": float((p.argmax(axis=1) == y).mean()), "expected": float(p.max(axis=1).mean())}


def _favourite_groups(p: Floats, y: Integers) -> list[dict[str, Any]]:
    """Return the same by how strong the favourite was; ``from`` and ``below`` are shares, None at the ends."""
    place = np.searchsorted(FAVOURITES, p.max(axis=1), side="right")
    bounds = [None, *FAVOURITES, None]
    return [
        {"from": bounds[each], "below": bounds[each + 1], "n": int((place == each).sum())}
        | _favourites(p[place == each], y[place == each])
        for each in range(len(FAVOURITES) + 1)
        if (place == each).any()
    ]


def _calls(rows: Records, own: Floats, theirs: Floats) -> dict[str, list[dict[str, Any]]]:
    """Return the matches whose outcome the forecast gave most more than the other, and most less."""
    gain = np.exp(-own) - np.exp(-theirs)
    order = np.lexsort((rows["match"], -gain))

    def shown(places: Integers) -> list[dict[str, Any]]:
        return [
            {"match": int(rows["match"][i]), "gave": float(np.exp(-own[i])), "other": float(np.exp(-theirs[i]))}
            for i in places
        ]

    better, worse = order[gain[order] > 0.0], order[gain[order] < 0.0]
    return {"best": shown(better[:CALLS]), "worst": shown(worse[::-1][:CALLS])}
