"""The Django app of the project package."""

from django.apps import AppConfig
from django.conf import settings


class SpaiConfig(AppConfig):
    """Registers every Celery task in every process, and gives all admins one style."""

    name = "spai"

    def ready(self) -> None:
        """Import all tasks, so that any process can send them; restyle the plain admins; start traces and reports."""
        from spai.admin import adopt_plain_admins
        from spai.celery import app

        app.autodiscover_tasks(force=True)
        adopt_plain_admins()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT or settings.SENTRY_DSN:
            from spai import observability

            if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
                observability.start_tracing(settings.OTEL_EXPORTER_OTLP_ENDPOINT, settings.SPAI_ROLE)
            if settings.SENTRY_DSN:
                observability.start_error_reports(
                    settings.SENTRY_DSN, revision=settings.SPAI_REVISION, role=settings.SPAI_ROLE
                )
