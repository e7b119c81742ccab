"""Pages and files about versions: charts across them, and the report and the scores of each."""

from __future__ import annotations

import gzip

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path

from apps.matches.admin import csv_response
from apps.matches.models import World
from apps.ml import selectors
from apps.ml.admin.side_by_side import SideBySideAdmin
from apps.ml.charts import trend_line
from apps.ml.models import EvaluationArtifacts

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""Content security policy of the report: it may use its own styles and pictures, and run nothing."""

CHARTED = {"log_loss": "Log loss", "rps": "RPS", "ece": "ECE", "accuracy": "Accuracy"}
"""Scores that the charts show."""


class VersionPagesAdmin(SideBySideAdmin):
    """The pages of versions beside the list and the change form of Django."""

    list_links = (("admin:ml_modelversion_charts", "Charts across versions"),)

    def get_urls(self) -> list[URLPattern]:
        """Add the URLs of the report, of the scores as CSV and of the charts."""
        view = self.admin_site.admin_view
        return [
            path("charts/", view(self.charts), name="ml_modelversion_charts"),
            path("<int:version_id>/report/", view(self.report), name="ml_modelversion_report"),
            path("<int:version_id>/scores.csv", view(self.scores_csv), name="ml_modelversion_scores"),
            *super().get_urls(),
        ]

    def charts(self, request: HttpRequest) -> HttpResponse:
        """Show how the scores moved from version to version of a world and profile."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        given = request.GET.get("world")
        world = World(given) if given in World.values else selectors.served_world()
        profile = request.GET.get("profile", "")
        if profile not in selectors.PROFILES:
            newest = selectors.model_versions(world).values_list("profile", flat=True).first()
            profile = newest or selectors.PROFILES[0]
        scored = selectors.version_scores(world, profile)
        periods = selectors.champion_periods(world)
        drawn = [
            (title, trend_line([(version, scores.get(name)) for version, scores in scored]))
            for name, title in CHARTED.items()
        ]
        context = self.admin_site.each_context(request) | {
            "title": "Charts across versions",
            "opts": self.opts,
            "world": world,
            "worlds": World,
            "profile": profile,
            "profiles": selectors.PROFILES,
            "charts": [(title, chart) for title, chart in drawn if chart is not None],
            "champions": set(periods),
            "champion": selectors.champion(world),
        }
        return render(request, "admin/ml/modelversion/charts.html", context)

    def scores_csv(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Return the scores of all models of a version, and of the lines of prices."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        version = get_object_or_404(selectors.versions(), pk=version_id)
        rows = selectors.scores_of(version.metrics)
        columns = list(rows[0]) if rows else ["model"]
        name = f"scores-{version.world}-{version.number}"
        return csv_response(name, columns, ([row[column] for column in columns] for row in rows))

    def report(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Return the report of the evaluation: a self-contained page without scripts."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        kept = EvaluationArtifacts.objects.filter(version_id=version_id).values_list("report", flat=True).first()
        if kept is None:
            raise Http404("There is no report of this version.")
        response = HttpResponse(gzip.decompress(bytes(kept)), content_type="text/html; charset=utf-8")
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = REPORT_POLICY
        return response
