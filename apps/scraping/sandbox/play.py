"""One simulated season: fixtures, true probabilities, scores, final places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.scraping.sandbox.clubs import CLUBS, COMPETITIONS, LEAGUE_SIZE
from apps.scraping.sandbox.scores import draw_scores, outcome_probabilities, over_probability, score_grid
from apps.scraping.sandbox.strengths import REGIONS, WorldState, members, strengths_by_round
from apps.scraping.sandbox.timetable import (
    MATCHES_PER_LEAGUE,
    MATCHES_PER_ROUND,
    MATCHES_PER_SEASON,
    ROUNDS,
    Floats,
    Ints,
    draw_postponements,
    rounds_of_matches,
    rounds_played,
)


def _double_round_robin() -> Ints:
    """Return the rounds of the circle method, twice, the second time mirrored: (home, away) places, (22, 6, 2)."""
    circle = list(range(LEAGUE_SIZE))
    first_half = []
    for number in range(ROUNDS // 2):
        pairs = [(circle[i], circle[-1 - i]) for i in range(MATCHES_PER_ROUND)]
        # The fixed club and every second pair swap home and away, so that home and away alternate.
        first_half.append([(b, a) if (i + number * (i == 0)) % 2 else (a, b) for i, (a, b) in enumerate(pairs)])
        circle = [circle[0], circle[-1], *circle[1:-1]]
    rounds = np.array(first_half)
    return np.concatenate((rounds, rounds[:, :, ::-1]))


ROUND_ROBIN: Final = _double_round_robin()


@dataclass(frozen=True, slots=True)
class Play:
    """Results and strengths of one season; arrays of matches are in the order of the fixture list, shape (528, …).

    Parameters
    ----------
    home, away : array of int64
        Club numbers.
    moved_to_week : array of int64
        New week of a postponed match, −1 for the others.
    home_expected, away_expected : array of float64
        Expected goals of each side before the low-score dependence.
    truth : array of float64, shape (528, 3)
        True probabilities of (home, draw, away).
    truth_over : array of float64
        True probability of three goals or more.
    strengths : array of float64, shape (22, 48, 2)
        Attack and defence of each club in each round.
    places : array of int64, shape (48,)
        Final place of each club in its league, from 0.
    """

    home: Ints
    away: Ints
    moved_to_week: Ints
    home_expected: Floats
    away_expected: Floats
    truth: Floats
    truth_over: Floats
    home_goals: Ints
    away_goals: Ints
    strengths: Floats
    places: Ints


def play_season(state: WorldState, *, is_dense: bool, rng: np.random.Generator) -> Play:
    """Play all 528 matches of a season; past seasons have a few postponed ones."""
    strengths = strengths_by_round(state, rng)
    home, away = draw_fixtures(state, rng)
    moved_to_week = np.full(MATCHES_PER_SEASON, -1, dtype=np.int64) if is_dense else draw_postponements(rng)
    home_expected, away_expected = expected_goals(state, strengths, home, away, rounds_played(moved_to_week))
    grid = score_grid(home_expected, away_expected)
    home_goals, away_goals = draw_scores(grid, rng)
    return Play(
        home=home,
        away=away,
        moved_to_week=moved_to_week,
        home_expected=home_expected,
        away_expected=away_expected,
        truth=outcome_probabilities(grid),
        truth_over=over_probability(grid),
        home_goals=home_goals,
        away_goals=away_goals,
        strengths=strengths,
        places=final_places(home, away, home_goals, away_goals),
    )


def expected_goals(state: WorldState, strengths: Floats, home: Ints, away: Ints, rounds: Ints) -> tuple[Floats, Floats]:
    """Return the expected goals of both sides of each match with the strengths of the given rounds."""
    region = np.repeat(np.arange(REGIONS), MATCHES_PER_SEASON // REGIONS)
    half_edge = 0.5 * state.home_edge[region]
    scoring = state.scoring[region]
    home_log = scoring + half_edge + strengths[rounds, home, 0] - strengths[rounds, away, 1]
    away_log = scoring - half_edge + strengths[rounds, away, 0] - strengths[rounds, home, 1]
    return np.exp(home_log), np.exp(away_log)


def draw_fixtures(state: WorldState, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw the double round robin of each league: home and away club numbers, each of shape (528,)."""
    home, away = [], []
    for league in range(len(COMPETITIONS)):
        clubs = rng.permutation(members(state, league))
        order = rng.permuted(np.tile(np.arange(MATCHES_PER_ROUND), (ROUNDS, 1)), axis=1)
        pairs = clubs[np.take_along_axis(ROUND_ROBIN, order[:, :, None], axis=1)]
        home.append(pairs[:, :, 0].ravel())
        away.append(pairs[:, :, 1].ravel())
    return np.concatenate(home), np.concatenate(away)


def final_places(home: Ints, away: Ints, home_goals: Ints, away_goals: Ints) -> Ints:
    """Return each club's final place in its league, from 0, shape (48,).

    By points, goal difference, goals scored, and finally the lower club number in place of drawing lots.
    """
    clubs = len(CLUBS)
    margin = home_goals - away_goals
    points = np.zeros(clubs, dtype=np.int64)
    difference, scored = points.copy(), points.copy()
    for club, own, other in ((home, home_goals, away_goals), (away, away_goals, home_goals)):
        np.add.at(points, club, np.where(own > other, 3, np.where(own == other, 1, 0)))
        np.add.at(difference, club, margin if club is home else -margin)
        np.add.at(scored, club, own)
    places = np.empty(clubs, dtype=np.int64)
    for league in range(len(COMPETITIONS)):
        entrants = np.unique(home[league * MATCHES_PER_LEAGUE : (league + 1) * MATCHES_PER_LEAGUE])
        order = np.lexsort((entrants, -scored[entrants], -difference[entrants], -points[entrants]))
        places[entrants[order]] = np.arange(LEAGUE_SIZE)
    return places


def opening_rounds(*, is_dense: bool) -> Ints:
    """Return the round whose strengths the bookmakers use for their opening prices of each match, shape (528,).

    Prices of a past match opened in the week before it, those of a dense season all before its first kick-off.
    """
    if is_dense:
        return np.zeros(MATCHES_PER_SEASON, dtype=np.int64)
    return np.maximum(rounds_of_matches() - 1, 0)
