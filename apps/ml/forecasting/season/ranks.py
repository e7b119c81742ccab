"""Places of many seasons, by the rules of `apps.matches.standings`.

Compiled kernels apply the same deciders in the same order as `standings.table`, and count the matches between level
teams again for those that are still level. Clubs that no decider separates are in the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.matches.standings import GOALS_FIRST, MUTUAL, Decider
from apps.ml.forecasting.arrays import Integers
from apps.ml.forecasting.kernels import njit

DECIDERS: Final = tuple(Decider)
"""Codes of the deciders in the kernels; the mutual ones come last."""

_GOAL_DIFFERENCE: Final = DECIDERS.index(Decider.GOAL_DIFFERENCE)
_GOALS_FOR: Final = DECIDERS.index(Decider.GOALS_FOR)
_WINS: Final = DECIDERS.index(Decider.WINS)
_AWAY_GOALS: Final = DECIDERS.index(Decider.AWAY_GOALS)
_MUTUAL_POINTS: Final = DECIDERS.index(Decider.MUTUAL_POINTS)
_MUTUAL_GOAL_DIFFERENCE: Final = DECIDERS.index(Decider.MUTUAL_GOAL_DIFFERENCE)
_FIRST_MUTUAL: Final = min(DECIDERS.index(decider) for decider in MUTUAL)


def rank(
    *,
    clubs: int,
    played: Integers,
    fixtures: Integers,
    scores: NDArray[np.int8],
    rule: Sequence[Decider] = GOALS_FIRST,
    win: int = 3,
    deductions: Integers | None = None,
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return the place, from 1, and the points of each club in each season, shape (seasons, clubs) both.

    Parameters
    ----------
    scores : ndarray of int8, shape (seasons, fixtures, 2)
        Goals of home and away; the other parameters are those of `simulate`.
    """
    past = np.ascontiguousarray(played, dtype=np.int64).reshape(-1, 4)
    matches = np.ascontiguousarray(fixtures, dtype=np.int64).reshape(-1, 2)
    met = np.zeros((clubs, clubs), dtype=np.int64)
    np.add.at(met, (past[:, 0], past[:, 1]), 1)
    np.add.at(met, (matches[:, 0], matches[:, 1]), 1)
    taken = np.zeros(clubs, dtype=np.int64) if deductions is None else np.asarray(deductions, dtype=np.int64)
    codes = np.array([DECIDERS.index(decider) for decider in rule], dtype=np.int64)
    places = np.empty((len(scores), clubs), dtype=np.int16)
    points = np.empty((len(scores), clubs), dtype=np.int16)
    _rank(past, matches, scores, met, codes, win, taken, places, points)
    return places, points


@njit(cache=True)
def _count(
    home: int, away: int, scored: int, conceded: int, win: int, points: Integers, own: Integers, between: Integers
) -> None:
    """Add one result to the sums of both clubs and to those of their meetings."""
    own[_GOAL_DIFFERENCE, home] += scored - conceded
    own[_GOAL_DIFFERENCE, away] += conceded - scored
    own[_GOALS_FOR, home] += scored
    own[_GOALS_FOR, away] += conceded
    own[_AWAY_GOALS, away] += conceded
    between[1, home, away] += scored
    between[1, away, home] += conceded
    if scored > conceded:
        own[_WINS, home] += 1
        points[home] += win
        between[0, home, away] += win
    elif scored < conceded:
        own[_WINS, away] += 1
        points[away] += win
        between[0, away, home] += win
    else:
        points[home] += 1
        points[away] += 1
        between[0, home, away] += 1
        between[0, away, home] += 1


@njit(cache=True)
def _all_have_met(order: Integers, first: int, end: int, met: Integers) -> bool:
    """Return whether each pair of the clubs from `first` to before `end` has met equally often at each home."""
    meetings = met[order[first], order[first + 1]]
    if meetings == 0:
        return False
    for one in range(first, end):
        for other in range(first, end):
            if one != other and met[order[one], order[other]] != meetings:
                return False
    return True


@njit(cache=True)
def _mutual(decider: int, order: Integers, first: int, end: int, between: Integers, values: Integers) -> None:
    """Write the decider's value of each level club, from the matches between them."""
    for one in range(first, end):
        club, found = order[one], 0
        for other in range(first, end):
            rival = order[other]
            if decider == _MUTUAL_POINTS:
                found += between[0, club, rival]
            elif decider == _MUTUAL_GOAL_DIFFERENCE:
                found += between[1, club, rival] - between[1, rival, club]
            else:
                found += between[1, club, rival]
        values[club] = found


@njit(cache=True)
def _sort(order: Integers, first: int, end: int, values: Integers) -> bool:
    """Put clubs in the order of their values, the highest first, level ones as they were; return whether any differ."""
    for place in range(first + 1, end):
        club = order[place]
        at = place
        while at > first and values[order[at - 1]] < values[club]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = club
    return bool(values[order[first]] != values[order[end - 1]])


@njit(cache=True)
def _push(order: Integers, first: int, end: int, values: Integers, rest: int, todo: Integers, size: int) -> int:
    """Push the groups of clubs that are still level; return the new number of groups."""
    start = first
    for place in range(first + 1, end + 1):
        if place == end or values[order[place]] != values[order[start]]:
            if place - start > 1:
                todo[size, 0] = start
                todo[size, 1] = place
                todo[size, 2] = rest
                size += 1
            start = place
    return size


@njit(cache=True)
def _separate(
    order: Integers, rule: Integers, own: Integers, between: Integers, met: Integers, values: Integers, todo: Integers
) -> None:
    """Separate the pushed groups of level clubs, as `standings.table` does."""
    size = todo[-1, 0]
    while size > 0:
        size -= 1
        first, end, begin = todo[size, 0], todo[size, 1], todo[size, 2]
        counts = False
        for position in range(begin, rule.size):
            counts = counts or rule[position] >= _FIRST_MUTUAL
        counts = counts and _all_have_met(order, first, end, met)
        for position in range(begin, rule.size):
            decider = rule[position]
            is_mutual = decider >= _FIRST_MUTUAL
            if is_mutual and not counts:
                continue
            if is_mutual:
                _mutual(decider, order, first, end, between, values)
            else:
                for place in range(first, end):
                    values[order[place]] = own[decider, order[place]]
            if _sort(order, first, end, values):
                size = _push(order, first, end, values, begin if is_mutual else position + 1, todo, size)
                break


@njit(cache=True)
def _rank(
    played: Integers,
    fixtures: Integers,
    scores: NDArray[np.int8],
    met: Integers,
    rule: Integers,
    win: int,
    deductions: Integers,
    places: NDArray[np.int16],
    final: NDArray[np.int16],
) -> None:
    """Write the table of every season."""
    clubs = met.shape[0]
    base_points, base_own = -deductions, np.zeros((_FIRST_MUTUAL, clubs), dtype=np.int64)
    base_between = np.zeros((2, clubs, clubs), dtype=np.int64)
    for match in range(played.shape[0]):
        home, away, scored, conceded = played[match]
        _count(home, away, scored, conceded, win, base_points, base_own, base_between)
    order, values = np.empty(clubs, dtype=np.int64), np.empty(clubs, dtype=np.int64)
    # Groups never overlap, so that half as many as clubs can wait; the last row holds how many do.
    todo = np.zeros((clubs + 2, 3), dtype=np.int64)
    for season in range(scores.shape[0]):
        points, own, between = base_points.copy(), base_own.copy(), base_between.copy()
        for match in range(fixtures.shape[0]):
            scored, conceded = int(scores[season, match, 0]), int(scores[season, match, 1])
            _count(fixtures[match, 0], fixtures[match, 1], scored, conceded, win, points, own, between)
        for club in range(clubs):
            order[club] = club
        if clubs > 1:
            _sort(order, 0, clubs, points)
            todo[-1, 0] = _push(order, 0, clubs, points, 0, todo, 0)
            _separate(order, rule, own, between, met, values, todo)
        for place in range(clubs):
            places[season, order[place]] = place + 1
            final[season, order[place]] = points[order[place]]
