"""The wiring as a Django app: what must be in place once every app is loaded."""

from django.apps import AppConfig


class SpaiConfig(AppConfig):
    """Makes every task known in every process, so that a wake-up finds its name and queue."""

    name = "spai"

    def ready(self) -> None:
        """Import the task modules of all apps."""
        from spai.celery import app

        app.autodiscover_tasks(force=True)
