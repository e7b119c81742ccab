"""Base rates: decayed frequencies of home, draw and away in a competition, and mean goals.

These rates react slowly when something changes everywhere at once, as in 2020, when grounds were closed and home sides
won less. The recent surplus of home wins over the rates is therefore estimated over all competitions together, and
added as far as it is significant: a James-Stein estimate with a threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.features.catalogue import Feature
from apps.ml.forecasting.features.events import DESCRIBE, OBSERVE, UNSEEN, Events, Sizes, grown
from apps.ml.forecasting.kernels import njit


class BaseRateConstants(NamedTuple):
    """Numbers of the family, from ``features.base_rates`` of the parameters."""

    keep: float  # factor on the sums of a competition at each of its matches
    keep_all: float  # the same for the sums over all competitions
    keep_shift: float  # the same for the shift
    strength: float  # matches that the rates of all competitions count as, for those of one
    shift_doubt: float  # standard errors below which a shift is ignored


class BaseRateFeatures:
    """Outcome rates and mean goals of the competition so far, shrunk to those of all competitions.

    The state is an array of decayed sums, shape (competitions, 5): home, draw, away, goals of home sides, goals of away
    sides. Row `UNSEEN` has the sums over all competitions. `shift` has the decayed sums of the surplus of home wins and
    of its squares, of the weights of matches, and of the squared weights. The parameter ``prior`` has the same five
    numbers before anything is known.
    """

    name = "base_rates"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = BaseRateConstants(
            keep=0.5 ** (1.0 / float(params["half_life"])),
            keep_all=0.5 ** (1.0 / float(params["half_life_all"])),
            keep_shift=0.5 ** (1.0 / float(params["half_life_shift"])),
            strength=float(params["strength"]),
            shift_doubt=float(params["shift_doubt"]),
        )
        self._prior = np.array(params["prior"], dtype=np.float64)
        self._sums = np.zeros((1, 5))
        self._shift = np.zeros(4)

    def features(self) -> tuple[Feature, ...]:
        rates = (
            ("base_home", "probability", "share of home wins in the competition"),
            ("base_draw", "probability", "share of draws in the competition"),
            ("base_away", "probability", "share of away wins in the competition"),
            ("base_goals_home", "goals per match", "mean goals of home sides in the competition"),
            ("base_goals_away", "goals per match", "mean goals of away sides in the competition"),
            (
                "base_shift",
                "difference of shares",
                "home wins less away wins that home sides everywhere have lately won beyond the rates",
            ),
        )
        return tuple(
            Feature(name, self.name, "match", "competition", None, unit, meaning) for name, unit, meaning in rates
        )

    def fold(self, events: Events, sizes: Sizes, out: Floats, first: int) -> None:
        self._sums = grown(self._sums, np.zeros((1, 5)), sizes.competitions)
        _fold(self._sums, self._shift, self._prior, self._constants, events, out, first)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"sums": self._sums, "shift": self._shift}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._sums, self._shift = arrays["sums"], arrays["shift"]


@njit(cache=True)
def observe(
    sums: Floats, shift: Floats, prior: Floats, constants: BaseRateConstants, result: Any, rates: Floats
) -> None:
    """Add one result to its competition, to all together, and to the shift of home sides."""
    home, away = result.goals[0], result.goals[1]
    outcome = 0 if home > away else (1 if home == away else 2)
    if not result.neutral:
        _rates(sums, prior, constants, result.competition, rates)
        beyond = (1.0 if outcome == 0 else (-1.0 if outcome == 2 else 0.0)) - (rates[0] - rates[2])
        keep = constants.keep_shift
        shift[0] = keep * shift[0] + beyond
        shift[1] = keep * shift[1] + beyond**2
        shift[2] = keep * shift[2] + 1.0
        shift[3] = keep**2 * shift[3] + 1.0
    for everywhere in range(2):
        own = sums[UNSEEN] if everywhere else sums[result.competition]
        keep = constants.keep_all if everywhere else constants.keep
        for place in range(5):
            own[place] *= keep
        own[outcome] += 1.0
        own[3] += home
        own[4] += away


@njit(cache=True)
def shift_of(shift: Floats, constants: BaseRateConstants) -> float:
    """Return the recent surplus of home wins over the rates, as far as it is significant."""
    if shift[2] == 0.0:
        return 0.0
    mean = shift[0] / shift[2]
    variance = shift[1] / shift[2] * shift[3] / shift[2] ** 2
    if mean**2 <= constants.shift_doubt**2 * variance:
        return 0.0
    return mean * (1.0 - constants.shift_doubt**2 * variance / mean**2)


@njit(cache=True)
def _rates(sums: Floats, prior: Floats, constants: BaseRateConstants, competition: int, rates: Floats) -> None:
    """Write rates and goals of a competition, shrunk to those of all competitions."""
    everywhere, own = sums[UNSEEN], sums[competition]
    strength = constants.strength
    for place in range(5):
        total = everywhere[0] + everywhere[1] + everywhere[2]
        rates[place] = (everywhere[place] + strength * prior[place]) / (total + strength)
        if competition != UNSEEN:
            rates[place] = (own[place] + strength * rates[place]) / (own[0] + own[1] + own[2] + strength)


@njit(cache=True)
def describe(
    sums: Floats, shift: Floats, prior: Floats, constants: BaseRateConstants, fixture: Any, out: Floats
) -> None:
    """Write rates and goals; on neutral ground both sides have the mean of home and away."""
    _rates(sums, prior, constants, fixture.competition, out)
    out[5] = shift_of(shift, constants)
    if fixture.neutral:
        out[5] = 0.0
        out[0] = out[2] = (out[0] + out[2]) / 2.0
        out[3] = out[4] = (out[3] + out[4]) / 2.0
    moved = min(max(out[5] / 2.0, -out[0] / 2.0), out[2] / 2.0)
    out[0] += moved
    out[2] -= moved


@njit(cache=True, nogil=True)
def _fold(
    sums: Floats, shift: Floats, prior: Floats, constants: BaseRateConstants, events: Events, out: Floats, first: int
) -> None:
    rates = np.empty(5)
    for event in events:
        if event.kind == OBSERVE:
            observe(sums, shift, prior, constants, event, rates)
        elif event.kind == DESCRIBE:
            describe(sums, shift, prior, constants, event, out[event.row, first:])
