"""Features as folds: `build_features` for the past, `FeatureState` for what comes, the same kernels in both."""

from apps.ml.forecasting.features.blocks import FeatureBlock
from apps.ml.forecasting.features.catalogue import Feature
from apps.ml.forecasting.features.family import FeatureFamily
from apps.ml.forecasting.features.state import (
    FAMILIES,
    FeatureState,
    LateResultError,
    LookAheadError,
    StateFormatError,
    build_features,
    catalogue,
    offline_as_of,
)

__all__ = [
    "FAMILIES",
    "Feature",
    "FeatureBlock",
    "FeatureFamily",
    "FeatureState",
    "LateResultError",
    "LookAheadError",
    "StateFormatError",
    "build_features",
    "catalogue",
    "offline_as_of",
]
