"""Strengths of the clubs: a long-run level, a form that varies around it, and a change each summer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.scraping.sandbox.clubs import CLUBS, COMPETITIONS, LEAGUE_SIZE, REGION_SIZE
from apps.scraping.sandbox.timetable import ROUNDS, Floats, Ints

REGIONS: Final = len(CLUBS) // REGION_SIZE
PROMOTED: Final = 2
"""Clubs that change places between the levels of a region each season."""

# Attack and defence are on the scale of log goals per match. The spreads were chosen so that base rates score a log
# loss of about 1.06 and the truth about 0.97, as in a strong European league.
LEVEL_GAP: Final = 0.22
"""Half the distance between the mean strengths of the first and the second level, in attack and in defence."""
LEVEL_SPREAD: Final = 0.25
LEVEL_CORRELATION: Final = 0.7
"""Between the attack and the defence of one club."""
LEVEL_MEMORY: Final = 0.85
"""Share of a club's distance from its level's mean that remains after a summer."""
FORM_MEMORY: Final = 0.95
"""Share of a club's form that remains after a round."""
FORM_STEP: Final = 0.035
FORM_OVER_SUMMER: Final = 0.5

SCORING_MEAN: Final = 0.17
"""Log of the goals that an average side scores against an average side on neutral ground."""
SCORING_SPREAD: Final = 0.03
HOME_EDGE_MEAN: Final = 0.34
"""Log of home goals over away goals for equal sides; half goes to the home side, half off the away side."""
HOME_EDGE_SPREAD: Final = 0.04
REGION_MEMORY: Final = 0.7


@dataclass(frozen=True, slots=True)
class WorldState:
    """Strengths and levels of all clubs at the start of a season.

    Parameters
    ----------
    tier : array of int64, shape (48,)
        Level of each club less one.
    level, form : array of float64, shape (48, 2)
        Long-run attack and defence, and the present deviation from them.
    scoring, home_edge : array of float64, shape (2,)
        Of each region, in log goals.
    """

    tier: Ints
    level: Floats
    form: Floats
    scoring: Floats
    home_edge: Floats


def first_state(rng: np.random.Generator) -> WorldState:
    """Draw the world before its first season; the stronger half of each region starts on the first level."""
    luck = rng.normal(0.0, LEVEL_SPREAD, len(CLUBS))
    tier = np.empty(len(CLUBS), dtype=np.int64)
    for region in range(REGIONS):
        clubs = slice(region * REGION_SIZE, (region + 1) * REGION_SIZE)
        tier[clubs] = np.argsort(np.argsort(-luck[clubs])) // LEAGUE_SIZE
    stationary = FORM_STEP / np.sqrt(1.0 - FORM_MEMORY**2)
    return WorldState(
        tier=tier,
        level=_level_mean(tier) + _pairs(rng, LEVEL_SPREAD),
        form=rng.normal(0.0, stationary, (len(CLUBS), 2)),
        scoring=SCORING_MEAN + rng.normal(0.0, SCORING_SPREAD, REGIONS),
        home_edge=HOME_EDGE_MEAN + rng.normal(0.0, HOME_EDGE_SPREAD, REGIONS),
    )


def strengths_by_round(state: WorldState, rng: np.random.Generator) -> Floats:
    """Return the attack and defence of each club in each round, shape (22, 48, 2); round 0 is the present state."""
    form = state.form
    rounds = np.empty((ROUNDS, len(CLUBS), 2))
    for number in range(ROUNDS):
        if number:
            form = FORM_MEMORY * form + rng.normal(0.0, FORM_STEP, form.shape)
        rounds[number] = state.level + form
    return rounds


def next_state(state: WorldState, final_strengths: Floats, places: Ints, rng: np.random.Generator) -> WorldState:
    """Return the world after a summer: promotion, relegation, new squads.

    Parameters
    ----------
    state : WorldState
        At the start of the season that is over.
    final_strengths : array of float64, shape (48, 2)
        Attack and defence in its last round.
    places : array of int64, shape (48,)
        Final place of each club in its league, from 0.
    rng : numpy.random.Generator
    """
    tier = state.tier.copy()
    tier[(state.tier == 0) & (places >= LEAGUE_SIZE - PROMOTED)] = 1
    tier[(state.tier == 1) & (places < PROMOTED)] = 0
    mean = _level_mean(tier)
    fresh = np.sqrt(1.0 - LEVEL_MEMORY**2)
    fresh_region = np.sqrt(1.0 - REGION_MEMORY**2)
    return WorldState(
        tier=tier,
        level=mean + LEVEL_MEMORY * (state.level - mean) + _pairs(rng, LEVEL_SPREAD * fresh),
        form=FORM_OVER_SUMMER * (final_strengths - state.level),
        scoring=SCORING_MEAN
        + REGION_MEMORY * (state.scoring - SCORING_MEAN)
        + rng.normal(0.0, SCORING_SPREAD * fresh_region, REGIONS),
        home_edge=HOME_EDGE_MEAN
        + REGION_MEMORY * (state.home_edge - HOME_EDGE_MEAN)
        + rng.normal(0.0, HOME_EDGE_SPREAD * fresh_region, REGIONS),
    )


def members(state: WorldState, league: int) -> Ints:
    """Return the numbers of the twelve clubs of a league, in rising order."""
    region, tier = divmod(league, len(COMPETITIONS) // REGIONS)
    numbers = np.arange(region * REGION_SIZE, (region + 1) * REGION_SIZE)
    entrants: Ints = numbers[state.tier[numbers] == tier]
    return entrants


def _level_mean(tier: Ints) -> Floats:
    return np.where(tier == 0, LEVEL_GAP, -LEVEL_GAP)[:, None]


def _pairs(rng: np.random.Generator, spread: float) -> Floats:
    """Draw correlated (attack, defence) deviations, shape (48, 2)."""
    draws = rng.normal(0.0, spread, (len(CLUBS), 2))
    draws[:, 1] = LEVEL_CORRELATION * draws[:, 0] + np.sqrt(1.0 - LEVEL_CORRELATION**2) * draws[:, 1]
    return draws
