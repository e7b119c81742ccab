"""Features as folds over results: `build_features` for history, `FeatureState` online, with the same kernels."""

from apps.ml.forecasting.features.blocks import FeatureBlock
from apps.ml.forecasting.features.catalogue import Feature
from apps.ml.forecasting.features.state import (
    FAMILIES,
    FeatureState,
    LateResultError,
    LookAheadError,
    StateFormatError,
    TeamStrength,
    build_features,
    catalogue,
    offline_as_of,
)

__all__ = [
    "FAMILIES",
    "Feature",
    "FeatureBlock",
    "FeatureState",
    "LateResultError",
    "LookAheadError",
    "StateFormatError",
    "TeamStrength",
    "build_features",
    "catalogue",
    "offline_as_of",
]
