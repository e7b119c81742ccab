"""The admin's view of sources: what is fresh, what failed and why, and the levers, each of which calls one service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_beat.models import PeriodicTask
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminURLInputWidget,
)

from apps.matches.admin import OfferingAdmin, number_of
from apps.scraping import selectors, services
from apps.scraping.admin.visits import OUTCOME_LABELS
from apps.scraping.models import Lane, ScrapeRun, Snapshot, Source
from apps.scraping.politeness import host_of

REFUSALS: Final = (
    services.SourceIsOffError,
    services.WindowError,
    services.PermissionMissingError,
    services.UnknownSourceError,
)

SPARK_HEIGHT: Final = 24.0
"""Of the picture, in its own units."""


class ScopeForm(BaseDialogForm):
    """What to visit a source for."""

    scope = forms.ChoiceField(
        choices=[
            ("results", "results of the last days"),
            ("fixtures", "fixtures of the next fifteen days"),
            ("odds", "odds of today and tomorrow"),
        ],
        widget=UnfoldAdminSelectWidget,
    )


class StretchForm(BaseDialogForm):
    """From which day to which."""

    start = forms.DateField(label="From", widget=UnfoldAdminDateWidget)
    end = forms.DateField(label="To", widget=UnfoldAdminDateWidget, help_text="Both days are included.")

    def clean(self) -> dict[str, Any]:
        """Refuse a stretch that ends before it begins."""
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if isinstance(start, date) and isinstance(end, date) and end < start:
            self.add_error("end", "The last day lies before the first.")
        return cleaned


class PermissionForm(BaseDialogForm):
    """Who permits the visits."""

    note = forms.CharField(
        label="Who gave the permission, when, and for what",
        help_text="Kept with the source. Without a permission of its owners the source stays off.",
        widget=UnfoldAdminTextareaWidget,
    )


@admin.register(Source)
class SourceAdmin(OfferingAdmin):
    """Where matches come from."""

    list_display = ("name", "shown_state", "shown_fresh", "shown_outcome", "shown_next", "shown_lane", "shown_spark")
    readonly_fields = (
        "name",
        "reader",
        "is_simulated",
        "shown_state",
        "shown_why_off",
        "shown_lane",
        "shown_next",
        "needs_permission",
        "permission_confirmed_at",
        "permission_confirmed_by",
        "permission_note",
        "seed",
        "anchor_at",
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "reader",
                    "is_simulated",
                    "shown_state",
                    "shown_why_off",
                    "shown_lane",
                    "shown_next",
                )
            },
        ),
        ("How it is visited", {"fields": ("base_url", "delay", "competitions")}),
        (
            "Permission",
            {"fields": ("needs_permission", "permission_confirmed_at", "permission_confirmed_by", "permission_note")},
        ),
        ("The simulated world", {"fields": ("seed", "anchor_at"), "classes": ("collapse",)}),
    )
    ordering = ("name",)
    show_full_result_count = False
    formfield_overrides = {models.URLField: {"widget": UnfoldAdminURLInputWidget, "assume_scheme": "https"}}
    actions: list[Any] = []
    actions_detail = (
        "visit_now",
        "back_fill",
        {
            "title": "More",
            "icon": "more_horiz",
            "items": [
                "reparse",
                "switch_on",
                "switch_off",
                "confirm_permission",
                "withdraw_permission",
                "resume_lane",
            ],
        },
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        """Bring the newest visits along."""
        services.ensure_sources(now=timezone.now())
        return selectors.sources()

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Ask once for what every row needs of the timetable, the lanes and the latest visits."""
        listed = super().get_changelist_instance(request)
        _tell(listed.result_list)
        return listed

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Source | None:
        """The same for one source."""
        source: Source | None = super().get_object(request, object_id, from_field)
        if source is not None:
            _tell([source])
        return source

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Sources come with the code that can read them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Their pages and visits stay."""
        return False

    def has_visit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may ask for visits."""
        return bool(request.user.has_perm("scraping.add_scraperun"))

    def has_rule_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may decide whether a source is visited at all."""
        return bool(request.user.has_perm("scraping.change_source"))

    def has_switch_on_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may switch it on, and it is off."""
        return self._rules_over(request, object_id, is_enabled=False)

    def has_switch_off_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may switch it off, and it is on."""
        return self._rules_over(request, object_id, is_enabled=True)

    def has_confirm_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may confirm a permission, and one is wanted."""
        return self._rules_over(request, object_id, needs_permission=True, permission_confirmed_at=None)

    def has_withdraw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may withdraw a permission, and there is one."""
        return self._rules_over(request, object_id, permission_confirmed_at__isnull=False)

    def _rules_over(self, request: HttpRequest, object_id: Any, **state: Any) -> bool:
        """Whether the user may rule over a source that is in a state; a lever that would do nothing is not shown."""
        if not self.has_rule_permission(request):
            return False
        return Source.objects.filter(pk=number_of(object_id), **state).exists()

    def offers_visit_now(self, row_id: int) -> bool:
        """Whether requests may leave for the source."""
        source = Source.objects.filter(pk=row_id).first()
        return source is not None and not services.why_off(source)

    def offers_back_fill(self, row_id: int) -> bool:
        """Whether requests may leave for the source."""
        return self.offers_visit_now(row_id)

    def offers_reparse(self, row_id: int) -> bool:
        """Whether a page of the source is kept."""
        return Snapshot.objects.filter(source=row_id).exists()

    def offers_switch_on(self, row_id: int) -> bool:
        """Whether its owners have permitted visits, where they want to be asked."""
        return not Source.objects.filter(pk=row_id, needs_permission=True, permission_confirmed_at=None).exists()

    def offers_resume_lane(self, row_id: int) -> bool:
        """Whether its lane is halted."""
        source = Source.objects.filter(pk=row_id).first()
        lane = selectors.lane_of(services.base_url_of(source)) if source else None
        return lane is not None and lane.state != Lane.State.CLOSED

    @display(description="state", label={"on": "success", "off": "info", "needs permission": "warning"})
    def shown_state(self, source: Source) -> str:
        """On, off, or waiting for a permission."""
        if source.needs_permission and source.permission_confirmed_at is None:
            return "needs permission"
        return "off" if services.why_off(source) else "on"

    @display(description="why it is off")
    def shown_why_off(self, source: Source) -> str:
        """Why no request leaves for it."""
        return services.why_off(source) or "–"

    @display(description="complete")
    def shown_fresh(self, source: Any) -> str | SafeString:
        """When the newest visit that took all was asked for."""
        return _moment(source.complete_at) if source.complete_at else "never"

    @display(description="latest", label=OUTCOME_LABELS)
    def shown_outcome(self, source: Any) -> str:
        """What came of the newest visit."""
        if source.latest_run_id is None:
            return "waiting" if source.waiting else "never"
        return (source.latest_outcome or "running").replace("_", " ")

    @display(description="next visit")
    def shown_next(self, source: Any) -> str | SafeString:
        """When the timetable asks next, and for what."""
        if services.why_off(source):
            return "–"
        coming = [(_next_of(row), row) for row in source.told.rows]
        if not coming:
            return "not in the timetable"
        moment, row = min(coming, key=lambda pair: pair[0])
        return format_html("{} · {}", _moment(moment), json.loads(row.kwargs).get("scope", ""))

    @display(description="lane")
    def shown_lane(self, source: Any) -> str:
        """Whether the host may be visited, and why not."""
        lane = source.told.lane
        if lane is None:
            return "not visited yet"
        if lane.open_until is None or lane.open_until <= timezone.now():
            return "free"
        return f"{lane.get_state_display()} until {lane.open_until:%Y-%m-%d %H:%M} UTC: {lane.reason}"

    @display(description="latest visits")
    def shown_spark(self, source: Any) -> SafeString:
        """A mark for each of the latest visits, as tall as it took long, in the colour of its outcome."""
        return render_to_string("admin/scraping/spark.html", {"bars": _bars(source.told.visits)})

    @action(
        description="Visit now",
        icon="travel_explore",
        variant=ActionVariant.PRIMARY,
        permissions=["visit"],
        dialog={
            "title": "Visit now",
            "description": "A worker takes it up at once; its page follows it live.",
            "form_class": ScopeForm,
            "form_submit_text": "Visit",
        },
    )
    def visit_now(self, request: HttpRequest, form: ScopeForm, object_id: int) -> HttpResponse:
        """Ask for a visit and go to its page."""
        source = Source.objects.get(pk=object_id)
        try:
            run = services.request_visit(
                source=source, scope=form.cleaned_data["scope"], by=request.user.get_username(), now=timezone.now()
            )
        except REFUSALS as refusal:
            return _refused(request, refusal, source)
        return HttpResponseClientRedirect(reverse("admin:scraping_scraperun_change", args=[run.pk]))

    @action(
        description="Back-fill…",
        icon="history",
        permissions=["visit"],
        dialog={
            "title": "Back-fill",
            "description": "A visit for each month, oldest first, behind whatever is fresh. Finished months that are "
            "kept are read from there.",
            "form_class": StretchForm,
            "form_submit_text": "Back-fill",
        },
    )
    def back_fill(self, request: HttpRequest, form: StretchForm, object_id: int) -> HttpResponse:
        """Ask for the months of a stretch and go to their list."""
        source = Source.objects.get(pk=object_id)
        try:
            runs = services.request_backfill(
                source=source,
                start=form.cleaned_data["start"],
                end=form.cleaned_data["end"],
                by=request.user.get_username(),
                now=timezone.now(),
            )
        except REFUSALS as refusal:
            return _refused(request, refusal, source)
        messages.success(request, f"{len(runs)} visits wait, a month each; they begin at once.")
        listed = reverse("admin:scraping_scraperun_changelist")
        return HttpResponseClientRedirect(f"{listed}?source__id__exact={source.pk}&scope__exact=backfill")

    @action(
        description="Re-parse kept pages",
        icon="menu_book",
        permissions=["visit"],
        dialog={
            "title": "Re-parse kept pages",
            "description": "Every kept page is read again by the code of now. No request leaves for the site.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Re-parse",
        },
    )
    def reparse(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        """Ask for kept pages to be read again."""
        source = Source.objects.get(pk=object_id)
        try:
            run = services.request_reparse(source=source, by=request.user.get_username(), now=timezone.now())
        except REFUSALS as refusal:
            return _refused(request, refusal, source)
        return HttpResponseClientRedirect(reverse("admin:scraping_scraperun_change", args=[run.pk]))

    @action(
        description="Switch on",
        icon="toggle_on",
        permissions=["switch_on"],
        dialog={
            "title": "Switch on",
            "description": "The timetable visits it from now on, at the pace of its delay.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Switch on",
        },
    )
    def switch_on(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        """Let requests leave."""
        return self._switch(request, object_id, is_on=True)

    @action(
        description="Switch off",
        icon="toggle_off",
        permissions=["switch_off"],
        dialog={
            "title": "Switch off",
            "description": "No request leaves for it. What is stored and kept stays.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Switch off",
        },
    )
    def switch_off(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        """Let no request leave."""
        return self._switch(request, object_id, is_on=False)

    def _switch(self, request: HttpRequest, object_id: int, *, is_on: bool) -> HttpResponse:
        source = Source.objects.get(pk=object_id)
        try:
            services.switch(source=source, is_on=is_on)
        except REFUSALS as refusal:
            return _refused(request, refusal, source)
        messages.success(
            request,
            f"{source.name} is on; the timetable visits it (Periodic tasks)."
            if is_on
            else f"{source.name} is off: no request leaves for it.",
        )
        return HttpResponseClientRedirect(_page_of(source))

    @action(
        description="Confirm a permission…",
        icon="verified_user",
        permissions=["confirm"],
        dialog={
            "title": "Confirm a permission",
            "description": "WhoScored's owners have asked a scraper to stop. SPAI visits it only for an operator who "
            "has their permission, and never evades a block.",
            "form_class": PermissionForm,
            "form_submit_text": "I have their permission",
        },
    )
    def confirm_permission(self, request: HttpRequest, form: PermissionForm, object_id: int) -> HttpResponse:
        """Write the permission down; switching on is a step of its own."""
        source = Source.objects.get(pk=object_id)
        try:
            services.confirm_permission(
                source=source, by=request.user.get_username(), note=form.cleaned_data["note"], now=timezone.now()
            )
        except REFUSALS as refusal:
            return _refused(request, refusal, source)
        messages.success(request, f"Noted. {source.name} may now be switched on.")
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
        """Take the permission back."""
        source = Source.objects.get(pk=object_id)
        services.withdraw_permission(source=source)
        messages.success(request, f"{source.name} is off, its permission withdrawn.")
        return HttpResponseClientRedirect(_page_of(source))

    @action(
        description="Resume a halted lane",
        icon="play_circle",
        permissions=["rule"],
        dialog={
            "title": "Resume the lane",
            "description": "The host refused or failed. Look at a page yourself first; a site that says no is asked, "
            "not pressed.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Resume",
        },
    )
    def resume_lane(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        """Let the host be visited again."""
        source = Source.objects.get(pk=object_id)
        lane = selectors.lane_of(services.base_url_of(source))
        if lane is None or lane.state == Lane.State.CLOSED:
            messages.info(request, "Its lane is not halted.")
        else:
            services.resume(lane=lane)
            messages.success(request, f"{lane.host} may be visited again.")
        return HttpResponseClientRedirect(_page_of(source))


@dataclass(frozen=True, slots=True)
class Told:
    """What other tables tell of a source: its lane, its rows of the timetable, and its latest visits, oldest first."""

    lane: Lane | None
    rows: list[PeriodicTask]
    visits: list[ScrapeRun]


def _tell(sources: Iterable[Any]) -> None:
    """Give each source what other tables tell of it as `told`; three queries for all."""
    shown = list(sources)
    sparks = selectors.sparks(source.pk for source in shown)
    lanes = {lane.host: lane for lane in Lane.objects.all()}
    rows: dict[str, list[PeriodicTask]] = {}
    for row in PeriodicTask.objects.filter(task="scraping.visit_due", enabled=True).select_related(
        "interval", "crontab"
    ):
        rows.setdefault(json.loads(row.kwargs).get("source", ""), []).append(row)
    for source in shown:
        try:
            lane = lanes.get(host_of(services.base_url_of(source)))
        except ValueError:
            lane = None  # The address has no host; `why_off` tells.
        source.told = Told(lane, rows.get(source.name, []), sparks[source.pk])


@dataclass(frozen=True, slots=True)
class Bar:
    """One visit in a sparkline: its height in the picture, its colour, and what it says when pointed at."""

    height: float
    tone: str
    title: str

    @property
    def top(self) -> float:
        """Where it begins, counted from above."""
        return SPARK_HEIGHT - self.height


def _bars(runs: Sequence[ScrapeRun]) -> list[Bar]:
    """Return the bars of some visits: the longest as high as the picture, none lower than a tenth of it."""
    seconds = [
        (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else 0.0
        for run in runs
    ]
    longest = max(seconds, default=0.0) or 1.0
    return [
        Bar(
            height=round(SPARK_HEIGHT * max(0.1, took / longest), 1),
            tone="succeeded" if run.outcome in selectors.COMPLETE else "failed",
            title=f"{run.requested_at:%Y-%m-%d %H:%M} UTC, {run.scope}: {run.get_outcome_display()}, {took:.1f} s",
        )
        for run, took in zip(runs, seconds, strict=True)
    ]


def _moment(moment: datetime) -> SafeString:
    """Return a moment that the reader's browser may tell in its own zone; without a script it is UTC."""
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S}",
        naturaltime(moment),
    )


def _next_of(row: PeriodicTask) -> datetime:
    """Return when a row of the timetable comes next."""
    latest = row.last_run_at or row.date_changed
    return timezone.now() + row.schedule.remaining_estimate(latest)


def _refused(request: HttpRequest, refusal: Exception, source: Source) -> HttpResponse:
    messages.error(request, str(refusal))
    return HttpResponseClientRedirect(_page_of(source))


def _page_of(source: Source) -> str:
    return reverse("admin:scraping_source_change", args=[source.pk])
