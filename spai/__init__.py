"""Wiring: settings, Celery, the three processes and the one-machine stack. No app imports this package."""

from spai.celery import app as celery_app

__all__ = ["celery_app"]
