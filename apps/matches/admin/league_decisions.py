"""Decisions of leagues: points that they took or gave back, and results by verdict."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from apps.matches import services
from apps.matches.admin.facts import FactAdmin, ReasonForm, number_of
from apps.matches.admin.names import SlugForm
from apps.matches.models import AwardedResult, PointsAdjustment, Season


class AdjustmentForm(SlugForm, ReasonForm):
    """A decision of a league on the points of a club."""

    competition = forms.CharField(
        max_length=160,
        help_text="The last part of the address of its page, such as england-premier-league.",
        widget=UnfoldAdminTextInputWidget,
    )
    season = forms.CharField(max_length=24, help_text="Such as 2023-24.", widget=UnfoldAdminTextInputWidget)
    points = forms.IntegerField(
        help_text="Negative for a deduction, positive for points given back.", widget=UnfoldAdminIntegerFieldWidget
    )
    decided_on = forms.DateField(
        help_text="The day on which it was published; tables count it from the next day on.",
        widget=UnfoldAdminDateWidget,
    )
    source = forms.CharField(
        max_length=400, help_text="Who published it, or an address.", widget=UnfoldAdminTextInputWidget
    )
    field_order = ("competition", "season", "team", "points", "decided_on", "reason", "source")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if "competition" in given and "season" in given:
            slug = given["competition"].strip().strip("/")
            found = Season.objects.filter(competition__slug=slug, label=given["season"].strip()).first()
            if found is None:
                self.add_error("season", "No competition with this address has such a season.")
            given["season"] = found
        return given


class LeagueDecisionAdmin(FactAdmin):
    """Decisions that come with SPAI, and those that operators recorded; each can be taken back."""

    list_filter = ("season__competition__region",)
    ordering = ("-decided_on", "-id")
    actions_detail = ("undo",)

    def has_record_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm(f"matches.add_{self.model._meta.model_name}"))

    @display(description="season", ordering="season__label")
    def shown_season(self, decision: Any) -> str:
        return f"{decision.season.competition} {decision.season.label}"

    @display(description="recorded by", ordering="recorded_by")
    def shown_recorded_by(self, decision: Any) -> str:
        return decision.recorded_by or "shipped with SPAI"

    @display(description="state", label={"in force": "success", "taken back": "info"})
    def shown_state(self, decision: Any) -> str:
        return "taken back" if decision.undone_at else "in force"

    def offers_undo(self, row_id: int) -> bool:
        return self.model._default_manager.filter(pk=row_id, undone_at__isnull=True).exists()

    @action(
        description="Take the decision back",
        icon="undo",
        permissions=["record"],
        dialog={
            "title": "Take the decision back",
            "description": "No table counts it any more. The row stays, with your reason.",
            "form_class": ReasonForm,
            "form_submit_text": "Take back",
        },
    )
    def undo(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        try:
            services.undo_league_decision(
                self.model,
                decision_id=number_of(object_id),
                by=request.user.get_username(),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except services.DecisionRefusedError as refusal:
            messages.error(request, f"Nothing was changed: {refusal}.")
        else:
            messages.success(request, "The decision was taken back; no table counts it any more.")
        return HttpResponseClientRedirect(
            reverse(f"admin:matches_{self.model._meta.model_name}_change", args=[object_id])
        )


@admin.register(PointsAdjustment)
class PointsAdjustmentAdmin(LeagueDecisionAdmin):
    """Points that leagues took from clubs or gave back."""

    list_display = (
        "decided_on",
        "team",
        "points",
        "shown_season",
        "reason",
        "source",
        "shown_recorded_by",
        "shown_state",
    )
    list_select_related = ("team", "season__competition__region")
    search_fields = ("team__search_text", "reason")
    actions_list = ("record",)

    @action(
        description="Record a decision on points",
        icon="gavel",
        variant=ActionVariant.PRIMARY,
        permissions=["record"],
        dialog={
            "title": "Record a decision on points",
            "description": "Tables, features and season forecasts count it. A reduction on appeal is a decision of its "
            "own, with the points that are given back.",
            "form_class": AdjustmentForm,
            "form_submit_text": "Record",
        },
    )
    def record(self, request: HttpRequest, form: AdjustmentForm) -> HttpResponse:
        given = form.cleaned_data
        try:
            decision = services.record_adjustment(
                season_id=given["season"].pk,
                team_id=given["team"].pk,
                points=given["points"],
                decided_on=given["decided_on"],
                reason=given["reason"],
                source=given["source"],
                by=request.user.get_username(),
                now=timezone.now(),
            )
        except services.DecisionRefusedError as refusal:
            messages.error(request, f"Nothing was changed: {refusal}.")
            return HttpResponseClientRedirect(reverse("admin:matches_pointsadjustment_changelist"))
        messages.success(request, "The decision is recorded. You can take it back on this page.")
        return HttpResponseClientRedirect(reverse("admin:matches_pointsadjustment_change", args=[decision.pk]))


@admin.register(AwardedResult)
class AwardedResultAdmin(LeagueDecisionAdmin):
    """Results that leagues set in the place of what was played; new ones are recorded on the page of the match."""

    list_display = (
        "decided_on",
        "home_team",
        "away_team",
        "played_on",
        "shown_goals",
        "shown_season",
        "reason",
        "source",
        "shown_recorded_by",
        "shown_state",
    )
    list_select_related = ("home_team", "away_team", "season__competition__region")
    search_fields = ("home_team__search_text", "away_team__search_text", "reason")

    @display(description="goals")
    def shown_goals(self, verdict: AwardedResult) -> str:
        return f"{verdict.home_goals}–{verdict.away_goals}"
