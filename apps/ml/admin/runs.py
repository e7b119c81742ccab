"""Admin of pipeline runs: requested here with their parameters, followed, cancelled, repeated and compared."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from apps.matches.admin import number_in, number_of
from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.admin.run_forms import BackTestForm, DescriptionForm, RetryForm, RunForm
from apps.ml.admin.side_by_side import SideBySideAdmin
from apps.ml.models import ModelVersion, PipelineRun, StageLog
from apps.ml.params_schema import ParametersRefusedError

MATCH_ID = re.compile(r"\bmatch_id=(\d{1,18})\b")
"""The match in a row that a gate refused."""


class TagFilter(admin.SimpleListFilter):
    """Runs with a tag."""

    title = "tag"
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(tag, tag) for tag in selectors.run_tags()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PipelineRun]) -> QuerySet[PipelineRun]:
        return queryset.filter(tags__contains=[self.value()]) if self.value() else queryset


@admin.register(PipelineRun)
class PipelineRunAdmin(SideBySideAdmin):
    """Runs of the pipeline, with live progress."""

    list_display = (
        "id",
        "world",
        "kind",
        "shown_status",
        "as_of",
        "profile",
        "shown_stage",
        "shown_tags",
        "requested_by",
        "created_at",
    )
    list_filter = ("world", "kind", "status", "profile", TagFilter)
    search_fields = ("notes", "reason", "requested_by")
    not_listed = ("log", "params", "dvc_lock", "metrics")
    ordering = ("-id",)
    # The page shows the others in readable form.
    fields = (
        "world",
        "kind",
        "back_test_of",
        "status",
        "created_at",
        "started_at",
        "finished_at",
        "attempts",
        "code_revision",
    )
    actions_list = ("run_pipeline", "back_test_champion")
    actions_detail = ("cancel_run", "run_again", "retry_run", "describe_run")
    change_form_template = "admin/ml/pipelinerun/change_form.html"
    csv_columns = (
        *("id", "world", "profile", "as_of", "status", "kind", "requested_by", "reason", "cancelled_by", "notes"),
        *("csv_tags", "csv_overrides", "created_at", "started_at", "finished_at", "csv_failed_stage", "csv_error"),
        "code_revision",
    )
    side_by_side_of = selectors.runs_side_by_side
    named_by = ("id",)

    @display(
        description="status",
        label={
            "Queued": "info",
            "Running": "info",
            "Interrupted, resumes": "warning",
            "Succeeded": "success",
            "Unchanged": "success",
            "Failed": "danger",
            "Cancelled": "warning",
        },
    )
    def shown_status(self, run: PipelineRun) -> str:
        return selectors.with_actual_status(run).get_status_display()

    @display(description="stage")
    def shown_stage(self, run: PipelineRun) -> str:
        """Return the running stage, or the number of finished ones."""
        running = [stage["name"] for stage in run.stages if stage["status"] in ("running", "interrupted")]
        done = sum(stage["status"] in ("done", "unchanged") for stage in run.stages)
        return running[0] if running else f"{done} of {len(run.stages)}"

    @display(description="tags")
    def shown_tags(self, run: PipelineRun) -> str:
        return ", ".join(run.tags)

    def csv_tags(self, run: PipelineRun) -> str:
        return " ".join(run.tags)

    def csv_overrides(self, run: PipelineRun) -> str:
        return "; ".join(f"{name}={value}" for name, value in run.overrides.items())

    def csv_failed_stage(self, run: PipelineRun) -> str | None:
        return run.error.get("stage")

    def csv_error(self, run: PipelineRun) -> str | None:
        return run.error.get("message")

    @action(
        description="Run the pipeline",
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        permissions=["run"],
        dialog={
            "title": "Run the pipeline",
            "description": "Exports the matches, builds features, trains, evaluates and registers a version. "
            "It promotes nothing unless the world has no champion yet. Empty parameters are those of params.yaml.",
            "form_class": RunForm,
            "form_submit_text": "Run",
        },
    )
    def run_pipeline(self, request: HttpRequest, form: RunForm) -> HttpResponse:
        return self._queue(request, form, reason="requested in the admin")

    @action(
        description="Back-test the champion",
        icon="history",
        permissions=["run"],
        dialog={
            "title": "Back-test the champion",
            "description": "Forecasts the latest finished season of each competition once more, with the estimator and "
            "the parameters of the champion and the facts of now. It registers nothing. A night with new facts has one "
            "anyway.",
            "form_class": BackTestForm,
            "form_submit_text": "Back-test",
        },
    )
    def back_test_champion(self, request: HttpRequest, form: BackTestForm) -> HttpResponse:
        try:
            run = services.queue_back_test(
                world=World(form.cleaned_data["world"]),
                requested_by=request.user.get_username(),
                reason="requested in the admin",
                now=timezone.now(),
            )
        except services.RunRefusedError as refusal:
            messages.error(request, str(refusal))
            return HttpResponseClientRedirect(reverse("admin:ml_pipelinerun_changelist"))
        messages.success(request, capfirst(f"{run} is queued; this page follows it."))
        return _page_of(run)

    def offers_run_again(self, row_id: int) -> bool:
        """Return whether the run trains: a back-test has the parameters of its version and no others."""
        return PipelineRun.objects.filter(pk=row_id, kind=PipelineRun.RunKind.TRAINING).exists()

    @action(
        description="Change parameters and run again",
        icon="tune",
        permissions=["run"],
        dialog={
            "title": "Change parameters and run again",
            "description": "World, profile, day and parameters of this run are filled in. Stages whose inputs did not "
            "change are not repeated.",
            "form_class": RunForm,
            "form_submit_text": "Run",
        },
    )
    def run_again(self, request: HttpRequest, form: RunForm, object_id: str) -> HttpResponse:
        return self._queue(request, form, reason=f"run {number_of(object_id)} again")

    def _queue(self, request: HttpRequest, form: RunForm, *, reason: str) -> HttpResponse:
        try:
            run = self._queue_by(request, form, reason)
        except (services.RunRefusedError, ParametersRefusedError) as refusal:
            messages.error(request, str(refusal))
            return HttpResponseClientRedirect(reverse("admin:ml_pipelinerun_changelist"))
        messages.success(request, capfirst(f"{run} is queued; this page follows it."))
        return _page_of(run)

    def _queue_by(self, request: HttpRequest, form: RunForm, reason: str) -> PipelineRun:
        return services.queue_run(
            world=World(form.cleaned_data["world"]),
            profile=form.cleaned_data["profile"],
            as_of=form.as_of,
            overrides=form.overrides,
            notes=form.cleaned_data["notes"],
            tags=form.cleaned_data["tags"],
            requested_by=request.user.get_username(),
            reason=reason,
            now=timezone.now(),
        )

    def offers_retry_run(self, row_id: int) -> bool:
        """Return whether some stage has its inputs from this run."""
        run = PipelineRun.objects.filter(pk=row_id).first()
        return run is not None and bool(services.stages_to_retry(run))

    @action(
        description="Retry from a stage",
        icon="replay",
        permissions=["run"],
        dialog={
            "title": "Retry from a stage",
            "description": "A new run begins where this one is to be repeated.",
            "form_class": RetryForm,
            "form_submit_text": "Retry",
        },
    )
    def retry_run(self, request: HttpRequest, form: RetryForm, object_id: str) -> HttpResponse:
        earlier = get_object_or_404(PipelineRun, pk=number_of(object_id))
        try:
            run = services.retry_run(
                run_id=earlier.pk,
                stage=form.cleaned_data["stage"],
                by=request.user.get_username(),
                now=timezone.now(),
            )
        except services.RunRefusedError as refusal:
            messages.error(request, str(refusal))
            return _page_of(earlier)
        messages.success(request, capfirst(f"{run} is queued; this page follows it."))
        return _page_of(run)

    def offers_cancel_run(self, row_id: int) -> bool:
        """Return whether the run has not ended."""
        return PipelineRun.objects.filter(pk=row_id, status__in=selectors.UNFINISHED).exists()

    @action(
        description="Cancel",
        icon="cancel",
        variant=ActionVariant.DANGER,
        permissions=["run"],
        dialog={
            "title": "Cancel the run",
            "description": "A run that waits is not begun; a running one is stopped within seconds, with all its "
            "processes. The next run in the queue begins then. What its finished stages made is kept.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Cancel the run",
        },
    )
    def cancel_run(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        run = get_object_or_404(PipelineRun, pk=number_of(object_id))
        try:
            done = services.cancel_run(run_id=run.pk, by=request.user.get_username(), now=timezone.now())
        except services.RunRefusedError as refusal:
            messages.error(request, str(refusal))
        else:
            said = "is cancelled." if done.is_new else f"was cancelled by {done.run.cancelled_by} before."
            messages.success(request, capfirst(f"{run} {said}"))
        return _page_of(run)

    @action(
        description="Notes and tags",
        icon="edit_note",
        permissions=["run"],
        dialog={
            "title": "Notes and tags",
            "description": "They are shown with the run, searched and filtered by, and exported.",
            "form_class": DescriptionForm,
            "form_submit_text": "Save",
        },
    )
    def describe_run(self, request: HttpRequest, form: DescriptionForm, object_id: str) -> HttpResponse:
        run = get_object_or_404(PipelineRun, pk=number_of(object_id))
        services.describe_run(
            run_id=run.pk,
            notes=form.cleaned_data["notes"],
            tags=form.cleaned_data["tags"],
            by=request.user.get_username(),
            now=timezone.now(),
        )
        messages.success(request, "Notes and tags are saved.")
        return _page_of(run)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> PipelineRun | None:
        run = super().get_object(request, object_id, from_field)
        if run is not None and run.back_test_of_id is not None:
            # The page names the version, and needs none of its files.
            run.back_test_of = ModelVersion.objects.defer("bundle").get(pk=run.back_test_of_id)
        return None if run is None else selectors.with_actual_status(run)

    def get_fields(self, request: HttpRequest, obj: PipelineRun | None = None) -> Sequence[str]:
        """Leave the version out that a back-test is of where the run is none."""
        if obj is not None and obj.is_back_test:
            return self.fields
        return [name for name in self.fields if name != "back_test_of"]

    def has_run_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("ml.add_pipelinerun"))

    def get_urls(self) -> list[URLPattern]:
        """Add the partial that the page of a run polls once a second, and the logs of its stages."""
        view = self.admin_site.admin_view
        return [
            path("<int:run_id>/progress/", view(self.progress), name="ml_pipelinerun_progress"),
            path("<int:run_id>/log/<str:stage>/", view(self.stage_log), name="ml_pipelinerun_stage_log"),
            *super().get_urls(),
        ]

    def progress(self, request: HttpRequest, run_id: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = PipelineRun.objects.filter(pk=run_id).first()
        if run is None:
            raise Http404
        run = selectors.with_actual_status(run)
        if run.is_over:
            # Buttons and fields of the page are those of a run that goes on.
            return HttpResponseClientRefresh()
        return render(request, "admin/ml/pipelinerun/progress.html", self._progress_context(request, run))

    def _progress_context(self, request: HttpRequest, run: PipelineRun) -> dict[str, Any]:
        may = {"may_run": self.has_run_permission(request), "may_promote": request.user.has_perm("ml.add_promotion")}
        return run_context(run) | may

    def stage_log(self, request: HttpRequest, run_id: int, stage: str) -> HttpResponse:
        """Return what one stage wrote, as plain text."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        log = get_object_or_404(StageLog, run_id=run_id, stage=stage)
        return HttpResponse(log.text, content_type="text/plain; charset=utf-8")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id) if number_in(object_id) >= 0 else None
        context = dict(extra_context or {})
        if run is not None:
            earlier = selectors.runs(World(run.world)).filter(pk__lt=run.pk, profile=run.profile, kind=run.kind)
            context |= self._progress_context(request, run) | {
                "parameters": json.dumps(run.params, indent=2),
                "retries": list(run.retries.values_list("pk", flat=True)),
                "before": earlier.values_list("pk", flat=True).first(),
            }
        return super().change_view(request, object_id, form_url, context)


def run_context(run: PipelineRun) -> dict[str, Any]:
    """Return what the page of a run shows: its progress, its versions and how they compare, its error in words."""
    durations = selectors.stage_durations(run.world, run.profile, kind=run.kind, before=run.pk)
    versions = list(run.versions.defer("bundle"))
    champion = selectors.champion(World(run.world)) if versions else None
    stages = services.read_stages()
    failed = stages.get(run.error.get("stage"), {})
    return {
        "run": run,
        "waits_for": selectors.run_before(run) if run.status == PipelineRun.RunStatus.QUEUED else None,
        "durations": list(durations.values()),
        "progress": selectors.run_progress(run, durations, now=timezone.now()),
        "about_stages": {name: stage.get("desc", "") for name, stage in stages.items()},
        "logged": set(run.stage_logs.values_list("stage", flat=True)),
        "versions": [_outcome(version, champion.version if champion else None) for version in versions],
        "what_failed": failed.get("desc", ""),
        "parameters_of_failed": [
            name for each in failed.get("params", ()) for names in each.values() for name in names
        ],
        "rows": [(row, match[1] if (match := MATCH_ID.search(row)) else None) for row in run.error.get("rows", ())],
        "can_retry": bool(services.stages_to_retry(run)),
        "scores": selectors.scores_of(run.metrics) if run.is_back_test and run.metrics else [],
        "lines": run.metrics.get("benchmarks", ()) if run.is_back_test else (),
        "tested": run.metrics.get("test") if run.is_back_test else None,
    }


def _outcome(version: ModelVersion, champion: ModelVersion | None) -> dict[str, Any]:
    """Return a version that a run made, with the champion and its newest comparison with it."""
    compared = selectors.comparisons(version).filter(champion=champion).first() if champion else None
    return {
        "version": version,
        "champion": champion,
        "comparison": compared,
        "why_not_champion": services.why_not_champion(version),
    }


def _page_of(run: PipelineRun) -> HttpResponse:
    return HttpResponseClientRedirect(reverse("admin:ml_pipelinerun_change", args=[run.pk]))
