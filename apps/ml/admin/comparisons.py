"""Comparisons of candidates with champions in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.matches.admin import ExportedAdmin, number_in
from apps.ml.models import Comparison


@admin.register(Comparison)
class ComparisonAdmin(ExportedAdmin):
    """Comparisons of candidates with champions."""

    list_display = ("decided_at", "world", "shown_candidate", "champion", "shown_verdict", "n", "reason")
    list_filter = ("world", "verdict")
    ordering = ("-id",)
    change_form_template = "admin/ml/comparison/change_form.html"
    csv_columns = (
        *("decided_at", "world", "csv_candidate", "csv_champion", "verdict", "n", "reason", "csv_not_met", "key"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Comparison]:
        rows = super().get_queryset(request).select_related("candidate", "champion")
        return rows.defer("candidate__bundle", "champion__bundle", "candidate__metrics", "champion__metrics")

    def csv_candidate(self, comparison: Comparison) -> int:
        return comparison.candidate.number

    def csv_champion(self, comparison: Comparison) -> int:
        return comparison.champion.number

    def csv_not_met(self, comparison: Comparison) -> str:
        return "; ".join(str(line["name"]) for line in comparison.failed)

    @display(description="candidate")
    def shown_candidate(self, comparison: Comparison) -> SafeString:
        address = reverse("admin:ml_modelversion_change", args=[comparison.candidate_id])
        return format_html('<a class="spai-link" href="{}">{}</a>', address, comparison.candidate)

    @display(description="verdict", label={"may take over": "success", "stays a candidate": "warning"})
    def shown_verdict(self, comparison: Comparison) -> str:
        return comparison.get_verdict_display()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_queryset(request).filter(pk=number_in(object_id)).first()
        return super().change_view(request, object_id, form_url, {"comparison": row, **(extra_context or {})})
