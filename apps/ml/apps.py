"""The app that trains models on stored matches and publishes forecasts."""

from django.apps import AppConfig


class MlConfig(AppConfig):
    """Pipeline runs, model versions, promotions, predictions and their scores."""

    name = "apps.ml"
    verbose_name = "Models"
