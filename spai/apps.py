"""The wiring as a Django app: what must be in place once every app is loaded."""

from django.apps import AppConfig


class SpaiConfig(AppConfig):
    """Makes every task known in every process, and every admin look alike."""

    name = "spai"

    def ready(self) -> None:
        """Import the task modules of all apps, so that a wake-up finds its name and queue, and style their admins."""
        from spai.admin import adopt_plain_admins
        from spai.celery import app

        app.autodiscover_tasks(force=True)
        adopt_plain_admins()
