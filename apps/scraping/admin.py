"""The office's view of sources: switch them on and off, ask for a visit, see what came of each."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from apps.matches.admin import FactAdmin
from apps.scraping import selectors, services
from apps.scraping.models import ScrapeRun, Source

OUTCOME_LABELS = {"stored": "success", "unchanged": "info", "failed": "danger", "never": "warning", "running": "info"}


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    """Where matches come from."""

    list_display = ("name", "is_enabled", "every", "shown_latest", "shown_outcome", "requested_at")
    list_editable = ("is_enabled",)
    readonly_fields = ("name", "seed", "anchor_at", "requested_at")
    ordering = ("name",)
    actions = ["scrape_now"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        """Bring the newest run along."""
        return selectors.sources()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Sources come with the code that can read them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Their runs stay."""
        return False

    @display(description="latest visit")
    def shown_latest(self, source: Any) -> str:
        """When the newest run began."""
        return f"{source.latest_started_at:%Y-%m-%d %H:%M:%S}" if source.latest_started_at else "never"

    @display(description="outcome", label=OUTCOME_LABELS)
    def shown_outcome(self, source: Any) -> str:
        """What came of the newest run."""
        if source.latest_started_at is None:
            return "never"
        return source.latest_outcome or "running"

    @action(description="Visit now")
    def scrape_now(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Mark the chosen sources as due and wake the worker."""
        names = services.request_visits(queryset.values_list("pk", flat=True), now=timezone.now())
        if names:
            messages.success(request, f"A visit was asked for: {', '.join(names)}. Its run appears below Scrape runs.")
        else:
            messages.warning(request, "None of these sources is enabled; switch it on first.")


@admin.register(ScrapeRun)
class ScrapeRunAdmin(FactAdmin):
    """Every visit to a source."""

    list_display = ("started_at", "source", "shown_outcome", "shown_seconds", "ingest", "detail")
    list_filter = ("source", "outcome")
    list_select_related = ("source", "ingest")
    ordering = ("-started_at",)

    @display(description="outcome", label=OUTCOME_LABELS)
    def shown_outcome(self, run: ScrapeRun) -> str:
        """What came of it."""
        return run.outcome or "running"

    @display(description="seconds")
    def shown_seconds(self, run: ScrapeRun) -> str:
        """Duration."""
        return f"{(run.finished_at - run.started_at).total_seconds():.2f}" if run.finished_at else ""
