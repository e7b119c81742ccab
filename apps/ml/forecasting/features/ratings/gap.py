"""Generalised attacking performance ratings: what a team produces and concedes, at home and away.

After Wheatcroft (2020), "A profitable model for predicting the over/under market in football", Int. J. Forecasting 36,
916-932, with three additions: each count is divided by the mean of its competition, so that leagues in which more is
counted do not stand higher; a rating is kept between levels relative to the mean of the competition; new teams begin
below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from apps.ml.forecasting.arrays import Floats, Records
from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import DESCRIBE, OBSERVE, Events
from apps.ml.forecasting.features.family import TeamsAndCompetitions, constants_from
from apps.ml.forecasting.features.ratings.counts import ATTACK, CONCESSION, COUNTED, GOALS, count_of, update_means
from apps.ml.forecasting.kernels import njit

TEAM: Final = np.dtype([("rating", np.float64, (len(COUNTED), 2, 2)), ("played", np.int64), ("season", np.int64)])
"""State of a team: ratings by count, venue (home, away) and kind (attack, concession), observed matches, id of its
latest league season."""

COMPETITION: Final = np.dtype(
    [
        ("mean", np.float64, (2, len(COUNTED))),
        ("seen", np.float64, (len(COUNTED),)),
        ("rating", np.float64, (len(COUNTED), 2)),
        ("played", np.int64),
    ]
)
"""State of a competition: mean counts of home and away sides, matches behind them, mean attack and concession."""


class GapConstants(NamedTuple):
    """Numbers of the family, from ``features.gap`` of the parameters."""

    other_venue: float  # step at the other venue, as a share
    mean_rate: float  # least share by which the mean counts of a competition move per match
    level_rate: float  # the same of its mean ratings
    level_gap: float  # how far a level lower lies below, before its competition has a mean
    newcomer: float  # the same of an unknown team in a competition that has seen `settled_matches`
    settled_matches: int
    season_pull: float  # share of the way to the mean between two seasons
    surprise_cap: float  # largest surprise that counts, in means of the competition


class GapRatings(TeamsAndCompetitions):
    """Attack and concession ratings, at home and away, on goals, shots, shots on target and corners.

    The parameter ``rates`` has the step of each of `COUNTED`.
    """

    name = "gap"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._rates = np.array([float(params["rates"][counted]) for counted in COUNTED])
        self._constants = constants_from(params, GapConstants)
        super().__init__(np.zeros(1, dtype=TEAM), np.zeros(1, dtype=COMPETITION))

    def features(self) -> tuple[Feature, ...]:
        rows = []
        for counted in COUNTED:
            label = counted.replace("_", " ")
            meanings: dict[Side, str] = {
                "home": f"{label} to be expected of the home side, less the mean of home sides, in means",
                "away": f"{label} to be expected of the away side, less the mean of away sides, in means",
                "diff": f"home minus away: {label} to be expected, in means of the competition",
            }
            rows += [
                Feature(f"gap_{counted}_{side}", self.name, side, "all", None, "share of the mean", meaning)
                for side, meaning in meanings.items()
            ]
        return tuple(rows)

    def _fold(self, events: Events, out: Floats, first: int) -> None:
        _fold(self._teams, self._competitions, self._rates, self._constants, events, out, first)


@njit(cache=True)
def level_of(competition: Any, counted: int, kind: int, constants: GapConstants, event: Any) -> float:
    """Return the mean rating of the sides of a competition, in means of a count."""
    if competition.played > 0:
        return competition.rating[counted, kind]
    sign = 1.0 if kind == ATTACK else -1.0
    return -sign * constants.level_gap * (max(event.level, 1) - 1)


@njit(cache=True)
def rating_of(
    team: Any, competition: Any, counted: int, venue: int, kind: int, constants: GapConstants, event: Any
) -> float:
    """Return the rating of a team before a match."""
    level = level_of(competition, counted, kind, constants, event)
    if team.played == 0:
        sign = 1.0 if kind == ATTACK else -1.0
        return level - sign * constants.newcomer if competition.played >= constants.settled_matches else level
    rating = team.rating[counted, venue, kind]
    if event.level > 0 and team.season != event.season:
        rating += constants.season_pull * (level - rating)
    return rating


@njit(cache=True)
def expected(teams: Records, competition: Any, counted: int, side: int, constants: GapConstants, event: Any) -> float:
    """Return what to expect of a side less the mean of such sides, in means of the count."""
    own, other = teams[event.team[side]], teams[event.team[1 - side]]
    if event.neutral:
        attack = concession = 0.0
        for venue in range(2):
            attack += rating_of(own, competition, counted, venue, ATTACK, constants, event) / 2.0
            concession += rating_of(other, competition, counted, venue, CONCESSION, constants, event) / 2.0
    else:
        attack = rating_of(own, competition, counted, side, ATTACK, constants, event)
        concession = rating_of(other, competition, counted, 1 - side, CONCESSION, constants, event)
    attack -= level_of(competition, counted, ATTACK, constants, event)
    concession -= level_of(competition, counted, CONCESSION, constants, event)
    return attack + concession


@njit(cache=True)
def observe(
    teams: Records, competitions: Records, rates: Floats, constants: GapConstants, result: Any, entering: Floats
) -> None:
    """Update the ratings of both teams and the means of the competition by a result."""
    competition = competitions[result.competition]
    for counted in range(len(COUNTED)):
        home, away = count_of(result, 0, counted), count_of(result, 1, counted)
        is_counted = not (np.isnan(home) or np.isnan(away))
        source = counted if is_counted else GOALS
        if not is_counted:
            home, away = result.goals[0], result.goals[1]
        for side in range(2):
            for venue in range(2):
                for kind in range(2):
                    entering[side, venue, kind] = rating_of(
                        teams[result.team[side]], competition, counted, venue, kind, constants, result
                    )
        if competition.seen[source] > 0.0:
            for side in range(2):
                mean = competition.mean[side, source]
                if result.neutral:
                    mean = (competition.mean[0, source] + competition.mean[1, source]) / 2.0
                found = expected(teams, competition, counted, side, constants, result)
                share = (home if side == 0 else away) / max(mean, 1e-3)
                step = rates[source] * min(share - 1.0 - found, constants.surprise_cap)
                for venue in range(2):
                    part = step if venue == side else constants.other_venue * step
                    entering[side, venue, ATTACK] += part
                    part = step if venue == 1 - side else constants.other_venue * step
                    entering[1 - side, venue, CONCESSION] += part
        _store(teams, competition, counted, constants, result, entering)
    update_means(competition, constants.mean_rate, result)
    for side in range(2):
        team = teams[result.team[side]]
        team.played += 1
        if result.level > 0:
            team.season = result.season


@njit(cache=True)
def _store(
    teams: Records, competition: Any, counted: int, constants: GapConstants, result: Any, entering: Floats
) -> None:
    """Store the ratings of both teams, and move the mean ratings of the competition towards theirs."""
    rate = max(constants.level_rate, 1.0 / (competition.played + 1.0))
    for kind in range(2):
        middle = 0.0
        for side in range(2):
            team = teams[result.team[side]]
            for venue in range(2):
                team.rating[counted, venue, kind] = entering[side, venue, kind]
                middle += entering[side, venue, kind] / 4.0
        level = level_of(competition, counted, kind, constants, result)
        competition.rating[counted, kind] = level + rate * (middle - level)


@njit(cache=True)
def describe(teams: Records, competitions: Records, constants: GapConstants, fixture: Any, out: Floats) -> None:
    """Write what is to be expected of both sides in every count."""
    competition = competitions[fixture.competition]
    for counted in range(len(COUNTED)):
        out[3 * counted] = expected(teams, competition, counted, 0, constants, fixture)
        out[3 * counted + 1] = expected(teams, competition, counted, 1, constants, fixture)
        out[3 * counted + 2] = out[3 * counted] - out[3 * counted + 1]


@njit(cache=True, nogil=True)
def _fold(
    teams: Records,
    competitions: Records,
    rates: Floats,
    constants: GapConstants,
    events: Events,
    out: Floats,
    first: int,
) -> None:
    entering = np.zeros((2, 2, 2))
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, competitions, rates, constants, event, entering)
        elif event.kind == DESCRIBE:
            describe(teams, competitions, constants, event, out[event.row, first:])
