"""The one door to MLflow: log, register, alias."""

from __future__ import annotations


def set_alias(*, world: str, alias: str, number: int) -> None:
    """Point an alias of the world's registered model to a version."""
    from mlflow import MlflowClient

    MlflowClient().set_registered_model_alias(f"spai-{world}", alias, str(number))
