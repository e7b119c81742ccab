"""Base rates: how often home, draw and away happen in a competition, and the goals, slowly forgetting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import Feature
from apps.ml.forecasting.features.events import OBSERVE, UNSEEN, Block, Sizes


class State(NamedTuple):
    """Decayed sums, a row a competition: home, draw, away, goals of the home side, goals of the away side.

    Row `UNSEEN` gathers all competitions together; a competition is shrunk towards it.
    """

    sums: NDArray[np.float64]


class Constants(NamedTuple):
    """Numbers of the family, from ``features.base_rates`` of the parameters."""

    keep: float
    keep_all: float
    strength: float
    prior: NDArray[np.float64]


class BaseRates:
    """Causal outcome rates and mean goals of the competition, shrunk to those of all competitions.

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
            prior=np.array(params["prior"], dtype=np.float64),
        )
        self._state = State(np.zeros((1, 5)))

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

    def fold(self, block: Block, sizes: Sizes, out: NDArray[np.float64]) -> None:
        """Walk over the events: observe every result, describe every fixture into its row of `out`."""
        missing = sizes.competitions - len(self._state.sums)
        if missing > 0:
            self._state = State(np.concatenate((self._state.sums, np.zeros((missing, 5)))))
        _fold(self._state, self._constants, block, out)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        return self._state._asdict()

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._state = State(**arrays)


@njit(cache=True)
def observe(state: State, constants: Constants, block: Block, event: int) -> None:
    """Add one result to its competition and to all together."""
    goals_home, goals_away = block.home_goals[event], block.away_goals[event]
    outcome = 0 if goals_home > goals_away else (1 if goals_home == goals_away else 2)
    for which in range(2):
        slot = block.competition[event] if which == 0 else UNSEEN
        keep = constants.keep if which == 0 else constants.keep_all
        sums = state.sums[slot]
        for place in range(5):
            sums[place] *= keep
        sums[outcome] += 1.0
        sums[3] += goals_home
        sums[4] += goals_away


@njit(cache=True)
def describe(state: State, constants: Constants, block: Block, event: int, out: NDArray[np.float64]) -> None:
    """Write rates and goals; on neutral ground both sides share what home and away have together."""
    everything = state.sums[UNSEEN]
    total = everything[0] + everything[1] + everything[2]
    slot = block.competition[event]
    own = state.sums[slot]
    matches = own[0] + own[1] + own[2] if slot != UNSEEN else 0.0
    for place in range(5):
        wide = (everything[place] + constants.strength * constants.prior[place]) / (total + constants.strength)
        near = own[place] if slot != UNSEEN else 0.0
        out[place] = (near + constants.strength * wide) / (matches + constants.strength)
    if block.neutral[event]:
        out[0] = out[2] = (out[0] + out[2]) / 2.0
        out[3] = out[4] = (out[3] + out[4]) / 2.0


@njit(cache=True)
def _fold(state: State, constants: Constants, block: Block, out: NDArray[np.float64]) -> None:
    for event in range(block.kind.size):
        if block.kind[event] == OBSERVE:
            observe(state, constants, block, event)
        else:
            describe(state, constants, block, event, out[block.row[event]])
