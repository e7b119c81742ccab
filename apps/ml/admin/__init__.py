"""Admin of models: runs, versions, comparisons, champions, forecasts and drift."""

from apps.ml.admin import catalogues, champions, comparisons, drift, forecasts, policies, runs, versions

__all__ = ["catalogues", "champions", "comparisons", "drift", "forecasts", "policies", "runs", "versions"]
