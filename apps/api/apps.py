"""The app of faces: pages, REST and push."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Everything that is shown to people and programs."""

    name = "apps.api"
    verbose_name = "API"
