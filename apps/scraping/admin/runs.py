"""Admin of the scrape runs: their progress while they are at work, and their outcome."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from apps.matches.admin import FactAdmin, number_in
from apps.scraping import selectors, services
from apps.scraping.models import ScrapeRun

STOP_POLLING: Final = 286
"""HTTP status that makes htmx stop polling."""

OUTCOME_LABELS: Final = {
    "stored": "success",
    "unchanged": "success",
    "blocked": "danger",
    "changed layout": "danger",
    "empty": "danger",
    "timeout": "warning",
    "http error": "warning",
    "invalid": "danger",
    "failed": "danger",
    "never": "warning",
    "waiting": "info",
    "running": "info",
}


@admin.register(ScrapeRun)
class ScrapeRunAdmin(FactAdmin):
    """Scrape runs, with live progress."""

    list_display = (
        "requested_at",
        "source",
        "scope",
        "shown_outcome",
        "shown_pages",
        "created",
        "changed",
        "refused",
        "shown_seconds",
        "requested_by",
    )
    list_filter = ("source", "scope", "outcome")
    list_select_related = ("source",)
    ordering = ("-requested_at", "-pk")
    exclude = ("pages", "notes", "doing")
    actions_detail = ("cancel_run", "accept_counts")
    change_form_template = "admin/scraping/scraperun/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScrapeRun]:
        return super().get_queryset(request).defer("pages", "notes")

    def has_scrape_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("scraping.add_scraperun"))

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return (
            self.has_scrape_permission(request)
            and ScrapeRun.objects.filter(pk=number_in(object_id), finished_at__isnull=True).exists()
        )

    def has_accept_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        run = ScrapeRun.objects.filter(pk=number_in(object_id), outcome="invalid").first()
        return self.has_scrape_permission(request) and run is not None and selectors.doubted_addresses(run).exists()

    @display(description="outcome", label=OUTCOME_LABELS)
    def shown_outcome(self, run: ScrapeRun) -> str:
        return run.get_outcome_display() or ("running" if run.started_at else "waiting")

    @display(description="pages")
    def shown_pages(self, run: ScrapeRun) -> str:
        return str(run.pages_done) if run.is_over else f"{run.pages_done} of {run.pages_known or '?'}"

    @display(description="seconds")
    def shown_seconds(self, run: ScrapeRun) -> str:
        return "" if run.seconds is None else f"{run.seconds:.1f}"

    @action(
        description="Cancel",
        icon="cancel",
        permissions=["cancel"],
        dialog={
            "title": "Cancel the run",
            "description": "It ends after its current page, and none of its matches are stored.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Cancel the run",
        },
    )
    def cancel_run(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        run = ScrapeRun.objects.get(pk=object_id)
        if services.cancel(run=run, by=request.user.get_username(), now=timezone.now()):
            messages.success(request, "Cancelled.")
        else:
            messages.info(request, "The run was over already.")
        return HttpResponseClientRedirect(reverse("admin:scraping_scraperun_change", args=[run.pk]))

    @action(
        description="Accept its counts",
        icon="check_circle",
        permissions=["accept"],
        dialog={
            "title": "Accept its counts",
            "description": "The pages list far more or fewer matches than before. When that is right, the next run "
            "accepts them.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Accept",
        },
    )
    def accept_counts(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        run = ScrapeRun.objects.select_related("source").get(pk=object_id)
        pages = services.accept_counts(run=run, by=request.user.get_username(), now=timezone.now())
        messages.success(request, f"Earlier counts of {pages} pages are forgotten; now scrape {run.source.name} again.")
        return HttpResponseClientRedirect(reverse("admin:scraping_scraperun_change", args=[run.pk]))

    def get_urls(self) -> list[URLPattern]:
        """Add the partial that the page of a run polls once a second."""
        progress = path(
            "<int:run_id>/progress/", self.admin_site.admin_view(self.progress), name="scraping_scraperun_progress"
        )
        return [progress, *super().get_urls()]

    def progress(self, request: HttpRequest, run_id: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = ScrapeRun.objects.select_related("source").filter(pk=run_id).first()
        if run is None:
            raise Http404
        status = STOP_POLLING if run.is_over else 200
        return render(request, "admin/scraping/scraperun/progress.html", {"run": run}, status=status)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = ScrapeRun.objects.select_related("source").filter(pk=number_in(object_id)).first()
        return super().change_view(request, object_id, form_url, {"run": run, **(extra_context or {})})
