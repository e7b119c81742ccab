"""The app of pages, REST API, push and push-in."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The web interfaces for people and programs."""

    name = "apps.api"
    verbose_name = "API"
