"""Ratings of the strength of teams, kept through promotion and relegation."""

from apps.ml.forecasting.features.ratings.dixon_coles import DixonColesRatings
from apps.ml.forecasting.features.ratings.elo import EloRatings
from apps.ml.forecasting.features.ratings.gap import GapRatings
from apps.ml.forecasting.features.ratings.market import MarketRatings
from apps.ml.forecasting.features.ratings.performance import PerformanceRatings
from apps.ml.forecasting.features.ratings.pi import PiRatings
from apps.ml.forecasting.features.ratings.poisson_filter import PoissonFilterRatings

__all__ = [
    "DixonColesRatings",
    "EloRatings",
    "GapRatings",
    "MarketRatings",
    "PerformanceRatings",
    "PiRatings",
    "PoissonFilterRatings",
]
