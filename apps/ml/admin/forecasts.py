"""What was forecast and how it went, in the admin: read-only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.matches.admin import FactAdmin
from apps.ml.models import FeatureSnapshot, Prediction, Score, SeasonForecast


@admin.register(Prediction)
class PredictionAdmin(FactAdmin):
    """Published forecasts."""

    list_display = ("published_at", "match_id", "version", "p_home", "p_draw", "p_away", "data_snapshot")
    list_filter = ("version__world",)
    not_listed = ("version__metrics", "version__gates", "version__columns")
    ordering = ("-id",)
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        return super().get_queryset(request).select_related("version").defer("version__bundle")


@admin.register(Score)
class ScoreAdmin(FactAdmin):
    """Scores of published forecasts."""

    list_display = (
        "settled_at",
        "match_id",
        "world",
        "outcome",
        "log_loss",
        "rps",
        "base_rps",
        "market_rps",
        "revision",
    )
    list_filter = ("world",)
    ordering = ("-id",)
    sortable_by = ()


@admin.register(FeatureSnapshot)
class FeatureSnapshotAdmin(FactAdmin):
    """Feature states that workers stored for the other processes."""

    list_display = ("world", "version_id", "data_snapshot", "created_at")
    exclude = ("state",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeatureSnapshot]:
        return super().get_queryset(request).defer("state")


@admin.register(SeasonForecast)
class SeasonForecastAdmin(FactAdmin):
    """Simulated seasons."""

    list_display = ("as_of", "season", "version_id", "data_snapshot", "simulations", "remaining", "is_whole")
    list_select_related = ("season__competition",)
    not_listed = ("table",)
