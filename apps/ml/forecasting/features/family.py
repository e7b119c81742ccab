"""The interface of families of features, and a base class for a state with records of teams and competitions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, get_type_hints

from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.features.catalogue import Feature
from apps.ml.forecasting.features.events import Events, Sizes, grown

Constants = TypeVar("Constants")


def constants_from(params: Mapping[str, Any], kind: type[Constants]) -> Constants:
    """Return the numbers of a family: parameters of the same names, converted to the types of the fields."""
    return kind(**{name: number(params[name]) for name, number in get_type_hints(kind).items()})


class FeatureFamily(Protocol):
    """A state that observes results and computes features of fixtures."""

    name: str

    def features(self) -> tuple[Feature, ...]:
        """Return the columns of the family, in order."""
        ...

    def fold(self, events: Events, sizes: Sizes, out: Floats, first: int) -> None:
        """Observe the results and describe the fixtures, in order; fixtures write to `out` from column `first` on."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        ...

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore the state that `arrays` returned."""
        ...


class TeamsAndCompetitions(ABC):
    """A state with an array of teams and one of competitions, which grow by copies of the given first records."""

    def __init__(self, team: NDArray[Any], competition: NDArray[Any]) -> None:
        self._fresh_team, self._fresh_competition = team, competition
        self._teams, self._competitions = team.copy(), competition.copy()

    def fold(self, events: Events, sizes: Sizes, out: Floats, first: int) -> None:
        """Observe the results and describe the fixtures, in order; fixtures write to `out` from column `first` on."""
        self._teams = grown(self._teams, self._fresh_team, sizes.teams)
        self._competitions = grown(self._competitions, self._fresh_competition, sizes.competitions)
        self._fold(events, out, first)

    @abstractmethod
    def _fold(self, events: Events, out: Floats, first: int) -> None:
        """Do the work of `fold`, once the arrays have room for all teams and competitions."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        return {"teams": self._teams, "competitions": self._competitions}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore the state that `arrays` returned."""
        self._teams, self._competitions = arrays["teams"], arrays["competitions"]
