"""The admin's view of models: runs are asked for, versions promoted, facts read."""

from apps.ml.admin import champions, forecasts, runs, versions

__all__ = ["champions", "forecasts", "runs", "versions"]
