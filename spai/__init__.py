"""The project package: settings, Celery, the web processes and the one-machine stack. No app imports it."""

from spai.celery import app as celery_app

__all__ = ["celery_app"]
