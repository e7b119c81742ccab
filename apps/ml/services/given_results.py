"""The final table of a running season under results that a reader gives to some of the remaining matches."""

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
"""Simulated seasons: with so many, a change of a chance by ten points is uncertain by less than one point."""

CACHED_INPUTS: Final = 32
CACHED_SEASONS: Final = 4
CACHED_ENDS: Final = 128
"""Sizes of the caches of inputs, drawn seasons and final tables; each drawn season takes up to 4 MB."""


@dataclass(frozen=True, slots=True)
class SeasonToRepeat:
    """The drawn seasons of one forecast, which any given results reuse."""

    teams: list[int]
    played: Integers
    deductions: Integers
    win: int
    drawn: DrawnSeasons
    number: dict[int, int]  # id of a match → number of its fixture
    end: SeasonOutcome


def matches_left(forecast: SeasonForecast) -> dict[int, tuple[float, float, float]]:
    """Return the matches that were simulated, by id, with their probabilities of home, draw and away.

    The mapping is empty when a newer simulation has replaced this one.
    """
    try:
        content = _content(forecast.pk)
    except SeasonInputs.DoesNotExist:
        return {}
    return {match: (home, draw, away) for match, _, _, home, draw, away, *_ in content["fixtures"] if match}


def season_given(forecast: SeasonForecast, outcomes: Mapping[int, int]) -> list[dict[str, Any]]:
    """Return the clubs of a forecast, as in its table, under the given outcomes of some matches.

    The given results also change the strengths of the clubs, see `DrawnSeasons.given`. The same seasons are tabulated
    with and without the given results, and the difference is added to the numbers of the forecast. Its random error is
    smaller than that of the numbers themselves.

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


@lru_cache(maxsize=CACHED_ENDS)
def _changes(
    forecast_id: int, region: str, doubt: float, outcomes: tuple[tuple[int, int], ...]
) -> dict[int, tuple[float, int, int, Floats]]:
    """Return the changes that some outcomes cause, by team.

    Each has the changes of the expected points, of their lower and upper bound, and of the chance of each place.
    """
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


@lru_cache(maxsize=CACHED_SEASONS)
def _to_repeat(forecast_id: int, region: str, doubt: float) -> SeasonToRepeat:
    # Imported here because it loads numba.
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
    number = {match: index for index, (match, *_) in enumerate(content["fixtures"]) if match}
    return SeasonToRepeat(teams, played, deductions, content["win"], drawn, number, end)


@lru_cache(maxsize=CACHED_INPUTS)
def _content(forecast_id: int) -> dict[str, Any]:
    return SeasonInputs.objects.values_list("content", flat=True).get(pk=forecast_id)
