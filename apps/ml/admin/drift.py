"""Drift in the admin: in words, and as the report of Evidently."""

from __future__ import annotations

import gzip
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.decorators import display

from apps.matches.admin import FactAdmin, number_in
from apps.ml import selectors
from apps.ml.models import DriftReport

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; sandbox allow-scripts"
)
"""Content security policy of the report of Evidently: its scripts draw it, fetch nothing and have no origin."""

SHOWN: Final = 15
"""Features in the table: those that have drifted, and the next ones up to so many."""


@admin.register(DriftReport)
class DriftReportAdmin(FactAdmin):
    """What was found each day."""

    list_display = ("day", "world", "version", "shown_verdict", "shown_score", "computed_at")
    list_filter = ("world", "is_drifted")
    ordering = ("-id",)
    exclude = ("features", "predictions", "concept", "page")
    not_listed = ("version__metrics", "version__gates", "version__columns")
    change_form_template = "admin/ml/driftreport/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[DriftReport]:
        return super().get_queryset(request).select_related("version").defer("version__bundle", "page")

    @display(description="found", label={"drift": "danger", "no drift": "success"})
    def shown_verdict(self, report: DriftReport) -> str:
        return "drift" if report.is_drifted else "no drift"

    @display(description="score", ordering="score")
    def shown_score(self, report: DriftReport) -> str:
        """Largest statistic over its threshold; 1 and more is drift."""
        return f"{report.score:.2f}"

    def get_urls(self) -> list[URLPattern]:
        """Add the URL of the report of Evidently."""
        page = path("<int:report_id>/page/", self.admin_site.admin_view(self.page), name="ml_driftreport_page")
        return [page, *super().get_urls()]

    def page(self, request: HttpRequest, report_id: int) -> HttpResponse:
        """Return the report of Evidently: a self-contained page, whose scripts are kept from everything else."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        kept = DriftReport.objects.filter(pk=report_id).values_list("page", flat=True).first()
        if not kept:
            raise Http404("There is no report of Evidently of this day.")
        response = HttpResponse(gzip.decompress(bytes(kept)), content_type="text/html; charset=utf-8")
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = PAGE_POLICY
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add what was found, in words."""
        row = self.get_queryset(request).filter(pk=number_in(object_id)).first()
        context = dict(extra_context or {})
        if row is not None:
            found = selectors.drift_of(row)
            drifted = sum(each.is_drifted for each in found.features.measured)
            context |= {
                "drift": found,
                "drifted": drifted,
                "shown": found.features.measured[: max(SHOWN, drifted)],
                "has_page": DriftReport.objects.filter(pk=row.pk).exclude(page=b"").exists(),
            }
        return super().change_view(request, object_id, form_url, context)
