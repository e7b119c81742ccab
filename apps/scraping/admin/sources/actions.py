"""Actions on a source; each calls one service and shows its result."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from apps.matches.admin import OfferingAdmin, number_of
from apps.scraping import selectors, services
from apps.scraping.admin.sources.forms import PeriodForm, PermissionForm, ScopeForm
from apps.scraping.models import Snapshot, Source
from apps.scraping.politeness import BreakerState


class SourceActions(OfferingAdmin):
    """The actions, who may use them, and in which states of a source they are offered."""

    def has_scrape_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("scraping.add_scraperun"))

    def has_rule_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may decide whether a source is scraped at all."""
        return bool(request.user.has_perm("scraping.change_source"))

    def has_switch_on_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._has_rule_permission_in(request, object_id, is_enabled=False)

    def has_switch_off_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._has_rule_permission_in(request, object_id, is_enabled=True)

    def has_confirm_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._has_rule_permission_in(request, object_id, needs_permission=True, permission_confirmed_at=None)

    def has_withdraw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._has_rule_permission_in(request, object_id, permission_confirmed_at__isnull=False)

    def _has_rule_permission_in(self, request: HttpRequest, object_id: Any, **state: Any) -> bool:
        """Whether the user may rule over a source that is in a state: an action without effect is not shown."""
        if not self.has_rule_permission(request):
            return False
        return Source.objects.filter(pk=number_of(object_id), **state).exists()

    def offers_scrape_now(self, row_id: int) -> bool:
        source = Source.objects.filter(pk=row_id).first()
        return source is not None and not services.why_off(source)

    def offers_back_fill(self, row_id: int) -> bool:
        return self.offers_scrape_now(row_id)

    def offers_reparse(self, row_id: int) -> bool:
        return Snapshot.objects.filter(source=row_id).exists()

    def offers_switch_on(self, row_id: int) -> bool:
        """Whether the source needs no permission, or has it."""
        return not Source.objects.filter(pk=row_id, needs_permission=True, permission_confirmed_at=None).exists()

    def offers_resume_host(self, row_id: int) -> bool:
        source = Source.objects.filter(pk=row_id).first()
        state = selectors.host_state_of(services.base_url_of(source)) if source else None
        return state is not None and state.state != BreakerState.CLOSED

    @action(
        description="Scrape now",
        icon="travel_explore",
        variant=ActionVariant.PRIMARY,
        permissions=["scrape"],
        dialog={
            "title": "Scrape now",
            "description": "A worker starts at once; the page of the run shows its progress.",
            "form_class": ScopeForm,
            "form_submit_text": "Scrape",
        },
    )
    def scrape_now(self, request: HttpRequest, form: ScopeForm, object_id: int) -> HttpResponse:
        source = Source.objects.get(pk=object_id)
        try:
            run = services.request_run(
                source=source, scope=form.cleaned_data["scope"], by=request.user.get_username(), now=timezone.now()
            )
        except services.REFUSALS as refusal:
            return _show_refusal(request, refusal, source)
        return HttpResponseClientRedirect(reverse("admin:scraping_scraperun_change", args=[run.pk]))

    @action(
        description="Back-fill…",
        icon="history",
        permissions=["scrape"],
        dialog={
            "title": "Back-fill",
            "description": "One run for each month, oldest first, after all other runs. Final pages that are stored "
            "are not fetched again.",
            "form_class": PeriodForm,
            "form_submit_text": "Back-fill",
        },
    )
    def back_fill(self, request: HttpRequest, form: PeriodForm, object_id: int) -> HttpResponse:
        source = Source.objects.get(pk=object_id)
        try:
            runs = services.request_backfill(
                source=source,
                start=form.cleaned_data["start"],
                end=form.cleaned_data["end"],
                by=request.user.get_username(),
                now=timezone.now(),
            )
        except services.REFUSALS as refusal:
            return _show_refusal(request, refusal, source)
        messages.success(request, f"{len(runs)} runs are waiting, one for each month; the first starts at once.")
        listed = reverse("admin:scraping_scraperun_changelist")
        return HttpResponseClientRedirect(f"{listed}?source__id__exact={source.pk}&scope__exact=backfill")

    @action(
        description="Re-parse stored pages",
        icon="menu_book",
        permissions=["scrape"],
        dialog={
            "title": "Re-parse stored pages",
            "description": "Every stored page is parsed again by the current code. No request is sent to the site.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Re-parse",
        },
    )
    def reparse(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        source = Source.objects.get(pk=object_id)
        try:
            run = services.request_reparse(source=source, by=request.user.get_username(), now=timezone.now())
        except services.REFUSALS as refusal:
            return _show_refusal(request, refusal, source)
        return HttpResponseClientRedirect(reverse("admin:scraping_scraperun_change", args=[run.pk]))

    @action(
        description="Switch on",
        icon="toggle_on",
        permissions=["switch_on"],
        dialog={
            "title": "Switch on",
            "description": "From now on it is scraped by the timetable, at the pace of its delay.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Switch on",
        },
    )
    def switch_on(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        return self._switch(request, object_id, is_on=True)

    @action(
        description="Switch off",
        icon="toggle_off",
        permissions=["switch_off"],
        dialog={
            "title": "Switch off",
            "description": "No request is sent to it any more. Its matches and stored pages stay.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Switch off",
        },
    )
    def switch_off(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        return self._switch(request, object_id, is_on=False)

    def _switch(self, request: HttpRequest, object_id: int, *, is_on: bool) -> HttpResponse:
        source = Source.objects.get(pk=object_id)
        try:
            services.switch(source=source, is_on=is_on, by=request.user.get_username(), now=timezone.now())
        except services.REFUSALS as refusal:
            return _show_refusal(request, refusal, source)
        messages.success(
            request,
            f"{source.name} is on; its timetable is under Periodic tasks."
            if is_on
            else f"{source.name} is off: no request is sent to it.",
        )
        return HttpResponseClientRedirect(_page_of(source))

    @action(
        description="Confirm a permission…",
        icon="verified_user",
        permissions=["confirm"],
        dialog={
            "title": "Confirm a permission",
            "description": "WhoScored's owners have asked a scraper to stop. SPAI scrapes it only for an operator who "
            "has their permission, and never evades a block.",
            "form_class": PermissionForm,
            "form_submit_text": "I have their permission",
        },
    )
    def confirm_permission(self, request: HttpRequest, form: PermissionForm, object_id: int) -> HttpResponse:
        source = Source.objects.get(pk=object_id)
        try:
            services.confirm_permission(
                source=source, by=request.user.get_username(), note=form.cleaned_data["note"], now=timezone.now()
            )
        except services.REFUSALS as refusal:
            return _show_refusal(request, refusal, source)
        messages.success(request, f"The permission is recorded. {source.name} may now be switched on.")
        return HttpResponseClientRedirect(_page_of(source))

    @action(
        description="Withdraw the permission",
        icon="gpp_bad",
        permissions=["withdraw"],
        dialog={
            "title": "Withdraw the permission",
            "description": "The source is switched off, and stays off until a permission is confirmed again.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Withdraw",
        },
    )
    def withdraw_permission(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        source = Source.objects.get(pk=object_id)
        services.withdraw_permission(source=source, by=request.user.get_username(), now=timezone.now())
        messages.success(request, f"{source.name} is off, its permission withdrawn.")
        return HttpResponseClientRedirect(_page_of(source))

    @action(
        description="Resume a halted host",
        icon="play_circle",
        permissions=["rule"],
        dialog={
            "title": "Resume the host",
            "description": "The host refused or failed. First open a page yourself; if the site refuses, ask its "
            "owner instead of trying again.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Resume",
        },
    )
    def resume_host(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        source = Source.objects.get(pk=object_id)
        state = selectors.host_state_of(services.base_url_of(source))
        if state is None or state.state == BreakerState.CLOSED:
            messages.info(request, "Its host is not halted.")
        else:
            services.resume(state=state, by=request.user.get_username(), now=timezone.now())
            messages.success(request, f"Requests to {state.host} may be sent again.")
        return HttpResponseClientRedirect(_page_of(source))


def _show_refusal(request: HttpRequest, refusal: Exception, source: Source) -> HttpResponse:
    messages.error(request, str(refusal))
    return HttpResponseClientRedirect(_page_of(source))


def _page_of(source: Source) -> str:
    return reverse("admin:scraping_source_change", args=[source.pk])
