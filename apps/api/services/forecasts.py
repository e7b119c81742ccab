"""The forecast of one match with its scoreline grid, for pages and REST."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from apps.matches.models import Match
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services
from apps.ml.forecasting import goals
from apps.ml.models import ModelVersion, Prediction


@dataclass(frozen=True, slots=True)
class ForecastDetails:
    """A forecast with its scoreline grid and the markets that follow from it.

    `published_at` is None for a forecast that was made for this request and is not stored, `version` where the base
    rates stand in for a model.
    """

    p: tuple[float, float, float]
    base_rates: tuple[float, float, float]
    contributions: dict[str, float]
    version: ModelVersion | None
    data_snapshot: int
    as_of: datetime
    published_at: datetime | None
    degraded: str
    grid: goals.ScorelineGrid
    markets: goals.Markets


def forecast_details(match: Match, prediction: Prediction | None, *, now: datetime) -> ForecastDetails:
    """Return the published forecast of a match; of a fixture without one, a forecast made now.

    Raises
    ------
    NoForecastError
        With the reason, when there is none and none can be made.
    """
    if prediction is not None:
        return _published(prediction)
    is_fixture = match.kickoff_at > now and match.status == Match.Status.SCHEDULED
    if match.kickoff_at > now and not is_fixture:
        status = match.get_status_display().lower()
        raise ml_services.NoForecastError(f"The match is {status}; it is forecast once it is scheduled again.")
    if not is_fixture:
        raise ml_services.NoForecastError("No forecast of this match was published before its kick-off.")
    return _live(match, ml_services.forecast(match.pk, now=now))


def what_if_details(match: Match, *, now: datetime) -> ForecastDetails:
    """Return the forecast of a match that is not stored.

    Raises
    ------
    NoForecastError
        With the reason, when none can be made.
    """
    return _live(match, ml_services.what_if(match, now=now))


def likely_score(prediction: Prediction) -> tuple[int, int]:
    """Return the likeliest scoreline of a published forecast: home goals, away goals."""
    return _grid_of(prediction)[1].most_likely


def _published(prediction: Prediction) -> ForecastDetails:
    grid, markets = _grid_of(prediction)
    return ForecastDetails(
        p=prediction.probabilities,
        base_rates=(prediction.base_home, prediction.base_draw, prediction.base_away),
        contributions=prediction.contributions,
        version=prediction.version,
        data_snapshot=prediction.data_snapshot,
        as_of=prediction.as_of,
        published_at=prediction.published_at,
        degraded=prediction.degraded,
        grid=grid,
        markets=markets,
    )


def _live(match: Match, forecast: ml_services.LiveForecast) -> ForecastDetails:
    p = (forecast.p_home, forecast.p_draw, forecast.p_away)
    grid, markets = _grid(forecast.home_expected_goals, forecast.away_expected_goals, p, forecast.rho)
    number, world = forecast.version_number, match.season.competition.world
    return ForecastDetails(
        p=p,
        base_rates=(forecast.base_home, forecast.base_draw, forecast.base_away),
        contributions=forecast.contributions,
        version=None if number is None else ml_selectors.model_versions(world).filter(number=number).first(),
        data_snapshot=forecast.data_snapshot,
        as_of=forecast.as_of,
        published_at=None,
        degraded=forecast.degraded,
        grid=grid,
        markets=markets,
    )


def _grid_of(prediction: Prediction) -> tuple[goals.ScorelineGrid, goals.Markets]:
    return _grid(
        prediction.home_expected_goals, prediction.away_expected_goals, prediction.probabilities, prediction.rho
    )


# A cache, because published forecasts never change and their grids take long to compute.
@lru_cache(maxsize=4096)
def _grid(
    mu_home: float, mu_away: float, p: tuple[float, float, float], rho: float
) -> tuple[goals.ScorelineGrid, goals.Markets]:
    grid = goals.grid(mu_home, mu_away, p, rho)
    return grid, grid.markets()


def forecast_shape(match: Match, details: ForecastDetails, *, now: datetime) -> dict[str, object]:
    """Return a forecast in the shape of the API."""
    home_goals, away_goals = details.markets.most_likely
    version = details.version
    return {
        "match": match.pk,
        "kickoff_at": match.kickoff_at,
        "probabilities": _named(details.p),
        "fair_odds": {name: 1.0 / value if value > 0 else None for name, value in _named(details.p).items()},
        "expected_goals": {"home": details.markets.expected_home, "away": details.markets.expected_away},
        "markets": {
            "goal_lines": [
                {"line": line, "over": over, "under": details.markets.under[line]}
                for line, over in details.markets.over.items()
            ],
            "both_score": details.markets.both_score,
            "most_likely": {
                "home_goals": home_goals,
                "away_goals": away_goals,
                "probability": details.markets.p_most_likely,
            },
        },
        "scorelines": details.grid.cells,
        "base_rates": _named(details.base_rates),
        "contributions": details.contributions,
        "model": version and model_shape(version),
        "data_snapshot": details.data_snapshot,
        "as_of": details.as_of,
        "published_at": details.published_at,
        "is_frozen": match.kickoff_at <= now,
        "degraded": details.degraded,
    }


def model_shape(version: ModelVersion) -> dict[str, object]:
    """Return a model version in the shape of the API."""
    return {
        "world": version.world,
        "version": version.number,
        "estimator": version.estimator,
        "inputs": version.inputs,
    }


def _named(triple: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("home", "draw", "away"), triple, strict=True))
