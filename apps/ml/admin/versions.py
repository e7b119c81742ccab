"""Registered versions in the admin: compared, read about and promoted here."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldBooleanSwitchWidget

from apps.matches.admin import ExportedAdmin, FactAdmin, ReasonForm, csv_response
from apps.matches.models import World
from apps.matches.services import record_action
from apps.ml import selectors, services
from apps.ml.admin.side_by_side import SideBySideAdmin
from apps.ml.charts import trend_line
from apps.ml.models import Comparison, EvaluationArtifacts, FeatureCatalogue, ModelVersion
from apps.ml.pipeline import card
from apps.ml.policy import AUTOMATIC

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""Content security policy of the report: it may use its own styles and pictures, and run nothing."""

COMPARISONS_SHOWN = 5

CHARTED = {"log_loss": "Log loss", "rps": "RPS", "ece": "ECE", "accuracy": "Accuracy"}
"""Scores that the charts show."""


class PromoteForm(ReasonForm):
    """A reason, with the warnings about the version, and whether it is promoted despite them."""

    despite = forms.BooleanField(
        required=False,
        label="Promote it despite the warnings",
        help_text="Nothing else is asked. Versions that cannot be loaded are refused all the same.",
        widget=UnfoldBooleanSwitchWidget,
    )

    def __init__(self, *args: Any, object_id: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, object_id=object_id, **kwargs)
        version = selectors.versions().filter(pk=object_id).first() if object_id else None
        against = selectors.promotion_warnings(version) if version else []
        if not against:
            del self.fields["despite"]
        else:
            self.fields["reason"].help_text = format_html(
                "<b>Warnings:</b><ul>{}</ul>{}",
                format_html_join("", "<li>{}</li>", ((line,) for line in against)),
                self.fields["reason"].help_text,
            )


class RollBackToForm(ReasonForm):
    """A reason, and the newest promotion at the time when the form was opened."""

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, object_id: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, object_id=object_id, **kwargs)
        version = selectors.versions().filter(pk=object_id).first() if object_id else None
        present = selectors.champion(World(version.world)) if version else None
        self.initial["seen"] = present.pk if present else None


@admin.register(ModelVersion)
class ModelVersionAdmin(SideBySideAdmin):
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
    actions_detail = ("promote_version", "decline_version", "reconsider_version", "roll_back_to", "compare_again")
    list_links = (("admin:ml_modelversion_charts", "Charts across versions"),)
    csv_columns = (
        *("world", "number", "shown_stage", "estimator", "inputs", "profile", "as_of", "rows", "trained_from"),
        *("trained_to", "csv_log_loss", "csv_rps", "csv_brier", "csv_ece", "csv_accuracy", "csv_base_log_loss"),
        *("passed_gates", "data_snapshot", "data_sha256", "params_sha256", "code_revision", "mlflow_run_id"),
        *("pipeline_run_id", "created_at"),
    )
    side_by_side_of = selectors.versions_side_by_side
    named_by = ("world", "number")
    change_form_template = "admin/ml/modelversion/change_form.html"

    def has_promote_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("ml.add_promotion"))

    def has_compare_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("ml.add_comparison"))

    def offers_promote_version(self, row_id: int) -> bool:
        """Return whether the version can become champion."""
        version = selectors.versions().filter(pk=row_id).first()
        return version is not None and not services.why_not_champion(version)

    def offers_decline_version(self, row_id: int) -> bool:
        """Return whether the version is a challenger."""
        return self._stage_of(row_id) == selectors.VersionStage.CHALLENGER

    def offers_reconsider_version(self, row_id: int) -> bool:
        """Return whether the version was declined."""
        return self._stage_of(row_id) == selectors.VersionStage.DECLINED

    def _stage_of(self, row_id: int) -> selectors.VersionStage | None:
        version = selectors.versions().filter(pk=row_id).first()
        return selectors.stages(World(version.world)).of(version) if version else None

    def offers_roll_back_to(self, row_id: int) -> bool:
        """Return whether the version can replace a champion."""
        version = selectors.versions().filter(pk=row_id).first()
        if version is None or services.why_not_champion(version):
            return False
        return selectors.champion(World(version.world)) is not None

    def offers_compare_again(self, row_id: int) -> bool:
        """Return whether the version can be compared with a champion."""
        version = selectors.versions().filter(pk=row_id).first()
        return version is not None and not services.why_not_compared(version)

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

    @action(
        description="Promote to champion",
        icon="workspace_premium",
        variant=ActionVariant.PRIMARY,
        permissions=["promote"],
        dialog={
            "title": "Promote to champion",
            "description": "Every process serves this version within seconds and publishes new forecasts with it. "
            "Published forecasts stay as they are. A rollback undoes the promotion.",
            "form_class": PromoteForm,
            "form_submit_text": "Promote",
        },
    )
    def promote_version(self, request: HttpRequest, form: PromoteForm, object_id: int) -> HttpResponse:
        version = selectors.versions().get(pk=object_id)
        against = selectors.promotion_warnings(version)
        try:
            services.promote(
                version=version,
                user=request.user,
                reason=form.cleaned_data["reason"],
                despite=form.cleaned_data.get("despite", False),
                now=timezone.now(),
            )
        except services.PromotionRefusedError as refusal:
            messages.error(request, str(refusal))
        else:
            note = f" Warnings: {'; '.join(against)}." if against else ""
            messages.success(request, capfirst(f"{version} is champion.{note}"))
        return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))

    @action(
        description="Decline",
        icon="block",
        permissions=["promote"],
        dialog={
            "title": "Decline this version",
            "description": "It is not proposed or promoted by itself and stops forecasting in shadow. “Consider again” "
            "undoes this, and you can still promote it.",
            "form_class": ReasonForm,
            "form_submit_text": "Decline",
        },
    )
    def decline_version(self, request: HttpRequest, form: ReasonForm, object_id: int) -> HttpResponse:
        return _decide(request, form, object_id, services.decline, "is declined", "had been declined before")

    @action(
        description="Consider again",
        icon="undo",
        permissions=["promote"],
        dialog={
            "title": "Consider this version again",
            "description": "It may take over as before, by its newest comparison with the champion.",
            "form_class": ReasonForm,
            "form_submit_text": "Consider again",
        },
    )
    def reconsider_version(self, request: HttpRequest, form: ReasonForm, object_id: int) -> HttpResponse:
        return _decide(request, form, object_id, services.reconsider, "may take over again", "is not declined")

    @action(
        description="Roll back to this version",
        icon="undo",
        permissions=["promote"],
        dialog={
            "title": "Roll back to this version",
            "description": "It becomes champion at once, whatever comparisons say; nothing is promoted by itself for a "
            "while. Published forecasts stay as they are.",
            "form_class": RollBackToForm,
            "form_submit_text": "Roll back",
        },
    )
    def roll_back_to(self, request: HttpRequest, form: RollBackToForm, object_id: int) -> HttpResponse:
        version = selectors.versions().get(pk=object_id)
        try:
            services.rollback(
                world=World(version.world),
                to=version,
                user=request.user,
                reason=form.cleaned_data["reason"],
                seen=form.cleaned_data["seen"],
                now=timezone.now(),
            )
        except services.PromotionRefusedError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, capfirst(f"{version} is champion."))
        return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))

    @action(
        description="Compare with the champion again",
        icon="balance",
        permissions=["compare"],
        dialog={
            "title": "Compare with the champion",
            "description": "Both are compared by their out-of-sample forecasts of the same matches, "
            "by the policy of their world. Nothing is promoted. An earlier comparison of the same files is reused.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Compare",
        },
    )
    def compare_again(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        version = selectors.versions().get(pk=object_id)
        now = timezone.now()
        try:
            with transaction.atomic():
                found = services.compare(version=version, now=now)
                record_action(
                    by=request.user,
                    action="compared with the champion",
                    about=version,
                    also=[found],
                    after=f"{found.get_verdict_display()}: {found.reason}",
                    now=now,
                )
        except services.NothingToCompareError as nothing:
            messages.warning(request, str(nothing))
        else:
            messages.success(request, capfirst(f"{version} {found.get_verdict_display()}: {found.reason}."))
        return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))

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
        reigns = selectors.champion_periods(world)
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
            "champions": set(reigns),
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

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add stage, comparisons and model card to the page."""
        version = selectors.versions().filter(pk=object_id).first() if object_id.isdigit() else None
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


def _decide(
    request: HttpRequest, form: ReasonForm, version_id: int, decide: Callable[..., bool], done: str, not_done: str
) -> HttpResponse:
    """Decline a version or consider it again, and say what came of it."""
    version = selectors.versions().get(pk=version_id)
    if decide(version=version, user=request.user, reason=form.cleaned_data["reason"], now=timezone.now()):
        messages.success(request, f"{capfirst(str(version))} {done}.")
    else:
        messages.warning(request, f"{capfirst(str(version))} {not_done}.")
    return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))


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
        row = self.get_queryset(request).filter(pk=object_id).first() if object_id.isdigit() else None
        return super().change_view(request, object_id, form_url, {"comparison": row, **(extra_context or {})})


@admin.register(FeatureCatalogue)
class FeatureCatalogueAdmin(FactAdmin):
    """Catalogues of features."""

    list_display = ("sha256", "shown_size", "created_at")
    ordering = ("-created_at",)

    @display(description="features")
    def shown_size(self, catalogue: FeatureCatalogue) -> int:
        return len(catalogue.features)
