"""The end of a running season if some of the remaining matches end as a reader says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from apps.matches.standings import rule_of
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.models import SeasonForecast, SeasonInputs

if TYPE_CHECKING:
    from apps.ml.forecasting.season import DrawnSeasons, SeasonOutcome

GIVEN_SIMULATIONS: Final = 2_000
"""Seasons that are simulated again: a change of a chance by ten points is then uncertain by less than one."""

KEPT_INPUTS: Final = 32
KEPT_SEASONS: Final = 4
KEPT_ENDS: Final = 128
"""Inputs, drawn seasons and their ends that a process keeps; each drawn season needs up to 4 MB."""


@dataclass(frozen=True, slots=True)
class SeasonToRepeat:
    """Drawn seasons without given results: what is the same for all that a reader may say."""

    teams: list[int]
    played: Integers
    deductions: Integers
    win: int
    drawn: DrawnSeasons
    number: dict[int, int]  # id of a match → number of its fixture
    end: SeasonOutcome


def matches_left(forecast: SeasonForecast) -> dict[int, tuple[float, float, float]]:
    """Return the matches that were simulated, by id, with their probabilities of home, draw and away.

    There are none where another simulation has replaced this one in the meantime.
    """
    try:
        content = _content(forecast.pk)
    except SeasonInputs.DoesNotExist:
        return {}
    return {match: (home, draw, away) for match, _, _, home, draw, away, *_ in content["fixtures"] if match}


def season_given(forecast: SeasonForecast, outcomes: Mapping[int, int]) -> list[dict[str, Any]]:
    """Return the clubs of a forecast, as in its table, if some matches end as given.

    The strengths of the clubs follow the given results as far as their doubt allows, see `DrawnSeasons.given`. What is
    added to the numbers of the forecast is the change between the same seasons with the given results and without, so
    that it is known better than the numbers themselves.

    Parameters
    ----------
    outcomes : mapping of int to int
        Id of one of the `matches_left` → 0 home win, 1 draw, 2 away win.
    """
    region = forecast.season.competition.region.name
    changes = _changes(forecast.pk, region, forecast.doubt, tuple(sorted(outcomes.items())))
    lines = forecast.table["lines"]
    return [_changed(club, lines, changes[club["team"]]) for club in forecast.table["clubs"]]


def _changed(
    club: dict[str, Any], lines: list[dict[str, Any]], change: tuple[float, int, int, Floats]
) -> dict[str, Any]:
    points, low, high, shares = change
    places = np.clip(np.array(club["places"]) + shares, 0.0, 1.0)
    chances = {
        line["name"]: float((places[-line["places"] :] if line["from_end"] else places[: line["places"]]).sum())
        for line in lines
    }
    return club | {
        "expected": club["expected"] + points,
        "low": club["low"] + low,
        "high": club["high"] + high,
        "chances": {name: min(chance, 1.0) for name, chance in chances.items()},
        "places": places.tolist(),
    }


@lru_cache(maxsize=KEPT_ENDS)
def _changes(
    forecast_id: int, region: str, doubt: float, outcomes: tuple[tuple[int, int], ...]
) -> dict[int, tuple[float, int, int, Floats]]:
    """Return by team what some results change: expected points, their bounds, and the chance of each place."""
    from apps.ml.forecasting import season as season_simulation

    season = _to_repeat(forecast_id, region, doubt)
    end = season_simulation.tabulate(
        season.drawn,
        clubs=len(season.teams),
        played=season.played,
        rule=rule_of(region),
        win=season.win,
        deductions=season.deductions,
        given={season.number[match]: outcome for match, outcome in outcomes},
    )
    before = season.end
    return {
        team: (
            float(end.points[club] - before.points[club]),
            int(end.low[club] - before.low[club]),
            int(end.high[club] - before.high[club]),
            end.places[club] - before.places[club],
        )
        for club, team in enumerate(season.teams)
    }


@lru_cache(maxsize=KEPT_SEASONS)
def _to_repeat(forecast_id: int, region: str, doubt: float) -> SeasonToRepeat:
    # Loads numba: only where it is used.
    from apps.ml.forecasting import season as season_simulation

    content = _content(forecast_id)
    teams = content["teams"]
    played = np.array(content["played"], dtype=np.int64).reshape(-1, 4)
    deductions = np.array(content["deductions"], dtype=np.int64)
    rows = [numbers for _, *numbers in content["fixtures"]]
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    drawn = season_simulation.draw(
        clubs=len(teams),
        fixtures=table[:, :2].astype(np.int64),
        p=table[:, 2:5],
        expected=table[:, 5:],
        rho=content["rho"],
        doubt=doubt,
        simulations=GIVEN_SIMULATIONS,
        seed=content["seed"],
    )
    end = season_simulation.tabulate(
        drawn, clubs=len(teams), played=played, rule=rule_of(region), win=content["win"], deductions=deductions
    )
    number = {match: place for place, (match, *_) in enumerate(content["fixtures"]) if match}
    return SeasonToRepeat(teams, played, deductions, content["win"], drawn, number, end)


@lru_cache(maxsize=KEPT_INPUTS)
def _content(forecast_id: int) -> dict[str, Any]:
    return SeasonInputs.objects.values_list("content", flat=True).get(pk=forecast_id)
