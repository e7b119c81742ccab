"""Admin of pipeline runs: requested here, with live progress."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminSelectWidget

from apps.matches.admin import FactAdmin
from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.models import PipelineRun

STOP_POLLING = 286
"""HTTP status that makes htmx stop polling."""


class RunForm(BaseDialogForm):
    """World, profile and day of a run."""

    world = forms.ChoiceField(choices=World.choices, widget=UnfoldAdminSelectWidget)
    profile = forms.ChoiceField(
        choices=[("production", "production"), ("smoke", "smoke: quicker, only checks the pipeline")],
        widget=UnfoldAdminSelectWidget,
    )
    as_of_date = forms.DateField(
        required=False,
        label="As of",
        help_text="Facts before 00:00 UTC of this day. Empty for today.",
        widget=UnfoldAdminDateWidget,
    )

    def clean_as_of_date(self) -> date | None:
        """Refuse a day in the future."""
        day: date | None = self.cleaned_data["as_of_date"]
        if day is not None and day > timezone.now().date():
            raise forms.ValidationError("That day has not begun in UTC; choose today or an earlier day.")
        return day

    @property
    def as_of(self) -> datetime | None:
        """The chosen instant; None for the latest midnight."""
        day = self.cleaned_data.get("as_of_date")
        return datetime.combine(day, time(), tzinfo=UTC) if day else None

    def clean(self) -> dict[str, Any]:
        """Refuse a run with too little history."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if "world" in given and "as_of_date" in given:
            now = timezone.now()
            try:
                services.refuse_impossible(
                    world=World(given["world"]), as_of=self.as_of or services.latest_midnight(now), now=now
                )
            except services.RunRefusedError as refusal:
                self.add_error("as_of_date" if self.as_of else "world", str(refusal))
        return given


@admin.register(PipelineRun)
class PipelineRunAdmin(FactAdmin):
    """Runs of the pipeline, with live progress."""

    list_display = ("id", "world", "shown_status", "as_of", "profile", "shown_stage", "requested_by", "created_at")
    list_filter = ("world", "status", "profile")
    not_listed = ("log", "params", "dvc_lock", "metrics")
    ordering = ("-id",)
    actions_list = ("run_pipeline",)
    actions_detail = ("run_again",)
    change_form_template = "admin/ml/pipelinerun/change_form.html"

    @display(
        description="status",
        label={
            "Queued": "info",
            "Running": "info",
            "Interrupted, resumes": "warning",
            "Succeeded": "success",
            "Unchanged": "success",
            "Failed": "danger",
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
        run = services.queue_run(
            world=World(form.cleaned_data["world"]),
            profile=form.cleaned_data["profile"],
            as_of=form.as_of,
            requested_by=request.user.get_username(),
            reason="requested in the admin",
            now=timezone.now(),
        )
        messages.success(request, capfirst(f"{run} is queued; this page follows it."))
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
        try:
            run = services.queue_run(
                world=World(earlier.world),
                profile=earlier.profile,
                as_of=earlier.as_of,
                requested_by=request.user.get_username(),
                reason=f"run {earlier.pk} again",
                now=timezone.now(),
            )
        except services.RunRefusedError as refusal:
            messages.error(request, str(refusal))
            return HttpResponseClientRedirect(reverse("admin:ml_pipelinerun_change", args=[earlier.pk]))
        messages.success(request, capfirst(f"{run} is queued; this page follows it."))
        return HttpResponseClientRedirect(reverse("admin:ml_pipelinerun_change", args=[run.pk]))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> PipelineRun | None:
        run = super().get_object(request, object_id, from_field)
        return None if run is None else selectors.with_actual_status(run)

    def has_run_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("ml.add_pipelinerun"))

    def get_urls(self) -> list[URLPattern]:
        """Add the partial that the page of a run polls once a second."""
        progress = path(
            "<int:run_id>/progress/", self.admin_site.admin_view(self.progress), name="ml_pipelinerun_progress"
        )
        return [progress, *super().get_urls()]

    def progress(self, request: HttpRequest, run_id: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = PipelineRun.objects.filter(pk=run_id).first()
        if run is None:
            raise Http404
        run = selectors.with_actual_status(run)
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
        run = self.get_object(request, object_id) if object_id.isdigit() else None
        context = {"run": run, "versions": run.versions.defer("bundle") if run else (), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)
