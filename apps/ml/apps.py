"""The app of machine learning: kept matches become probabilities."""

from django.apps import AppConfig


class MlConfig(AppConfig):
    """Pipeline runs, model versions, promotions, predictions and their scores."""

    name = "apps.ml"
    verbose_name = "Models"
