"""Registered versions in the admin: the list, and the page of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import display

from apps.matches.admin import number_in
from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.admin.version_decisions import VersionDecisionsAdmin
from apps.ml.admin.version_pages import VersionPagesAdmin
from apps.ml.models import EvaluationArtifacts, ModelVersion
from apps.ml.pipeline import card
from apps.ml.policy import AUTOMATIC

COMPARISONS_SHOWN = 5


@admin.register(ModelVersion)
class ModelVersionAdmin(VersionDecisionsAdmin, VersionPagesAdmin):
    """Registered versions."""

    list_display = (
        "number",
        "world",
        "shown_stage",
        "estimator",
        "shown_log_loss",
        "shown_gates",
        "profile",
        "as_of",
        "created_at",
    )
    list_filter = ("world", "estimator", "profile")
    ordering = ("-id",)
    # The panel above, the report and the model card show these in readable form.
    exclude = ("bundle", "metrics", "gates", "columns")
    csv_columns = (
        *("world", "number", "shown_stage", "estimator", "inputs", "profile", "as_of", "rows", "trained_from"),
        *("trained_to", "csv_log_loss", "csv_rps", "csv_brier", "csv_ece", "csv_accuracy", "csv_base_log_loss"),
        *("passed_gates", "data_snapshot", "data_sha256", "params_sha256", "code_revision", "mlflow_run_id"),
        *("pipeline_run_id", "created_at"),
    )
    side_by_side_of = selectors.versions_side_by_side
    named_by = ("world", "number")
    change_form_template = "admin/ml/modelversion/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).defer("bundle")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Read the stages of all rows at once."""
        self._read_stages()
        return super().changelist_view(request, extra_context)

    def as_csv(self, request: HttpRequest) -> HttpResponse:
        self._read_stages()
        return super().as_csv(request)

    def _read_stages(self) -> None:
        # A parallel request may replace them by newer ones, which are as good for this one.
        self.stages_by_world = {world: selectors.stages(world) for world in World}

    @display(
        description="stage",
        label={
            "champion": "success",
            "challenger": "primary",
            "candidate": "info",
            "smoke": "info",
            "labelled": "warning",
            "refused": "danger",
        },
    )
    def shown_stage(self, version: ModelVersion) -> str:
        return self.stages_by_world[World(version.world)].of(version).value

    def csv_log_loss(self, version: ModelVersion) -> float | None:
        return _score(version, "log_loss")

    def csv_rps(self, version: ModelVersion) -> float | None:
        return _score(version, "rps")

    def csv_brier(self, version: ModelVersion) -> float | None:
        return _score(version, "brier")

    def csv_ece(self, version: ModelVersion) -> float | None:
        return _score(version, "ece")

    def csv_accuracy(self, version: ModelVersion) -> float | None:
        return _score(version, "accuracy")

    def csv_base_log_loss(self, version: ModelVersion) -> float | None:
        scores: dict[str, float] = version.metrics.get("models", {}).get("base_rates", {})
        return scores.get("log_loss")

    @display(description="log loss")
    def shown_log_loss(self, version: ModelVersion) -> str:
        """Log loss of the walk-forward evaluation, in nats."""
        value = _score(version, "log_loss")
        return "–" if value is None else f"{value:.4f}"

    @display(description="gates", label={"passed": "success", "not passed": "danger"})
    def shown_gates(self, version: ModelVersion) -> str:
        return "passed" if version.passed_gates else "not passed"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add stage, comparisons and model card to the page."""
        version = selectors.versions().filter(pk=number_in(object_id)).first()
        context = dict(extra_context or {})
        if version is not None:
            compared = list(selectors.comparisons(version)[:COMPARISONS_SHOWN])
            facts = selectors.card_facts(version, compared[0] if compared else None)
            world = World(version.world)
            stage, policy = selectors.stages(world).of(version), selectors.policy(world)
            is_judged = stage == selectors.VersionStage.CHALLENGER and policy.mode == AUTOMATIC
            context |= {
                "version": version,
                "stage": stage,
                "why_not_by_itself": services.why_not_by_itself(version, policy=policy, now=timezone.now())
                if is_judged
                else "",
                "why_not_champion": services.why_not_champion(version),
                "compared": compared,
                "has_report": EvaluationArtifacts.objects.filter(version=version).exists(),
                "card": card.markdown(facts),
                "scores": selectors.scores_of(version.metrics),
                "champion": selectors.champion(World(version.world)),
                "mlflow_address": mlflow_address(version),
            }
            gap = selectors.closing_gap(world)
            if gap is not None and gap.version_id == version.pk:
                context |= {"gap": gap, "gap_rows": gap_rows(gap.content)}
        return super().change_view(request, object_id, form_url, context)


def gap_rows(content: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the rows of the table of gaps: title, number of matches, and both scores with their intervals."""
    titles = {"live": "live, all published forecasts", "back_test": "back-tested", "difference": "difference"}
    return [
        (title, {"n": content[name].get("n"), "scores": [content[name]["log_loss"], content[name]["rps"]]})
        for name, title in titles.items()
        if content[name] is not None
    ]


def mlflow_address(version: ModelVersion) -> str:
    """Return the page of a version's run in MLflow, without a login; empty where MLflow has no web pages."""
    parts = urlsplit(settings.MLFLOW_TRACKING_URI)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")
    return f"{place}/#/runs/{version.mlflow_run_id}"


def _score(version: ModelVersion, name: str) -> float | None:
    """Return a score of the walk-forward evaluation of the version's own model."""
    scores: dict[str, float] = version.metrics.get("models", {}).get(version.estimator, {})
    return scores.get(name)
