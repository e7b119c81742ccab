"""List and page of the sources."""

from __future__ import annotations

import json
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminURLInputWidget

from apps.scraping import selectors, services
from apps.scraping.admin.runs import OUTCOME_LABELS
from apps.scraping.admin.sources.actions import SourceActions
from apps.scraping.admin.sources.summaries import add_summaries, bars, next_request_of, shown_moment
from apps.scraping.models import Source

STATE: Final = (
    "name",
    "reader",
    "is_simulated",
    "shown_state",
    "shown_why_off",
    "shown_troubles",
    "shown_host",
    "shown_next",
)
PERMISSION: Final = ("needs_permission", "permission_confirmed_at", "permission_confirmed_by", "permission_note")
WORLD: Final = ("seed", "anchor_at")


@admin.register(Source)
class SourceAdmin(SourceActions):
    """Sources with their freshness, next run and latest runs."""

    list_display = (
        "name",
        "shown_state",
        "shown_health",
        "shown_fresh",
        "shown_outcome",
        "shown_next",
        "shown_host",
        "shown_spark",
    )
    readonly_fields = (*STATE, *PERMISSION, *WORLD)
    fieldsets = (
        (None, {"fields": STATE}),
        ("How it is scraped", {"fields": ("base_url", "delay", "competitions")}),
        ("Permission", {"fields": PERMISSION}),
        ("The simulated world", {"fields": WORLD, "classes": ("collapse",)}),
    )
    ordering = ("name",)
    show_full_result_count = False
    formfield_overrides = {models.URLField: {"widget": UnfoldAdminURLInputWidget, "assume_scheme": "https"}}
    actions: list[Any] = []
    actions_detail = (
        "scrape_now",
        "back_fill",
        {
            "title": "More",
            "icon": "more_horiz",
            "items": [
                "reparse",
                "switch_on",
                "switch_off",
                "confirm_permission",
                "withdraw_permission",
                "resume_host",
            ],
        },
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        services.ensure_sources(now=timezone.now())
        return selectors.sources()

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Add what all rows need from other tables by one query per table."""
        listed = super().get_changelist_instance(request)
        add_summaries(listed.result_list)
        return listed

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Source | None:
        source: Source | None = super().get_object(request, object_id, from_field)
        if source is not None:
            add_summaries([source])
        return source

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Sources come with the code that reads them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Their pages and runs refer to them."""
        return False

    @display(description="state", label={"on": "success", "off": "info", "needs permission": "warning"})
    def shown_state(self, source: Source) -> str:
        if source.needs_permission and source.permission_confirmed_at is None:
            return "needs permission"
        return "off" if services.why_off(source) else "on"

    @display(description="why it is off")
    def shown_why_off(self, source: Source) -> str:
        return services.why_off(source) or "–"

    @display(description="health", label={"stale": "danger", "odd volume": "warning", "as usual": "success"})
    def shown_health(self, source: Any) -> str:
        """Freshness and volume against its own history."""
        health = source.summary.health
        return "stale" if health.is_stale else "odd volume" if health.volume else "as usual"

    @display(description="health")
    def shown_troubles(self, source: Any) -> str:
        return "; ".join(source.summary.health.troubles) or "as usual"

    @display(description="complete")
    def shown_fresh(self, source: Any) -> str | SafeString:
        """When the latest complete run was requested."""
        return shown_moment(source.complete_at) if source.complete_at else "never"

    @display(description="latest", label=OUTCOME_LABELS)
    def shown_outcome(self, source: Any) -> str:
        if source.latest_run_id is None:
            return "waiting" if source.waiting else "never"
        return (source.latest_outcome or "running").replace("_", " ")

    @display(description="next run")
    def shown_next(self, source: Any) -> str | SafeString:
        """When the timetable requests a run next, and its scope."""
        if services.why_off(source):
            return "–"
        coming = [(next_request_of(row), row) for row in source.summary.timetable]
        if not coming:
            return "not in the timetable"
        moment, row = min(coming, key=lambda pair: pair[0])
        return format_html("{} · {}", shown_moment(moment), json.loads(row.kwargs).get("scope", ""))

    @display(description="host")
    def shown_host(self, source: Any) -> str:
        """Whether the host may get requests, and if not, why."""
        state = source.summary.host
        if state is None:
            return "no request yet"
        if state.open_until is None or state.open_until <= timezone.now():
            return "free"
        return f"{state.get_state_display()} until {state.open_until:%Y-%m-%d %H:%M} UTC: {state.reason}"

    @display(description="latest runs")
    def shown_spark(self, source: Any) -> SafeString:
        """A bar for each of the latest runs: its height is the duration, its colour the outcome."""
        return render_to_string("admin/scraping/spark.html", {"bars": bars(source.summary.runs)})
