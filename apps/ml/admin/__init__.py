"""Admin of models: runs, versions, champions and forecasts."""

from apps.ml.admin import champions, forecasts, policies, runs, versions

__all__ = ["champions", "forecasts", "policies", "runs", "versions"]
