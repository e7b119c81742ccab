"""The Django app of the project package."""

from django.apps import AppConfig


class SpaiConfig(AppConfig):
    """Registers every Celery task in every process, and gives all admins one style."""

    name = "spai"

    def ready(self) -> None:
        """Import the task modules of all apps, so that any process can send them, and restyle the plain admins."""
        from spai.admin import adopt_plain_admins
        from spai.celery import app

        app.autodiscover_tasks(force=True)
        adopt_plain_admins()
