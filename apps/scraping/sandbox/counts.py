"""Match statistics (shots, corners, fouls, cards, attendance) that fit the strengths and the result."""

from __future__ import annotations

from typing import Final

import numpy as np

from apps.matches.records import StatsRecord
from apps.scraping.sandbox.clubs import CLUBS, REFEREES
from apps.scraping.sandbox.play import Play
from apps.scraping.sandbox.timetable import MATCHES_PER_SEASON, Floats, Ints

FIRST_HALF_SHARE: Final = 0.44
"""Chance that a goal is scored before half time."""
SAVES_FIXED: Final = 1.1
SAVES_PER_EXPECTED_GOAL: Final = 1.7
WIDE_FIXED: Final = 4.2
WIDE_PER_EXPECTED_GOAL: Final = 2.4
CORNERS_FIXED: Final = 2.0
CORNERS_PER_SHOT: Final = 0.25
FOULS_MEAN: Final = 11.5
YELLOW_PER_FOUL: Final = 0.155
AWAY_YELLOW_EXTRA: Final = 0.02
RED_CHANCE: Final = 0.045
"""Drawn twice: a side gets at most two red cards in a match."""
TEMPO_SPREAD: Final = 0.15
"""Standard deviation of the log of a match's tempo, which is the same for both sides."""
CROWD_MEAN: Final = 14_000
CROWD_SPREAD: Final = 0.5
WEATHER_SPREAD: Final = 0.1
SECOND_LEVEL_CROWD: Final = 0.45


def draw_half_time(play: Play, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw the goals of the first half, home and away, each of shape (528,)."""
    home: Ints = rng.binomial(play.home_goals, FIRST_HALF_SHARE)
    away: Ints = rng.binomial(play.away_goals, FIRST_HALF_SHARE)
    return home, away


def draw_habits(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw each club's permanent roughness (1 is average) and mean attendance, both of shape (48,)."""
    roughness = np.exp(rng.normal(0.0, 0.12, len(CLUBS)))
    crowd = CROWD_MEAN * np.exp(rng.normal(0.0, CROWD_SPREAD, len(CLUBS)))
    return roughness, crowd


class SimulatedCounts:
    """Statistics of all matches of one season, in the order of the fixture list.

    Shots and corners grow with the expected goals of their side, and every goal was a shot on target.

    Parameters
    ----------
    tier : array of int64, shape (48,)
        Level of each club less one; the second level has a lower attendance.
    habits : tuple of two arrays
        See `draw_habits`.
    """

    def __init__(self, play: Play, tier: Ints, habits: tuple[Floats, Floats], rng: np.random.Generator) -> None:
        roughness, crowd = habits
        tempo = np.exp(rng.normal(0.0, TEMPO_SPREAD, MATCHES_PER_SEASON))
        home = _attack(play.home_expected, play.home_goals, tempo, rng)
        away = _attack(play.away_expected, play.away_goals, tempo, rng)
        home += _discipline(roughness[play.home], YELLOW_PER_FOUL, rng)
        away += _discipline(roughness[play.away], YELLOW_PER_FOUL + AWAY_YELLOW_EXTRA, rng)
        drawing_power = np.where(tier[play.home] == 0, 1.0, SECOND_LEVEL_CROWD)
        weather = np.exp(rng.normal(0.0, WEATHER_SPREAD, MATCHES_PER_SEASON))
        attendance = rng.poisson(crowd[play.home] * drawing_power * weather)
        pairs = [column for pair in zip(home, away, strict=True) for column in pair]
        self._counts = np.column_stack((*pairs, attendance))
        self._referees = rng.integers(0, len(REFEREES[0]), MATCHES_PER_SEASON)

    def record(self, match: int) -> StatsRecord:
        """Return the counts of one match, which are drawn in the order of the fields of `StatsRecord`."""
        region = match * len(REFEREES) // MATCHES_PER_SEASON
        values = [*self._counts[match].tolist(), REFEREES[region][self._referees[match]]]
        return StatsRecord(*values)


def _attack(expected: Floats, goals: Ints, tempo: Floats, rng: np.random.Generator) -> list[Ints]:
    """Draw shots, shots on target and corners of one side."""
    on_target = goals + rng.poisson(tempo * (SAVES_FIXED + SAVES_PER_EXPECTED_GOAL * expected))
    shots = on_target + rng.poisson(tempo * (WIDE_FIXED + WIDE_PER_EXPECTED_GOAL * expected))
    corners = rng.poisson(CORNERS_FIXED + CORNERS_PER_SHOT * shots)
    return [shots, on_target, corners]


def _discipline(roughness: Floats, yellow_per_foul: float, rng: np.random.Generator) -> list[Ints]:
    """Draw fouls, yellow and red cards of one side."""
    fouls = rng.poisson(FOULS_MEAN * roughness)
    yellow = rng.binomial(fouls, yellow_per_foul)
    red = rng.binomial(np.minimum(fouls, 2), RED_CHANCE)
    return [fouls, yellow, red]
