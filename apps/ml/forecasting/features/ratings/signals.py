"""Attack and concession by what is counted beside goals: shots, shots on target, corners.

Each count of a side has the mean of its competition times ``exp(attack + concession)``, and every result moves both
strengths along the gradient of the Poisson likelihood: an online form of the generalised attacking performance ratings
of Wheatcroft (2020), "A profitable model for predicting the over/under market in football", Int. J. Forecasting 36,
916-932. Counts tell more of a team's strength than goals do, because there are more of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import OBSERVE, SIGNALS, Events, Sizes, grown

COUNTED: Final = ("goals", *SIGNALS)
"""What is rated, in this order."""

TEAM: Final = np.dtype(
    [
        ("attack", np.float64, (len(COUNTED),)),
        ("concession", np.float64, (len(COUNTED),)),
        ("seen", np.float64, (len(COUNTED),)),
        ("season", np.int64),
        ("level", np.int64),
    ]
)
"""State of a team: logarithms of its strengths, matches behind them, id of its latest league season and its level."""

COMPETITION: Final = np.dtype([("mean", np.float64, (2, len(COUNTED))), ("seen", np.float64, (len(COUNTED),))])
"""State of a competition: mean counts of home and away sides, matches behind them."""

NO_LEVEL: Final = 0


class Constants(NamedTuple):
    """Numbers of the family, from ``features.signals`` of the parameters."""

    mean_rate: float
    start_boost: float
    start_matches: float
    summer_matches: float
    season_pull: float
    level_step: float
    newcomer: float
    surprise_cap: float


class Signals:
    """Online attack and concession ratings on goals, shots, shots on target and corners.

    Parameters
    ----------
    params : mapping
        ``rates`` (step of each count, in the order of `COUNTED`), ``mean_rate`` (share by which the mean of a
        competition moves per match), ``start_boost`` and ``start_matches`` (a team's steps are larger by this factor at
        first, and half of it is gone after so many matches), ``summer_matches`` (a new season counts as many matches at
        most), ``season_pull`` (share of the way to the mean between two seasons), ``level_step`` (what a level higher
        takes from the attack and adds to the concession), ``newcomer`` (the same for a team without matches),
        ``surprise_cap`` (largest relative surprise that counts).
    """

    name = "signals"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._rates = np.array([float(params["rates"][counted]) for counted in COUNTED])
        self._constants = Constants(**{field: float(params[field]) for field in Constants._fields})
        self._teams = np.zeros(1, dtype=TEAM)
        self._competitions = np.zeros(1, dtype=COMPETITION)

    def features(self) -> tuple[Feature, ...]:
        """Return the columns of the family, in order."""
        rows = []
        for counted in COUNTED:
            label = counted.replace("_", " ")
            meanings: dict[Side, str] = {
                "home": f"{label} to be expected of the home side, against the mean of home sides in the competition",
                "away": f"{label} to be expected of the away side, against the mean of away sides in the competition",
                "diff": f"logarithm of the ratio of {label} to be expected, home to away",
            }
            rows += [
                Feature(f"signal_{counted}_{side}", self.name, side, "all", None, "log ratio", meaning)
                for side, meaning in meanings.items()
            ]
        return tuple(rows)

    def fold(self, events: Events, sizes: Sizes, out: NDArray[np.float64], first: int) -> None:
        """Walk over the events: observe every result, describe every fixture into `out`, from column `first`."""
        self._teams = grown(self._teams, np.zeros(1, dtype=TEAM), sizes.teams)
        self._competitions = grown(self._competitions, np.zeros(1, dtype=COMPETITION), sizes.competitions)
        _fold(self._teams, self._competitions, self._rates, self._constants, events, out, first)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        return {"teams": self._teams, "competitions": self._competitions}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._teams, self._competitions = arrays["teams"], arrays["competitions"]


@njit(cache=True)
def strength_of(team: Any, counted: int, attacking: bool, constants: Constants, event: Any) -> float:
    """Return the logarithm of a strength with which a team enters a match, after summer and a change of level."""
    sign = 1.0 if attacking else -1.0
    if team.seen[counted] == 0.0:
        return -sign * constants.newcomer
    strength = team.attack[counted] if attacking else team.concession[counted]
    if event.level > 0 and team.season != event.season:
        strength *= 1.0 - constants.season_pull
        if team.level > 0:
            strength -= sign * constants.level_step * (team.level - event.level)
    return strength


@njit(cache=True)
def observe(
    teams: NDArray[Any], competitions: NDArray[Any], rates: NDArray[np.float64], constants: Constants, result: Any
) -> None:
    """Move both teams and the means of the competition by one result, for every count that the result has."""
    competition = competitions[result.competition]
    for side in range(2):
        team = teams[result.team[side]]
        if result.level > 0 and team.season != result.season:
            for counted in range(len(COUNTED)):
                if team.seen[counted] > 0.0:
                    attack = strength_of(team, counted, True, constants, result)
                    team.concession[counted] = strength_of(team, counted, False, constants, result)
                    team.attack[counted] = attack
                    team.seen[counted] = min(team.seen[counted], constants.summer_matches)
            team.season = result.season
            team.level = result.level
    for counted in range(len(COUNTED)):
        home = result.goals[0] if counted == 0 else result.signals[0, counted - 1]
        away = result.goals[1] if counted == 0 else result.signals[1, counted - 1]
        if np.isnan(home) or np.isnan(away):
            continue
        _move(teams, competition, rates[counted], constants, result, counted, home, away)


@njit(cache=True)
def _move(
    teams: NDArray[Any],
    competition: Any,
    rate: float,
    constants: Constants,
    result: Any,
    counted: int,
    home: float,
    away: float,
) -> None:
    """Move the strengths of both teams in one count, then the means of the competition."""
    share = max(constants.mean_rate, 1.0 / (competition.seen[counted] + 1.0))
    means = competition.mean
    middle = (means[0, counted] + means[1, counted]) / 2.0
    surprises = np.zeros(2)
    for side in range(2):
        own, other = teams[result.team[side]], teams[result.team[1 - side]]
        if own.seen[counted] == 0.0:
            own.attack[counted] = strength_of(own, counted, True, constants, result)
            own.concession[counted] = strength_of(own, counted, False, constants, result)
        mean = middle if result.neutral else means[side, counted]
        attack = own.attack[counted]
        concession = strength_of(other, counted, False, constants, result)
        expected = mean * np.exp(attack + concession)
        if expected > 0.0:
            surprises[side] = min(((home if side == 0 else away) - expected) / expected, constants.surprise_cap)
    for side in range(2):
        own = teams[result.team[side]]
        step = rate * (1.0 + constants.start_boost / (1.0 + own.seen[counted] / constants.start_matches))
        own.attack[counted] += step * surprises[side]
        own.concession[counted] += step * surprises[1 - side]
        own.seen[counted] += 1.0
    if not result.neutral:
        means[0, counted] += share * (home - means[0, counted])
        means[1, counted] += share * (away - means[1, counted])
        competition.seen[counted] += 1.0


@njit(cache=True)
def describe(teams: NDArray[Any], constants: Constants, fixture: Any, out: NDArray[np.float64]) -> None:
    """Write what is to be expected of both sides in every count; NaN where neither team was ever counted."""
    home, away = teams[fixture.team[0]], teams[fixture.team[1]]
    for counted in range(len(COUNTED)):
        place = 3 * counted
        if home.seen[counted] == 0.0 and away.seen[counted] == 0.0:
            out[place] = out[place + 1] = out[place + 2] = np.nan
            continue
        out[place] = strength_of(home, counted, True, constants, fixture) + strength_of(
            away, counted, False, constants, fixture
        )
        out[place + 1] = strength_of(away, counted, True, constants, fixture) + strength_of(
            home, counted, False, constants, fixture
        )
        out[place + 2] = out[place] - out[place + 1]


@njit(cache=True)
def _fold(
    teams: NDArray[Any],
    competitions: NDArray[Any],
    rates: NDArray[np.float64],
    constants: Constants,
    events: Events,
    out: NDArray[np.float64],
    first: int,
) -> None:
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, competitions, rates, constants, event)
        else:
            describe(teams, constants, event, out[event.row, first:])
