"""Monte-Carlo of the rest of a season: scorelines are drawn, and the competition's own rules make the table.

Every match keeps its calibrated home, draw and away probabilities, and its scorelines are those of its grid, in which
10 goals stand for 10 and more. What matches of one club share is the doubt about its strength: in each simulated season
every club has a shock of its own, a normal number in log-odds of home against away, and the probabilities of a match
are tilted by the difference of the two. They are tilted around a centre that makes their mean over all seasons the
calibrated probabilities again, so that the doubt makes seasons wider and moves no single match.

Places are those of `apps.matches.standings.table`, season for season: compiled kernels walk through the same deciders
in the same order, the matches between level teams counted anew for those that are still level. Clubs that nothing in
the results parts share the order of their names there, and the order of their numbers here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtr

from apps.matches.standings import GOALS_FIRST, MUTUAL, Decider
from apps.ml.forecasting import goals

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SIMULATIONS: Final = 10_000
"""Simulated seasons: a chance of one half is then known within 0.010 in 19 of 20 cases."""

INTERVAL: Final = (0.05, 0.95)
"""Quantiles of the points that are told beside their mean."""

BLOCK: Final = 500
"""Seasons that are drawn at a time, so that the random numbers of all are never in memory at once."""

STEPS: Final = 16
"""Tilts that are told apart on either side of none."""

REACH: Final = 4.0
"""The largest of them, in standard deviations of the difference of two shocks."""

ROUNDS: Final = 60
PRECISION: Final = 1e-12

SIDE: Final = goals.LIMIT + 1
CELLS: Final = SIDE * SIDE

DECIDERS: Final = tuple(Decider)
"""Codes of the deciders in the kernels."""

_GOAL_DIFFERENCE: Final = DECIDERS.index(Decider.GOAL_DIFFERENCE)
_GOALS_FOR: Final = DECIDERS.index(Decider.GOALS_FOR)
_WINS: Final = DECIDERS.index(Decider.WINS)
_AWAY_GOALS: Final = DECIDERS.index(Decider.AWAY_GOALS)
_MUTUAL_POINTS: Final = DECIDERS.index(Decider.MUTUAL_POINTS)
_MUTUAL_GOAL_DIFFERENCE: Final = DECIDERS.index(Decider.MUTUAL_GOAL_DIFFERENCE)
_FIRST_MUTUAL: Final = min(DECIDERS.index(decider) for decider in MUTUAL)

_HOME, _DRAW, _AWAY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class SeasonOutcome:
    """How a season may end.

    Parameters
    ----------
    places : ndarray, shape (clubs, clubs)
        Share of the simulated seasons in which a club ends at each place, the first in column 0; rows and columns sum
        to 1.
    points : ndarray, shape (clubs,)
        Mean of the points at the end, deductions taken off.
    low, high : ndarray, shape (clubs,)
        Points at the quantiles of `INTERVAL`.
    simulations : int
        Simulated seasons.
    """

    places: Floats
    points: Floats
    low: Integers
    high: Integers
    simulations: int

    def within(self, best: int) -> Floats:
        """Return the chance of each club to end among the best so many, shape (clubs,)."""
        chances: Floats = self.places[:, :best].sum(axis=1)
        return chances

    def below(self, worst: int) -> Floats:
        """Return the chance of each club to end among the worst so many, shape (clubs,)."""
        chances: Floats = self.places[:, self.places.shape[1] - worst :].sum(axis=1)
        return chances


def simulate(
    *,
    clubs: int,
    played: Integers,
    fixtures: Integers,
    p: Floats,
    expected: Floats,
    rho: float = 0.0,
    doubt: float = 0.0,
    rule: Sequence[Decider] = GOALS_FIRST,
    win: int = 3,
    deductions: Integers | None = None,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> SeasonOutcome:
    """Return how a season may end.

    Parameters
    ----------
    clubs : int
        Number of clubs; they are numbered from 0 in the order of their names.
    played : ndarray of int, shape (n, 4)
        Home club, away club, home goals and away goals of the matches that count.
    fixtures : ndarray of int, shape (m, 2)
        Home club and away club of the matches that are left.
    p : ndarray, shape (m, 3)
        Calibrated probabilities of home, draw and away.
    expected : ndarray, shape (m, 2)
        Expected goals of home and away, above 0.
    rho : float
        Dixon-Coles correction of low scores.
    doubt : float
        Standard deviation of the shock of a club, in log-odds of home against away; 0 for none.
    rule : sequence of Decider
        What decides between teams that are level on points.
    win : int
        Points for a win; a draw gives one.
    deductions : ndarray of int, shape (clubs,), optional
        Points taken from clubs.
    simulations : int
        Seasons to simulate.
    seed : int
        Equal seeds give equal seasons.
    """
    scores = draw(
        clubs=clubs,
        fixtures=fixtures,
        p=p,
        expected=expected,
        rho=rho,
        doubt=doubt,
        simulations=simulations,
        seed=seed,
    )
    places, points = rank(
        clubs=clubs,
        played=played,
        fixtures=fixtures,
        scores=scores,
        rule=rule,
        win=win,
        deductions=deductions,
    )
    shares = np.zeros((clubs, clubs))
    for club in range(clubs):
        shares[club] = np.bincount(places[:, club] - 1, minlength=clubs) / simulations
    low, high = np.quantile(points, INTERVAL, axis=0, method="nearest").astype(np.int64)
    return SeasonOutcome(shares, points.mean(axis=0), low, high, simulations)


def draw(
    *,
    clubs: int,
    fixtures: Integers,
    p: Floats,
    expected: Floats,
    rho: float = 0.0,
    doubt: float = 0.0,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> NDArray[np.int8]:
    """Return goals of home and away in each simulated season, shape (simulations, fixtures, 2); as `simulate` says."""
    generator = np.random.default_rng(seed)
    matches = np.ascontiguousarray(fixtures, dtype=np.int64).reshape(-1, 2)
    wanted = np.ascontiguousarray(p, dtype=np.float64).reshape(-1, 3)
    step = REACH * np.sqrt(2.0) * doubt / STEPS
    tilted = _tilted(wanted, doubt, step)
    share, alias = _tables(goals.scorelines(expected, wanted, rho))
    scores = np.empty((simulations, len(matches), 2), dtype=np.int8)
    for first in range(0, simulations, BLOCK):
        block = scores[first : first + BLOCK]
        chances = generator.random((len(block), len(matches)))
        levels = np.zeros((len(block), clubs))
        if doubt > 0.0:
            levels = generator.standard_normal((len(block), clubs)) * (doubt / step)
        _play(matches, chances, levels, tilted, share, alias, block)
    return scores


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


def _tilted(p: Floats, doubt: float, step: float) -> Floats:
    """Return the bounds of home and of home or draw at each tilt, shape (m, 2 STEPS + 1, 2).

    The centre of each match is found by repetition: log-odds are moved by what the mean over the tilts lacks.
    """
    numbers = np.arange(-STEPS, STEPS + 1, dtype=np.float64)
    if doubt <= 0.0:
        bounds = np.stack((p[:, 0], p[:, 0] + p[:, 1]), axis=1)
        return np.ascontiguousarray(np.broadcast_to(bounds[:, None, :], (len(p), numbers.size, 2)))
    edges = ndtr((numbers[:-1] + 0.5) * step / (np.sqrt(2.0) * doubt))
    weight = np.diff(np.concatenate(([0.0], edges, [1.0])))
    push = (numbers * step)[:, None] * np.array([0.5, 0.0, -0.5])
    wanted = np.log(np.maximum(p, PRECISION))
    centre = wanted.copy()
    for _ in range(ROUNDS):
        powers = np.exp(centre[:, None, :] + push[None, :, :])
        found: Floats = powers / powers.sum(axis=2, keepdims=True)
        lacking = wanted - np.log((found * weight[None, :, None]).sum(axis=1))
        centre += lacking
        if not lacking.size or np.abs(lacking).max() < PRECISION:
            break
    return np.ascontiguousarray(np.stack((found[:, :, 0], found[:, :, 0] + found[:, :, 1]), axis=2))


def _tables(cells: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return Walker's alias tables of the scorelines of each outcome, shape (m, 3, CELLS) both.

    ``share[i, o, c]`` is the part of cell `c` that stays its own, the rest belongs to ``alias[i, o, c]``. The first
    ``counts[o]`` entries are used, whose alias and own cell are numbers of cells of the whole grid.
    """
    share = np.zeros((len(cells), 3, _MOST))
    alias = np.zeros((len(cells), 3, _MOST), dtype=np.int64)
    _alias(np.ascontiguousarray(cells.reshape(len(cells), CELLS)), _MEMBERS, _COUNTS, share, alias)
    return share, alias


def _regions() -> tuple[Integers, Integers]:
    """Return the cells of each outcome, shape (3, most of them), and their numbers."""
    home, away = np.divmod(np.arange(CELLS), SIDE)
    regions = [np.flatnonzero(home > away), np.flatnonzero(home == away), np.flatnonzero(home < away)]
    counts = np.array([region.size for region in regions], dtype=np.int64)
    members = np.zeros((3, int(counts.max())), dtype=np.int64)
    for outcome, region in enumerate(regions):
        members[outcome, : region.size] = region
    return members, counts


_MEMBERS, _COUNTS = _regions()
_MOST: Final = _MEMBERS.shape[1]


@njit(cache=True)
def _alias(cells: Floats, members: Integers, counts: Integers, share: Floats, alias: Integers) -> None:
    """Fill alias tables by Vose's method."""
    small = np.empty(members.shape[1], dtype=np.int64)
    large = np.empty(members.shape[1], dtype=np.int64)
    scaled = np.empty(members.shape[1])
    for match in range(cells.shape[0]):
        for outcome in range(3):
            n = counts[outcome]
            total = 0.0
            for place in range(n):
                total += cells[match, members[outcome, place]]
            smalls, larges = 0, 0
            for place in range(n):
                own = cells[match, members[outcome, place]]
                scaled[place] = own * n / total if total > 0.0 else 1.0
                alias[match, outcome, place] = members[outcome, place]
                if scaled[place] < 1.0:
                    small[smalls] = place
                    smalls += 1
                else:
                    large[larges] = place
                    larges += 1
            while smalls > 0 and larges > 0:
                smalls -= 1
                poor, rich = small[smalls], large[larges - 1]
                share[match, outcome, poor] = scaled[poor]
                alias[match, outcome, poor] = members[outcome, rich]
                scaled[rich] -= 1.0 - scaled[poor]
                if scaled[rich] < 1.0:
                    larges -= 1
                    small[smalls] = rich
                    smalls += 1
            for place in range(smalls):
                share[match, outcome, small[place]] = 1.0
            for place in range(larges):
                share[match, outcome, large[place]] = 1.0


@njit(cache=True)
def _play_match(
    chance: float, home: float, home_or_draw: float, share: Floats, alias: Integers, members: Integers, counts: Integers
) -> int:
    """Return the cell of the scoreline that a number from 0 to below 1 stands for."""
    if chance < home:
        outcome, rest = _HOME, chance / home
    elif chance < home_or_draw:
        outcome, rest = _DRAW, (chance - home) / (home_or_draw - home)
    else:
        outcome, rest = _AWAY, (chance - home_or_draw) / max(1.0 - home_or_draw, 1e-300)
    spread = rest * counts[outcome]
    place = min(int(spread), counts[outcome] - 1)
    if spread - place < share[outcome, place]:
        return int(members[outcome, place])
    return int(alias[outcome, place])


@njit(cache=True)
def _play(
    fixtures: Integers,
    chances: Floats,
    levels: Floats,
    tilted: Floats,
    share: Floats,
    alias: Integers,
    scores: NDArray[np.int8],
) -> None:
    """Draw the scorelines of some seasons; `levels` are the shocks of the clubs in steps of the tilt."""
    middle = tilted.shape[1] // 2
    for season in range(scores.shape[0]):
        for match in range(fixtures.shape[0]):
            push = levels[season, fixtures[match, 0]] - levels[season, fixtures[match, 1]]
            level = middle + min(max(int(np.floor(push + 0.5)), -middle), middle)
            cell = _play_match(
                chances[season, match],
                tilted[match, level, 0],
                tilted[match, level, 1],
                share[match],
                alias[match],
                _MEMBERS,
                _COUNTS,
            )
            scores[season, match, 0] = cell // SIDE
            scores[season, match, 1] = cell % SIDE


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
    """Whether every pair of the clubs from `first` to before `end` has met, and each as often at home."""
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
    """Write what the matches between level clubs say of each of them."""
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
    """Note the groups of level clubs that still have to be parted, and return how many groups are noted now."""
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
def _part(
    order: Integers, rule: Integers, own: Integers, between: Integers, met: Integers, values: Integers, todo: Integers
) -> None:
    """Part the groups of level clubs that are noted, as `standings.table` does."""
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
            scored, conceded = np.int64(scores[season, match, 0]), np.int64(scores[season, match, 1])
            _count(fixtures[match, 0], fixtures[match, 1], scored, conceded, win, points, own, between)
        for club in range(clubs):
            order[club] = club
        if clubs > 1:
            _sort(order, 0, clubs, points)
            todo[-1, 0] = _push(order, 0, clubs, points, 0, todo, 0)
            _part(order, rule, own, between, met, values, todo)
        for place in range(clubs):
            places[season, order[place]] = place + 1
            final[season, order[place]] = points[order[place]]
