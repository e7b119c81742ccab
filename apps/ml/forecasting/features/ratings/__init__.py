"""Ratings: one or a few numbers for the strength of each team, carried through promotion and relegation."""

from apps.ml.forecasting.features.ratings.dixon_coles import DixonColes
from apps.ml.forecasting.features.ratings.elo import Elo
from apps.ml.forecasting.features.ratings.signals import Signals

__all__ = ["DixonColes", "Elo", "Signals"]
