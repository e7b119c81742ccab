"""Prices of the simulated bookmakers: true probabilities with noise, less of it at closing, and a margin of 3 to 7 %.

There are six bookmakers; two are quoted by name, `Avg` and `Max` are over all six. The margin is higher on outsiders
than on favourites (all probabilities are raised to one power below 1), so that the power method removes it exactly.
Asian handicaps are not quoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.matches.records import Moment, OddsRecord
from apps.scraping.sandbox.timetable import MATCHES_PER_SEASON, Floats

TRUTH: Final = "TRUE"
"""Code under which the true probabilities are quoted as prices without a margin."""
SHARP: Final = "PS"
SOFT: Final = "B365"
AVERAGE: Final = "Avg"
HIGHEST: Final = "Max"

# Lowest and highest margin of each bookmaker; `PS` and `B365` first, the others unnamed.
MARGINS: Final = np.array([(0.035, 0.041), (0.055, 0.063), (0.045, 0.06), (0.045, 0.06), (0.05, 0.063), (0.055, 0.065)])
SHARED_ERROR: Final = {Moment.OPENING: 0.10, Moment.CLOSING: 0.045}
"""Standard deviation of the error that all bookmakers share, in log odds."""
OWN_ERROR: Final = 0.006
OWN_ERROR_LIMIT: Final = 0.0125
"""Largest error of a single bookmaker; with these margins, no bet at `Max` is a sure win."""
LOWEST_PRICE: Final = 1.01
NEWTON_STEPS: Final = 8


@dataclass(frozen=True, slots=True)
class View:
    """Probabilities on which prices are based: outcomes (n, 3) and three goals or more (n,)."""

    outcomes: Floats
    over: Floats


class SimulatedMarket:
    """The quotes for all matches of one season, in the order of the fixture list.

    Parameters
    ----------
    opening, truth : View
        Probabilities with the strengths known at opening, and the true ones at kick-off.
    """

    def __init__(self, opening: View, truth: View, rng: np.random.Generator) -> None:
        self._prices = {
            Moment.OPENING: _named_prices(opening, Moment.OPENING, rng),
            Moment.CLOSING: _named_prices(truth, Moment.CLOSING, rng),
        }
        self._made: dict[tuple[int, Moment], tuple[OddsRecord, ...]] = {}
        self._prices[Moment.CLOSING][TRUTH] = np.column_stack(
            (1.0 / truth.outcomes, 1.0 / truth.over, 1.0 / (1.0 - truth.over))
        )

    def quotes(self, match: int, moment: Moment) -> tuple[OddsRecord, ...]:
        """Return the quotes for one match: four bookmakers, and at closing `TRUTH` as a fifth."""
        made = self._made.get((match, moment))
        if made is None:
            made = self._made[match, moment] = tuple(
                OddsRecord(bookmaker, moment, *prices[match].tolist())
                for bookmaker, prices in self._prices[moment].items()
            )
        return made


def power_margin(probabilities: Floats, margin: Floats) -> Floats:
    """Raise each row of probabilities to the power with which it sums to 1 + margin.

    Parameters
    ----------
    probabilities : array of float64, shape (..., k)
        Rows that sum to 1.
    margin : array of float64, shape (...)
    """
    logs = np.log(probabilities)
    power = np.ones_like(margin)
    for _ in range(NEWTON_STEPS):
        raised = np.exp(power[..., None] * logs)
        power = power - (raised.sum(axis=-1) - 1.0 - margin) / (raised * logs).sum(axis=-1)
    result: Floats = np.exp(power[..., None] * logs)
    return result


def _named_prices(view: View, moment: Moment, rng: np.random.Generator) -> dict[str, Floats]:
    """Return each bookmaker's prices of home, draw, away, over and under, shape (528, 5)."""
    low, high = MARGINS[:, :1], MARGINS[:, 1:]
    margin = low + (high - low) * rng.random((len(MARGINS), MATCHES_PER_SEASON))
    two_way = np.column_stack((view.over, 1.0 - view.over))
    prices = np.concatenate(
        [_prices(_believed(shares, moment, rng), margin) for shares in (view.outcomes, two_way)], axis=2
    )
    return {SOFT: prices[1], SHARP: prices[0], AVERAGE: prices.mean(axis=0).round(2), HIGHEST: prices.max(axis=0)}


def _believed(shares: Floats, moment: Moment, rng: np.random.Generator) -> Floats:
    """Return the probabilities that each bookmaker assumes, shape (6, n, k)."""
    shared = rng.normal(0.0, SHARED_ERROR[moment], shares.shape)
    own = np.clip(rng.normal(0.0, OWN_ERROR, (len(MARGINS), *shares.shape)), -OWN_ERROR_LIMIT, OWN_ERROR_LIMIT)
    believed = np.exp(np.log(shares) + shared + own)
    normalised: Floats = believed / believed.sum(axis=-1, keepdims=True)
    return normalised


def _prices(believed: Floats, margin: Floats) -> Floats:
    prices: Floats = np.maximum((1.0 / power_margin(believed, margin)).round(2), LOWEST_PRICE)
    return prices
