"""Admin of models: runs, versions, champions and forecasts."""

from apps.ml.admin import champions, forecasts, runs, versions

__all__ = ["champions", "forecasts", "runs", "versions"]
