"""Models in the memory of this process, and their forecasts; import from here.

A request reads `latest`, which the thread of `refresh_models` replaces; a worker calls `current`.
"""

from apps.ml.serving.champions import current, latest
from apps.ml.serving.forecasts import ServedForecasts, ServedNumbers, features_of, forecast, numbers
from apps.ml.serving.loaded_models import forget, is_warm, loaded, request_refresh
from apps.ml.serving.refreshing import refresh_models
from apps.ml.serving.requested_versions import version
from apps.ml.serving.served_models import NotServedError, ServedModel, StillLoadingError
from apps.ml.serving.shadow_versions import shadows

__all__ = [
    "NotServedError",
    "ServedForecasts",
    "ServedModel",
    "ServedNumbers",
    "StillLoadingError",
    "current",
    "features_of",
    "forecast",
    "forget",
    "is_warm",
    "latest",
    "loaded",
    "numbers",
    "refresh_models",
    "request_refresh",
    "shadows",
    "version",
]
