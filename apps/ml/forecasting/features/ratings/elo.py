"""Elo with the goal margin and a home edge that each competition learns.

The change of a rating is ``k0 * (1 + |margin|) ** margin_power * (score - expected)``, as Hvattum and Arntzen (2010),
"Using ELO ratings for match result prediction in association football", Int. J. Forecasting 26, 460-470.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import OBSERVE, Block, Sizes


class State(NamedTuple):
    """Ratings of teams; mean rating, observed matches and home edge of competitions (Elo points)."""

    rating: NDArray[np.float64]
    played: NDArray[np.int64]
    season: NDArray[np.int64]
    mean: NDArray[np.float64]
    matches: NDArray[np.int64]
    edge: NDArray[np.float64]


class Constants(NamedTuple):
    """Numbers of the family, from ``features.elo`` of the parameters."""

    base: float
    level_gap: float
    newcomer_gap: float
    settled_matches: int
    k0: float
    margin_power: float
    home_edge: float
    edge_rate: float
    mean_rate: float
    season_pull: float


class Elo:
    """Elo ratings over all competitions at once.

    Parameters
    ----------
    params : mapping
        ``base`` (points of an unknown team of the first level), ``level_gap`` (points lower per level),
        ``newcomer_gap`` (points below the mean of a competition that has seen ``settled_matches``), ``k0``,
        ``margin_power``, ``home_edge`` (points at the start) and ``edge_rate`` (points per unexpected result),
        ``mean_rate`` (share by which the mean of a competition moves per match), ``season_pull`` (share of the way to
        the mean of the competition that a rating goes between two seasons).
    """

    name = "elo"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = Constants(
            base=float(params["base"]),
            level_gap=float(params["level_gap"]),
            newcomer_gap=float(params["newcomer_gap"]),
            settled_matches=int(params["settled_matches"]),
            k0=float(params["k0"]),
            margin_power=float(params["margin_power"]),
            home_edge=float(params["home_edge"]),
            edge_rate=float(params["edge_rate"]),
            mean_rate=float(params["mean_rate"]),
            season_pull=float(params["season_pull"]),
        )
        self._state = self._fresh(1, 1)

    def _fresh(self, teams: int, competitions: int) -> State:
        return State(
            rating=np.zeros(teams),
            played=np.zeros(teams, dtype=np.int64),
            season=np.zeros(teams, dtype=np.int64),
            mean=np.zeros(competitions),
            matches=np.zeros(competitions, dtype=np.int64),
            edge=np.full(competitions, self._constants.home_edge),
        )

    def features(self) -> tuple[Feature, ...]:
        """Return the columns of the family, in order."""
        rows: tuple[tuple[str, Side, str, str], ...] = (
            ("elo_home", "home", "points", "Elo rating of the home side"),
            ("elo_away", "away", "points", "Elo rating of the away side"),
            ("elo_diff", "diff", "points", "Elo rating of the home side with its home edge, minus the away side's"),
            ("elo_edge", "match", "points", "home edge of the competition, 0 on neutral ground"),
            ("elo_expected", "match", "score", "expected score of the home side, a draw counting one half"),
            ("elo_matches_home", "home", "matches", "observed matches of the home side"),
            ("elo_matches_away", "away", "matches", "observed matches of the away side"),
        )
        return tuple(Feature(name, self.name, side, "all", None, unit, meaning) for name, side, unit, meaning in rows)

    def fold(self, block: Block, sizes: Sizes, out: NDArray[np.float64]) -> None:
        """Walk over the events: observe every result, describe every fixture into its row of `out`."""
        more_teams = sizes.teams - self._state.rating.size
        more_competitions = sizes.competitions - self._state.mean.size
        if more_teams > 0 or more_competitions > 0:
            fresh = self._fresh(more_teams, more_competitions)
            self._state = State(*(np.concatenate(pair) for pair in zip(self._state, fresh, strict=True)))
        _fold(self._state, self._constants, block, out)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        return self._state._asdict()

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._state = State(**arrays)


@njit(cache=True)
def rating_of(state: State, constants: Constants, team: int, competition: int, level: int, season: int) -> float:
    """Return the rating with which a team enters a match of a competition."""
    at_start = constants.base - constants.level_gap * (max(level, 1) - 1)
    mean = state.mean[competition] if state.matches[competition] > 0 else at_start
    if state.played[team] == 0:
        return mean - constants.newcomer_gap if state.matches[competition] >= constants.settled_matches else mean
    rating = state.rating[team]
    if level > 0 and state.season[team] != season and state.matches[competition] > 0:
        rating += constants.season_pull * (mean - rating)
    return rating


@njit(cache=True)
def expected_score(difference: float) -> float:
    """Return the expected score of the side that is `difference` points ahead, in [0, 1]."""
    return 1.0 / (1.0 + 10.0 ** (-difference / 400.0))


@njit(cache=True)
def observe(state: State, constants: Constants, block: Block, event: int) -> None:
    """Move both ratings, and the mean and the home edge of the competition, by one result."""
    home, away, competition = block.home[event], block.away[event], block.competition[event]
    level, season = block.level[event], block.season[event]
    rating_home = rating_of(state, constants, home, competition, level, season)
    rating_away = rating_of(state, constants, away, competition, level, season)
    edge = 0.0 if block.neutral[event] else state.edge[competition]
    margin = block.home_goals[event] - block.away_goals[event]
    score = 1.0 if margin > 0.0 else (0.5 if margin == 0.0 else 0.0)
    surprise = score - expected_score(rating_home + edge - rating_away)
    step = constants.k0 * (1.0 + abs(margin)) ** constants.margin_power * surprise
    middle = (rating_home + rating_away) / 2.0
    if state.matches[competition] == 0:
        state.mean[competition] = middle
    state.mean[competition] += constants.mean_rate * (middle - state.mean[competition])
    state.matches[competition] += 1
    if not block.neutral[event]:
        state.edge[competition] += constants.edge_rate * surprise
    state.rating[home] = rating_home + step
    state.rating[away] = rating_away - step
    state.played[home] += 1
    state.played[away] += 1
    if level > 0:
        state.season[home] = season
        state.season[away] = season


@njit(cache=True)
def describe(state: State, constants: Constants, block: Block, event: int, out: NDArray[np.float64]) -> None:
    """Write ratings, their difference with the home edge, and the expected score."""
    home, away, competition = block.home[event], block.away[event], block.competition[event]
    level, season = block.level[event], block.season[event]
    edge = 0.0 if block.neutral[event] else state.edge[competition]
    out[0] = rating_of(state, constants, home, competition, level, season)
    out[1] = rating_of(state, constants, away, competition, level, season)
    out[2] = out[0] + edge - out[1]
    out[3] = edge
    out[4] = expected_score(out[2])
    out[5] = state.played[home]
    out[6] = state.played[away]


@njit(cache=True)
def _fold(state: State, constants: Constants, block: Block, out: NDArray[np.float64]) -> None:
    for event in range(block.kind.size):
        if block.kind[event] == OBSERVE:
            observe(state, constants, block, event)
        else:
            describe(state, constants, block, event, out[block.row[event]])
