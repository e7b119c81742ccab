"""What a family of features is, and what those share whose state is one record for each team and each competition."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import Feature
from apps.ml.forecasting.features.events import Events, Sizes, grown


class FeatureFamily(Protocol):
    """A fold: a state that observes results and describes fixtures."""

    name: str

    def features(self) -> tuple[Feature, ...]:
        """Return the columns of the family, in order."""
        ...

    def fold(self, events: Events, sizes: Sizes, out: NDArray[np.float64], first: int) -> None:
        """Walk over the events: observe every result, describe every fixture into `out`, from column `first`."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        ...

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        ...


class TeamsAndCompetitions(ABC):
    """A state of two tables, which grow as teams and competitions come.

    Parameters
    ----------
    team, competition : ndarray, shape (1,)
        The record of one that nothing is known of.
    """

    def __init__(self, team: NDArray[Any], competition: NDArray[Any]) -> None:
        self._fresh_team, self._fresh_competition = team, competition
        self._teams, self._competitions = team.copy(), competition.copy()

    def fold(self, events: Events, sizes: Sizes, out: NDArray[np.float64], first: int) -> None:
        """Walk over the events: observe every result, describe every fixture into `out`, from column `first`."""
        self._teams = grown(self._teams, self._fresh_team, sizes.teams)
        self._competitions = grown(self._competitions, self._fresh_competition, sizes.competitions)
        self._walk(events, out, first)

    @abstractmethod
    def _walk(self, events: Events, out: NDArray[np.float64], first: int) -> None:
        """Do what `fold` does, with a record for everybody whom the events name."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        return {"teams": self._teams, "competitions": self._competitions}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._teams, self._competitions = arrays["teams"], arrays["competitions"]
