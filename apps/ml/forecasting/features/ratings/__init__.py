"""Ratings: one or a few numbers for the strength of each team, carried through promotion and relegation."""

from apps.ml.forecasting.features.ratings.dixon_coles import DixonColes
from apps.ml.forecasting.features.ratings.elo import Elo
from apps.ml.forecasting.features.ratings.gap import Gap
from apps.ml.forecasting.features.ratings.market import Market
from apps.ml.forecasting.features.ratings.pi import Pi
from apps.ml.forecasting.features.ratings.poisson_filter import PoissonFilter

__all__ = ["DixonColes", "Elo", "Gap", "Market", "Pi", "PoissonFilter"]
