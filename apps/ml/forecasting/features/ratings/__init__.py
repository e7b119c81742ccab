"""Ratings: one or a few numbers for the strength of each team, carried through promotion and relegation."""

from apps.ml.forecasting.features.ratings.dixon_coles import DixonColes
from apps.ml.forecasting.features.ratings.elo import Elo

__all__ = ["DixonColes", "Elo"]
