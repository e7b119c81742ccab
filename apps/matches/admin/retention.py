"""Admin of how long things are kept, and of what was deleted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat, pluralize
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.matches import services
from apps.matches.admin.audited import AuditedAdmin
from apps.matches.admin.facts import FactAdmin
from apps.matches.models import RetentionPeriod, RetentionRun
from apps.matches.retention import KINDS
from apps.matches.services import PeriodInForce


def _in_words(days: int) -> str:
    return f"{days} day{pluralize(days)}" if days else "for ever"


@admin.register(RetentionPeriod)
class RetentionPeriodAdmin(AuditedAdmin):
    """Periods of all kinds."""

    list_display = ("kind", "shown_days", "shown_newest", "shown_what")
    fields = ("kind", "shown_what", "days", "shown_default", "newest")
    readonly_fields = ("kind", "shown_what", "shown_default")
    ordering = ("kind",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RetentionPeriod | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        services.ensure_periods()
        self.periods_in_force = services.periods_in_force()
        return super().changelist_view(request, extra_context)

    def get_readonly_fields(self, request: HttpRequest, obj: RetentionPeriod | None = None) -> tuple[str, ...]:
        counted = obj is None or obj.kind not in KINDS or KINDS[obj.kind].newest is not None
        return self.readonly_fields if counted else (*self.readonly_fields, "newest")

    def _in_force(self, period: RetentionPeriod) -> PeriodInForce | None:
        return self.periods_in_force.get(period.kind)

    @display(description="kept")
    def shown_days(self, period: RetentionPeriod) -> str:
        in_force = self._in_force(period)
        if in_force is None:
            return "no longer a kind"
        kept = _in_words(in_force.days)
        return kept if in_force.is_default else f"{kept} (changed)"

    @display(description="newest that stay")
    def shown_newest(self, period: RetentionPeriod) -> str:
        in_force = self._in_force(period)
        return str(in_force.newest) if in_force and in_force.kind.newest is not None else "–"

    @display(description="what is deleted")
    def shown_what(self, period: RetentionPeriod) -> str:
        kind = KINDS.get(period.kind)
        return kind.what if kind else ""

    @display(description="default")
    def shown_default(self, period: RetentionPeriod) -> str:
        kind = KINDS.get(period.kind)
        if kind is None:
            return ""
        kept = _in_words(services.default_days(kind))
        return kept if kind.newest is None else f"{kept}, and the newest {kind.newest} of each world"


@admin.register(RetentionRun)
class RetentionRunAdmin(FactAdmin):
    """What each run deleted."""

    list_display = ("started_at", "requested_by", "shown_deleted", "shown_freed", "shown_size", "finished_at")
    ordering = ("-started_at",)
    readonly_fields = ("shown_kinds", "shown_errors", "shown_sizes", "shown_free")
    fields = ("started_at", "finished_at", "requested_by", *readonly_fields)

    @display(description="rows deleted")
    def shown_deleted(self, run: RetentionRun) -> str:
        return f"{sum(gone['rows'] for gone in run.deleted.values()):,}"

    @display(description="freed in files")
    def shown_freed(self, run: RetentionRun) -> str:
        return filesizeformat(sum(gone["bytes"] for gone in run.deleted.values()))

    @display(description="on disk afterwards")
    def shown_size(self, run: RetentionRun) -> str:
        return filesizeformat(sum(run.sizes.values())) if run.sizes else "–"

    @display(description="deleted")
    def shown_kinds(self, run: RetentionRun) -> SafeString:
        lines = (
            (kind, f"{gone['rows']:,}", f"{gone['files']:,}", filesizeformat(gone["bytes"]))
            for kind, gone in run.deleted.items()
        )
        return format_html_join("", "{}: {} rows, {} files, {}<br>", lines) or SafeString("nothing")

    @display(description="not finished")
    def shown_errors(self, run: RetentionRun) -> SafeString:
        return format_html_join("", "{}: {}<br>", run.errors.items()) or SafeString("nothing")

    @display(description="free afterwards")
    def shown_free(self, run: RetentionRun) -> str:
        return filesizeformat(run.free_bytes) if run.free_bytes is not None else "–"

    @display(description="on disk afterwards")
    def shown_sizes(self, run: RetentionRun) -> SafeString:
        sizes = sorted(run.sizes.items(), key=lambda item: -item[1])
        return format_html_join("", "{}: {}<br>", ((name, filesizeformat(size)) for name, size in sizes if size))
