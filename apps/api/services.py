"""What the faces say of one match: the published forecast, and everything that is read off its grid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from apps.matches.models import Match
from apps.ml import selectors as ml_selectors
from apps.ml.forecasting import goals
from apps.ml.models import Prediction


class NoForecastError(Exception):
    """There is no forecast of this match; the message says why."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A forecast with its scoreline grid and the markets read off it."""

    prediction: Prediction
    grid: goals.ScorelineGrid
    markets: goals.Markets


def outlook(prediction: Prediction) -> Outlook:
    """Return a forecast with its grid; grids of published forecasts are kept, for they never change."""
    grid, markets = _grid(prediction.home_expected_goals, prediction.away_expected_goals, prediction.probabilities)
    return Outlook(prediction, grid, markets)


@lru_cache(maxsize=4096)
def _grid(mu_home: float, mu_away: float, p: tuple[float, float, float]) -> tuple[goals.ScorelineGrid, goals.Markets]:
    grid = goals.grid(mu_home, mu_away, p)
    return grid, grid.markets()


def forecast_of(match: Match, *, now: datetime) -> dict[str, object]:
    """Return the latest published forecast of a match in the shape of the API.

    Raises
    ------
    NoForecastError
        When nothing was published before kick-off; the message says whether that can still happen.
    """
    prediction = ml_selectors.latest_predictions([match.pk]).get(match.pk)
    if prediction is None:
        raise NoForecastError(why_none(match, now=now))
    seen = outlook(prediction)
    p = {"home": prediction.p_home, "draw": prediction.p_draw, "away": prediction.p_away}
    home_goals, away_goals = seen.markets.most_likely
    return {
        "match": match.pk,
        "kickoff_at": prediction.kickoff_at,
        "probabilities": p,
        "fair_odds": {name: 1.0 / value if value > 0 else None for name, value in p.items()},
        "expected_goals": {"home": seen.markets.expected_home, "away": seen.markets.expected_away},
        "markets": {
            "goal_lines": [
                {"line": line, "over": over, "under": seen.markets.under[line]}
                for line, over in seen.markets.over.items()
            ],
            "both_score": seen.markets.both_score,
            "most_likely": {
                "home_goals": home_goals,
                "away_goals": away_goals,
                "probability": seen.markets.p_most_likely,
            },
        },
        "scorelines": seen.grid.cells,
        "base_rates": {"home": prediction.base_home, "draw": prediction.base_draw, "away": prediction.base_away},
        "contributions": prediction.contributions,
        "model": {
            "world": prediction.version.world,
            "version": prediction.version.number,
            "estimator": prediction.version.estimator,
            "inputs": prediction.version.inputs,
        },
        "data_snapshot": prediction.data_snapshot,
        "as_of": prediction.as_of,
        "published_at": prediction.published_at,
        "is_frozen": match.kickoff_at <= now,
        "degraded": prediction.degraded,
    }


def why_none(match: Match, *, now: datetime) -> str:
    """Return why a match has no forecast, for a reader."""
    if match.kickoff_at <= now:
        return "No forecast of this match was published before its kick-off."
    if match.status != Match.Status.SCHEDULED:
        return f"The match is {match.get_status_display()}; it is forecast once it is scheduled again."
    champion = ml_selectors.champion(match.season.competition.world)
    if champion is None:
        return "No model is champion yet: the first one is being trained, and forecasts follow within a minute."
    return "Not forecast yet. Fixtures are forecast from 15 days before kick-off."
