"""Admin of models: runs, versions, champions, forecasts and drift."""

from apps.ml.admin import champions, drift, forecasts, policies, runs, versions

__all__ = ["champions", "drift", "forecasts", "policies", "runs", "versions"]
