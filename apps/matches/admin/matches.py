"""Matches with everything that is known of them, and the record of every change."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect
from unfold.admin import StackedInline
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.matches import services
from apps.matches.admin.facts import (
    CorrectingAdmin,
    FactAdmin,
    FactInline,
    ReasonForm,
    Unedited,
    WorldFilter,
    number_of,
)
from apps.matches.clubs import plain
from apps.matches.models import (
    Absence,
    Competition,
    Contradiction,
    Event,
    Incident,
    Ingest,
    Lineup,
    Match,
    MatchChange,
    MatchRef,
    MatchStats,
    Odds,
    Player,
    Team,
)
from apps.matches.records import GOALS_LIMIT, MatchStatus, readable


class MatchStatsInline(Unedited, StackedInline):
    """What was counted."""

    model = MatchStats
    can_delete = False
    extra = 0


class PlayerInline(FactInline):
    """Facts that name players, which are loaded in the same query."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("player")


class LineupInline(PlayerInline):
    """The squads, as each source reports them."""

    model = Lineup
    fields = ("side", "player", "is_starter", "position", "shirt_number", "known_at")
    ordering = ("player__source", "-side", "-is_starter", "shirt_number", "id")


class IncidentInline(PlayerInline):
    """Goals, cards and substitutions, as each source reports them."""

    model = Incident
    fields = ("source", "minute", "kind", "side", "player", "other_player")
    ordering = ("source", "number")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("other_player")


class AbsenceInline(PlayerInline):
    """Who was reported missing."""

    model = Absence
    verbose_name_plural = "absences"
    fields = ("side", "player", "reason", "status", "known_at")
    ordering = ("player__source", "-side", "id")


class ContradictionInline(FactInline):
    """Sources that report another result."""

    model = Contradiction
    fields = ("source", "reported", "standing", "standing_source", "decided_by", "first_seen_at", "resolution")
    readonly_fields = ("reported", "standing")
    ordering = ("source",)
    show_change_link = True


class MatchRefInline(FactInline):
    """The match's ids in the sources."""

    model = MatchRef
    fields = ("source", "source_id")


class MatchChangeInline(FactInline):
    """What changed, and when."""

    model = MatchChange
    fields = ("changed_at", "before", "after", "ingest")
    ordering = ("-changed_at", "-id")


class ResultForm(ReasonForm):
    """A result, and why it is the right one."""

    home_goals = forms.IntegerField(
        min_value=0, max_value=GOALS_LIMIT, help_text="After 90 minutes.", widget=UnfoldAdminIntegerFieldWidget
    )
    away_goals = forms.IntegerField(min_value=0, max_value=GOALS_LIMIT, widget=UnfoldAdminIntegerFieldWidget)
    status = forms.ChoiceField(
        choices=[(MatchStatus.FINISHED.value, "played"), (MatchStatus.AWARDED.value, "awarded by verdict")],
        widget=UnfoldAdminSelectWidget,
    )
    field_order = ("home_goals", "away_goals", "status", "reason")


class AwardedResultForm(ReasonForm):
    """A result that a league set, and why."""

    home_goals = forms.IntegerField(
        min_value=0, max_value=GOALS_LIMIT, help_text="As the table counts them.", widget=UnfoldAdminIntegerFieldWidget
    )
    away_goals = forms.IntegerField(min_value=0, max_value=GOALS_LIMIT, widget=UnfoldAdminIntegerFieldWidget)
    decided_on = forms.DateField(
        help_text="The day on which it was published; tables count it from the next day on.",
        widget=UnfoldAdminDateWidget,
    )
    source = forms.CharField(
        max_length=400, help_text="Who published it, or an address.", widget=UnfoldAdminTextInputWidget
    )
    field_order = ("home_goals", "away_goals", "decided_on", "reason", "source")


@admin.register(Match)
class MatchAdmin(CorrectingAdmin):
    """Matches with everything that is known of them."""

    list_display = ("kickoff_at", "shown_teams", "shown_score", "status", "shown_competition", "revision")
    list_filter = (WorldFilter, "status", "competition__region", "kickoff_precision")
    # No index keeps the order of another column.
    sortable_by = ("kickoff_at",)
    list_select_related = ("home_team", "away_team", "season")
    search_fields = ("home_team__name", "away_team__name")
    ordering = ("-kickoff_at", "id")
    inlines = (
        ContradictionInline,
        MatchStatsInline,
        LineupInline,
        IncidentInline,
        AbsenceInline,
        MatchRefInline,
        MatchChangeInline,
    )
    readonly_fields = ("shown_odds",)
    actions_detail = ("correct", "record_awarded_result")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Match]:
        """Bring the competitions along, each once for the whole list."""
        competitions = Prefetch("competition", Competition.objects.select_related("region"))
        return super().get_queryset(request).prefetch_related(competitions)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Match], search_term: str
    ) -> tuple[QuerySet[Match], bool]:
        """Find matches by the names of their teams: the teams first, then by index the matches of these."""
        for word in plain(readable(search_term)).split():
            teams = list(Team.objects.filter(search_text__contains=word).values_list("pk", flat=True))
            queryset = queryset.filter(Q(home_team__in=teams) | Q(away_team__in=teams))
        return queryset, False

    def offers_correct(self, row_id: int) -> bool:
        """Whether the match has kicked off."""
        return Match.objects.filter(pk=row_id, kickoff_at__lte=timezone.now()).exists()

    @action(
        description="Correct the result",
        icon="edit",
        permissions=["correct"],
        dialog={
            "title": "Correct the result",
            "description": "No source overrules this result until the correction is taken back. The history keeps "
            "what was there before; forecasts of the match are graded again.",
            "form_class": ResultForm,
            "form_submit_text": "Correct",
        },
    )
    def correct(self, request: HttpRequest, form: ResultForm, object_id: str) -> HttpResponse:
        try:
            services.correct_result(
                match_id=number_of(object_id),
                home_goals=form.cleaned_data["home_goals"],
                away_goals=form.cleaned_data["away_goals"],
                status=MatchStatus(form.cleaned_data["status"]),
                by=request.user.get_username(),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except services.CorrectionRefusedError as refusal:
            messages.error(request, f"Nothing was changed: {refusal}.")
        else:
            messages.success(request, "The result is corrected; the list of corrections can take it back.")
        return HttpResponseClientRedirect(reverse("admin:matches_match_change", args=[object_id]))

    def has_record_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("matches.add_awardedresult"))

    def offers_record_awarded_result(self, row_id: int) -> bool:
        return self.offers_correct(row_id)

    @action(
        description="Record a verdict",
        icon="gavel",
        permissions=["record"],
        dialog={
            "title": "Record a verdict",
            "description": "The table counts the goals that the league set; the stored result stays what was played, "
            "and models learn from it.",
            "form_class": AwardedResultForm,
            "form_submit_text": "Record",
        },
    )
    def record_awarded_result(self, request: HttpRequest, form: AwardedResultForm, object_id: str) -> HttpResponse:
        try:
            verdict = services.record_awarded_result(
                match_id=number_of(object_id),
                **{name: form.cleaned_data[name] for name in AwardedResultForm.field_order},
                by=request.user.get_username(),
                now=timezone.now(),
            )
        except services.DecisionRefusedError as refusal:
            messages.error(request, f"Nothing was changed: {refusal}.")
            return HttpResponseClientRedirect(reverse("admin:matches_match_change", args=[object_id]))
        messages.success(request, "The verdict is recorded. You can take it back on this page.")
        return HttpResponseClientRedirect(reverse("admin:matches_awardedresult_change", args=[verdict.pk]))

    @display(description="match")
    def shown_teams(self, match: Match) -> str:
        return f"{match.home_team} – {match.away_team}"

    @display(description="score")
    def shown_score(self, match: Match) -> str:
        """Goals after 90 minutes."""
        return "" if match.home_goals is None else f"{match.home_goals}–{match.away_goals}"

    @display(description="competition")
    def shown_competition(self, match: Match) -> str:
        return f"{match.competition} {match.season.label}"

    @display(description="odds")
    def shown_odds(self, match: Match) -> str:
        """Every stored 1X2 price, a bookmaker per line."""
        quotes = Odds.objects.filter(match=match).order_by("bookmaker", "moment")
        lines = [f"{quote.bookmaker} {quote.moment}: {quote.home} / {quote.draw} / {quote.away}" for quote in quotes]
        return "\n".join(lines) or "none"


@admin.register(Player)
class PlayerAdmin(FactAdmin):
    """Footballers, each by the id of one source."""

    list_display = ("name", "source", "source_player_id")
    list_filter = ("source",)
    search_fields = ("name", "=source_player_id")
    ordering = ("name", "id")


@admin.register(Ingest)
class IngestAdmin(FactAdmin):
    """Every run of ingest, with what it refused and why."""

    list_display = (
        "id",
        "started_at",
        "world",
        "source",
        "created",
        "changed",
        "same",
        "refused",
        "changed_facts",
        "shown_seconds",
    )
    list_filter = ("world", "source", "changed_facts")
    ordering = ("-id",)

    @display(description="seconds")
    def shown_seconds(self, ingest: Ingest) -> str:
        return f"{(ingest.finished_at - ingest.started_at).total_seconds():.1f}" if ingest.finished_at else "running"


@admin.register(MatchChange)
class MatchChangeAdmin(FactAdmin):
    """Every change of a stored result, kick-off or status."""

    list_display = ("changed_at", "match", "before", "after", "ingest")
    list_select_related = ("match", "ingest")
    sortable_by = ()
    search_fields = ("match__home_team__name", "match__away_team__name")
    ordering = ("-id",)


@admin.register(Event)
class EventAdmin(FactAdmin):
    """The push feed."""

    list_display = ("number", "topic", "key", "payload", "created_at")
    list_filter = ("topic",)
    sortable_by = ()
    search_fields = ("=key",)
    ordering = ("-id",)
