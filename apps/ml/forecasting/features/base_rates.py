"""Base rates: how often home, draw and away happen in a competition, and the goals, slowly forgetting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import Feature
from apps.ml.forecasting.features.events import OBSERVE, UNSEEN, Events, Sizes, grown


class Constants(NamedTuple):
    """Numbers of the family, from ``features.base_rates`` of the parameters."""

    keep: float
    keep_all: float
    strength: float


class BaseRates:
    """Causal outcome rates and mean goals of the competition, shrunk to those of all competitions.

    The state is an array of decayed sums, shape (competitions, 5): home, draw, away, goals of home sides, goals of away
    sides. Row `UNSEEN` gathers all competitions together.

    Parameters
    ----------
    params : mapping
        ``half_life`` and ``half_life_all`` in matches, ``strength`` in matches, ``prior`` of five numbers: the rates of
        home, draw, away and the goals of both sides before anything is known.
    """

    name = "base_rates"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = Constants(
            keep=0.5 ** (1.0 / float(params["half_life"])),
            keep_all=0.5 ** (1.0 / float(params["half_life_all"])),
            strength=float(params["strength"]),
        )
        self._prior = np.array(params["prior"], dtype=np.float64)
        self._sums = np.zeros((1, 5))

    def features(self) -> tuple[Feature, ...]:
        """Return the columns of the family, in order."""
        rates = (
            ("base_home", "probability", "share of home wins in the competition"),
            ("base_draw", "probability", "share of draws in the competition"),
            ("base_away", "probability", "share of away wins in the competition"),
            ("base_goals_home", "goals per match", "mean goals of home sides in the competition"),
            ("base_goals_away", "goals per match", "mean goals of away sides in the competition"),
        )
        return tuple(
            Feature(name, self.name, "match", "competition", None, unit, meaning) for name, unit, meaning in rates
        )

    def fold(self, events: Events, sizes: Sizes, out: NDArray[np.float64], first: int) -> None:
        """Walk over the events: observe every result, describe every fixture into `out`, from column `first`."""
        self._sums = grown(self._sums, np.zeros((1, 5)), sizes.competitions)
        _fold(self._sums, self._prior, self._constants, events, out, first)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        return {"sums": self._sums}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._sums = arrays["sums"]


@njit(cache=True)
def observe(sums: NDArray[np.float64], constants: Constants, result: Any) -> None:
    """Add one result to its competition and to all together."""
    home, away = result.goals[0], result.goals[1]
    outcome = 0 if home > away else (1 if home == away else 2)
    for everywhere in range(2):
        own = sums[UNSEEN] if everywhere else sums[result.competition]
        keep = constants.keep_all if everywhere else constants.keep
        for place in range(5):
            own[place] *= keep
        own[outcome] += 1.0
        own[3] += home
        own[4] += away


@njit(cache=True)
def describe(
    sums: NDArray[np.float64], prior: NDArray[np.float64], constants: Constants, fixture: Any, out: NDArray[np.float64]
) -> None:
    """Write rates and goals; on neutral ground both sides share what home and away have together."""
    everywhere, own = sums[UNSEEN], sums[fixture.competition]
    strength = constants.strength
    known = fixture.competition != UNSEEN
    for place in range(5):
        total = everywhere[0] + everywhere[1] + everywhere[2]
        out[place] = (everywhere[place] + strength * prior[place]) / (total + strength)
        if known:
            out[place] = (own[place] + strength * out[place]) / (own[0] + own[1] + own[2] + strength)
    if fixture.neutral:
        out[0] = out[2] = (out[0] + out[2]) / 2.0
        out[3] = out[4] = (out[3] + out[4]) / 2.0


@njit(cache=True)
def _fold(
    sums: NDArray[np.float64],
    prior: NDArray[np.float64],
    constants: Constants,
    events: Events,
    out: NDArray[np.float64],
    first: int,
) -> None:
    for event in events:
        if event.kind == OBSERVE:
            observe(sums, constants, event)
        else:
            describe(sums, prior, constants, event, out[event.row, first:])
