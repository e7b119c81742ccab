"""The operator's view of models: run the pipeline, watch it, promote, roll back."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, time
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.matches.admin import FactAdmin
from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.models import (
    Comparison,
    Dossier,
    FeatureCatalogue,
    FeatureSnapshot,
    ModelVersion,
    PipelineRun,
    Prediction,
    Promotion,
    Score,
    SeasonForecast,
    ServedWorld,
)
from apps.ml.pipeline import card

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""What the report of a run may do in a browser: look like something."""

COMPARISONS_SHOWN = 5

STOP_POLLING = 286
"""The status by which a partial tells htmx to ask no more."""


class RunForm(BaseDialogForm):
    """What to build: the world, how much work to put in, and as of when."""

    world = forms.ChoiceField(choices=World.choices, widget=UnfoldAdminSelectWidget)
    profile = forms.ChoiceField(
        choices=[("production", "production"), ("smoke", "smoke: minutes less, and never better")],
        widget=UnfoldAdminSelectWidget,
    )
    as_of_date = forms.DateField(
        required=False,
        label="As of",
        help_text="Facts before 00:00 UTC of this day. Empty for today.",
        widget=UnfoldAdminDateWidget,
    )

    def clean_as_of_date(self) -> date | None:
        """Refuse a day that has not begun."""
        day: date | None = self.cleaned_data["as_of_date"]
        if day is not None and day > timezone.now().date():
            raise forms.ValidationError("That day has not begun in UTC; choose today or an earlier day.")
        return day


class ReasonForm(BaseDialogForm):
    """Why a champion is made or unmade."""

    reason = forms.CharField(
        max_length=400,
        help_text="Kept with the decision, for whoever reads it later.",
        widget=UnfoldAdminTextareaWidget,
    )


class PromoteForm(ReasonForm):
    """A reason, beside what speaks against the version."""

    def __init__(self, *args: Any, object_id: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, object_id=object_id, **kwargs)
        version = selectors.versions().filter(pk=object_id).first() if object_id else None
        against = selectors.against_promotion(version) if version else []
        if against:
            self.fields["reason"].help_text = format_html(
                "<b>Against it:</b><ul>{}</ul>{}",
                format_html_join("", "<li>{}</li>", ((line,) for line in against)),
                self.fields["reason"].help_text,
            )


class RollBackForm(ReasonForm):
    """A reason, and the promotion that the operator looks at while writing it."""

    world = World.REAL
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        present = selectors.champion(self.world)
        self.initial["seen"] = present.pk if present else None


class RollBackSandboxForm(RollBackForm):
    """The same for the sandbox."""

    world = World.SANDBOX


@admin.register(PipelineRun)
class PipelineRunAdmin(FactAdmin):
    """Runs of the pipeline, with live progress."""

    list_display = ("id", "world", "shown_status", "as_of", "profile", "shown_stage", "requested_by", "created_at")
    list_filter = ("world", "status", "profile")
    ordering = ("-id",)
    actions_list = ("run_pipeline",)
    actions_detail = ("run_again",)
    change_form_template = "admin/ml/pipelinerun/change_form.html"

    @display(
        description="status",
        label={"queued": "info", "running": "info", "succeeded": "success", "unchanged": "success", "failed": "danger"},
    )
    def shown_status(self, run: PipelineRun) -> str:
        """The status as a label."""
        return run.status

    @display(description="stage")
    def shown_stage(self, run: PipelineRun) -> str:
        """The stage under way, or how many there were."""
        running = [stage["name"] for stage in run.stages if stage["status"] == "running"]
        done = sum(stage["status"] in ("done", "unchanged") for stage in run.stages)
        return running[0] if running else f"{done} of {len(run.stages)}"

    @action(
        description="Run the pipeline",
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        permissions=["run"],
        dialog={
            "title": "Run the pipeline",
            "description": "Exports the matches, builds features, trains, evaluates and registers a version. "
            "It promotes nothing unless the world has no champion yet.",
            "form_class": RunForm,
            "form_submit_text": "Run",
        },
    )
    def run_pipeline(self, request: HttpRequest, form: RunForm) -> HttpResponse:
        """Queue a run and go to its page."""
        day = form.cleaned_data["as_of_date"]
        run = services.queue_run(
            world=World(form.cleaned_data["world"]),
            profile=form.cleaned_data["profile"],
            as_of=datetime.combine(day, time(), tzinfo=UTC) if day else None,
            requested_by=request.user.get_username(),
            reason="asked for in the admin",
            now=timezone.now(),
        )
        messages.success(request, f"{run} is queued; this page follows it.".capitalize())
        return HttpResponseClientRedirect(reverse("admin:ml_pipelinerun_change", args=[run.pk]))

    @action(
        description="Run again as of the same day",
        icon="replay",
        permissions=["run"],
        dialog={
            "title": "Run again",
            "description": "The same world, profile and day. Stages whose inputs did not change are not repeated.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Run again",
        },
    )
    def run_again(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        """Queue a run with the pinned day of this one."""
        earlier = PipelineRun.objects.get(pk=object_id)
        run = services.queue_run(
            world=World(earlier.world),
            profile=earlier.profile,
            as_of=earlier.as_of,
            requested_by=request.user.get_username(),
            reason=f"run {earlier.pk} again",
            now=timezone.now(),
        )
        messages.success(request, f"{run} is queued; this page follows it.".capitalize())
        return HttpResponseClientRedirect(reverse("admin:ml_pipelinerun_change", args=[run.pk]))

    def has_run_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may queue runs."""
        return bool(request.user.has_perm("ml.add_pipelinerun"))

    def get_urls(self) -> list[URLPattern]:
        """Add the partial that the page of a run asks for once a second."""
        progress = path(
            "<int:run_id>/progress/", self.admin_site.admin_view(self.progress), name="ml_pipelinerun_progress"
        )
        return [progress, *super().get_urls()]

    def progress(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """Render how far a run is."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = PipelineRun.objects.filter(pk=run_id).first()
        if run is None:
            raise Http404
        status = STOP_POLLING if run.is_over else 200
        return render(
            request,
            "admin/ml/pipelinerun/progress.html",
            {"run": run, "versions": run.versions.defer("bundle")},
            status=status,
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the run with its versions beside the read-only fields."""
        run = PipelineRun.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        context = {"run": run, "versions": run.versions.defer("bundle") if run else (), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)


@admin.register(ModelVersion)
class ModelVersionAdmin(FactAdmin):
    """Registered versions; they are compared and promoted here."""

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
    exclude = ("bundle",)
    actions_detail = ("promote_version", "compare_again")
    change_form_template = "admin/ml/modelversion/change_form.html"

    def has_promote_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may make a champion."""
        return bool(request.user.has_perm("ml.add_promotion"))

    def has_compare_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may ask for a comparison."""
        return bool(request.user.has_perm("ml.add_comparison"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        """Leave the bundles in the database."""
        return super().get_queryset(request).defer("bundle")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Ask once for all rows where each stands."""
        # Another request may put newer ones in their place meanwhile; they are as true for this one.
        self.stands = {world: selectors.stages(world) for world in World}
        return super().changelist_view(request, extra_context)

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
        """Where the version stands."""
        return self.stands[World(version.world)].of(version).value

    @display(description="log loss")
    def shown_log_loss(self, version: ModelVersion) -> str:
        """Log loss of the walk-forward evaluation, in nats."""
        model = version.metrics.get("models", {}).get(version.estimator, {})
        return f"{model['log_loss']:.4f}" if "log_loss" in model else "–"

    @display(description="gates", label={"passed": "success", "not passed": "danger"})
    def shown_gates(self, version: ModelVersion) -> str:
        """Whether every gate let it through."""
        return "passed" if version.passed_gates else "not passed"

    @action(
        description="Promote to champion",
        icon="workspace_premium",
        variant=ActionVariant.PRIMARY,
        permissions=["promote"],
        dialog={
            "title": "Promote to champion",
            "description": "Every process serves this version within seconds, and new forecasts are published by it. "
            "Forecasts already published stay as they are. A rollback takes it back.",
            "form_class": PromoteForm,
            "form_submit_text": "Promote",
        },
    )
    def promote_version(self, request: HttpRequest, form: PromoteForm, object_id: int) -> HttpResponse:
        """Make the version champion."""
        version = selectors.versions().get(pk=object_id)
        against = selectors.against_promotion(version)
        try:
            services.promote(version=version, user=request.user, reason=form.cleaned_data["reason"], now=timezone.now())
        except services.PromotionRefusedError as refusal:
            messages.error(request, str(refusal))
        else:
            note = f" Against it spoke: {'; '.join(against)}." if against else ""
            messages.success(request, f"{version} is champion.{note}".capitalize())
        return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))

    @action(
        description="Compare with the champion again",
        icon="balance",
        permissions=["compare"],
        dialog={
            "title": "Compare with the champion",
            "description": "Both are judged by their forecasts of the same matches, made before those were played, "
            "under the rules in params.yaml. Nothing is promoted; the same files and rules give the row that is there.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Compare",
        },
    )
    def compare_again(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        """Compare the version with the present champion."""
        version = selectors.versions().get(pk=object_id)
        try:
            found = services.compare(version=version, now=timezone.now())
        except services.NothingToCompareError as nothing:
            messages.warning(request, str(nothing))
        else:
            messages.success(request, f"{version} {found.get_verdict_display()}: {found.reason}.".capitalize())
        return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))

    def get_urls(self) -> list[URLPattern]:
        """Add the way to the report of the evaluation."""
        report = path(
            "<int:version_id>/report/", self.admin_site.admin_view(self.report), name="ml_modelversion_report"
        )
        return [report, *super().get_urls()]

    def report(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Show the report that a run wrote: it brings its own style and drawings, and runs nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        kept = Dossier.objects.filter(version_id=version_id).values_list("report", flat=True).first()
        if kept is None:
            raise Http404("No report is kept of this version.")
        response = HttpResponse(gzip.decompress(bytes(kept)), content_type="text/html; charset=utf-8")
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = REPORT_POLICY
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show where the version stands and why beside the read-only fields."""
        version = selectors.versions().filter(pk=object_id).first() if object_id.isdigit() else None
        context = dict(extra_context or {})
        if version is not None:
            compared = list(selectors.comparisons(version)[:COMPARISONS_SHOWN])
            facts = selectors.card_facts(version, compared[0] if compared else None)
            context |= {
                "version": version,
                "stage": selectors.stages(World(version.world)).of(version),
                "compared": compared,
                "has_report": Dossier.objects.filter(version=version).exists(),
                "card": card.markdown(facts),
            }
        return super().change_view(request, object_id, form_url, context)


@admin.register(Comparison)
class ComparisonAdmin(FactAdmin):
    """Which candidate was compared with which champion, and what came of it."""

    list_display = ("decided_at", "world", "shown_candidate", "champion", "shown_verdict", "n", "reason")
    list_filter = ("world", "verdict")
    ordering = ("-id",)
    change_form_template = "admin/ml/comparison/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Comparison]:
        """Bring the versions along, without their bundles."""
        rows = super().get_queryset(request).select_related("candidate", "champion")
        return rows.defer("candidate__bundle", "champion__bundle", "candidate__metrics", "champion__metrics")

    @display(description="candidate")
    def shown_candidate(self, comparison: Comparison) -> SafeString:
        """The candidate, as a link."""
        address = reverse("admin:ml_modelversion_change", args=[comparison.candidate_id])
        return format_html('<a class="spai-link" href="{}">{}</a>', address, comparison.candidate)

    @display(description="verdict", label={"may take over": "success", "stays a candidate": "warning"})
    def shown_verdict(self, comparison: Comparison) -> str:
        """The verdict in words."""
        return comparison.get_verdict_display()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the criteria as a table."""
        row = self.get_queryset(request).filter(pk=object_id).first() if object_id.isdigit() else None
        return super().change_view(request, object_id, form_url, {"comparison": row, **(extra_context or {})})


@admin.register(FeatureCatalogue)
class FeatureCatalogueAdmin(FactAdmin):
    """What features meant, run by run."""

    list_display = ("sha256", "shown_size", "created_at")
    ordering = ("-created_at",)

    @display(description="features")
    def shown_size(self, catalogue: FeatureCatalogue) -> int:
        """How many features it describes."""
        return len(catalogue.features)


@admin.register(Promotion)
class PromotionAdmin(FactAdmin):
    """Who was champion when, by whose decision and why."""

    list_display = ("decided_at", "world", "kind", "shown_version", "shown_previous", "decided_by", "reason")
    list_filter = ("world", "kind")
    ordering = ("-id",)
    actions_list = ("roll_back_sandbox", "roll_back_real")

    def has_promote_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may unmake a champion."""
        return bool(request.user.has_perm("ml.add_promotion"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Promotion]:
        """Bring the versions along, without their bundles."""
        rows = super().get_queryset(request).select_related("version", "previous")
        return rows.defer("version__bundle", "previous__bundle")

    @display(description="champion")
    def shown_version(self, promotion: Promotion) -> str:
        """The version that became champion, as a link."""
        address = reverse("admin:ml_modelversion_change", args=[promotion.version_id])
        return format_html('<a href="{}">{}</a>', address, promotion.version)

    @display(description="before")
    def shown_previous(self, promotion: Promotion) -> str:
        """The version that was champion before."""
        return str(promotion.previous) if promotion.previous else "–"

    def _roll_back(self, request: HttpRequest, form: RollBackForm) -> HttpResponse:
        try:
            promotion = services.rollback(
                world=form.world,
                user=request.user,
                reason=form.cleaned_data["reason"],
                seen=form.cleaned_data["seen"],
                now=timezone.now(),
            )
        except services.PromotionRefusedError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{promotion.version} is champion again.".capitalize())
        return HttpResponseClientRedirect(reverse("admin:ml_promotion_changelist"))

    @action(
        description="Roll back the sandbox",
        icon="undo",
        permissions=["promote"],
        dialog={
            "title": "Roll back the sandbox",
            "description": "The version that was champion before the present one becomes champion again.",
            "form_class": RollBackSandboxForm,
            "form_submit_text": "Roll back",
        },
    )
    def roll_back_sandbox(self, request: HttpRequest, form: RollBackSandboxForm) -> HttpResponse:
        """Undo the newest promotion of the sandbox."""
        return self._roll_back(request, form)

    @action(
        description="Roll back the real world",
        icon="undo",
        permissions=["promote"],
        dialog={
            "title": "Roll back the real world",
            "description": "The version that was champion before the present one becomes champion again.",
            "form_class": RollBackForm,
            "form_submit_text": "Roll back",
        },
    )
    def roll_back_real(self, request: HttpRequest, form: RollBackForm) -> HttpResponse:
        """Undo the newest promotion of the real world."""
        return self._roll_back(request, form)


class ServedWorldForm(BaseDialogForm):
    """Which world the pages show first."""

    world = forms.ChoiceField(choices=World.choices, widget=UnfoldAdminSelectWidget)


@admin.register(ServedWorld)
class ServedWorldAdmin(FactAdmin):
    """The operator's choice of the world that pages show first."""

    list_display = ("world", "chosen_at")
    actions_list = ("choose",)

    def has_choose_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may choose the world that is shown first."""
        return bool(request.user.has_perm("ml.change_servedworld"))

    @action(
        description="Choose the world that pages show first",
        icon="public",
        permissions=["choose"],
        dialog={
            "title": "Choose a world",
            "description": "Both stay reachable; this one is shown to whoever does not ask for the other.",
            "form_class": ServedWorldForm,
            "form_submit_text": "Choose",
        },
    )
    def choose(self, request: HttpRequest, form: ServedWorldForm) -> HttpResponse:
        """Let the pages show the chosen world first."""
        world = World(form.cleaned_data["world"])
        services.choose_served_world(world=world, now=timezone.now())
        messages.success(request, f"Pages show the {world.label} world first.")
        return HttpResponseClientRedirect(reverse("admin:ml_servedworld_changelist"))


@admin.register(Prediction)
class PredictionAdmin(FactAdmin):
    """Published forecasts."""

    list_display = ("published_at", "match_id", "version", "p_home", "p_draw", "p_away", "data_snapshot")
    list_filter = ("version__world",)
    ordering = ("-id",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        """Bring the version along, without its bundle."""
        return super().get_queryset(request).select_related("version").defer("version__bundle")


@admin.register(Score)
class ScoreAdmin(FactAdmin):
    """Grades of published forecasts."""

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
    show_full_result_count = False


@admin.register(FeatureSnapshot)
class FeatureSnapshotAdmin(FactAdmin):
    """Feature states that workers keep for the other processes."""

    list_display = ("world", "version_id", "data_snapshot", "created_at")
    exclude = ("state",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeatureSnapshot]:
        """Leave the states in the database."""
        return super().get_queryset(request).defer("state")


@admin.register(SeasonForecast)
class SeasonForecastAdmin(FactAdmin):
    """Simulated ends of seasons."""

    list_display = ("as_of", "season", "version_id", "data_snapshot", "simulations", "remaining", "is_whole")
    list_select_related = ("season__competition",)
