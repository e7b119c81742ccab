"""Where sources contradict each other, and what operators decided."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.matches import services
from apps.matches.admin.facts import CorrectingAdmin, ReasonForm, TwoStatesFilter, WorldFilter, number_of
from apps.matches.models import Contradiction, Correction, Match


def match_link(match: Match) -> str:
    """Return both teams and the day as a link to the match."""
    address = reverse("admin:matches_match_change", args=[match.pk])
    return format_html(
        '<a class="spai-link" href="{}">{} – {}, {}</a>',
        address,
        match.home_team,
        match.away_team,
        f"{match.kickoff_at:%Y-%m-%d}",
    )


class MatchWorldFilter(WorldFilter):
    """Real or simulated, by the match."""

    lookup = "match__world"


class OpenFilter(TwoStatesFilter):
    """Contradictions that last, and those on which the sources agree by now."""

    title = "state"
    parameter_name = "state"
    column = "resolved_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open"), ("resolved", "resolved")]


@admin.register(Contradiction)
class ContradictionAdmin(CorrectingAdmin):
    """Matches of which a source reports another result than the stored one."""

    list_display = (
        "shown_reported",
        "shown_standing",
        "shown_match",
        "shown_competition",
        "decided_by",
        "first_seen_at",
        "seen_at",
        "shown_state",
    )
    list_filter = (OpenFilter, MatchWorldFilter, "source", "standing_source", "decided_by")
    list_select_related = ("match__season__competition__region", "match__home_team", "match__away_team")
    search_fields = ("match__home_team__name", "match__away_team__name")
    ordering = ("-first_seen_at", "-id")
    readonly_fields = ("shown_match",)
    actions_detail = ("accept_contradiction",)

    @display(description="reported")
    def shown_reported(self, row: Contradiction) -> str:
        return f"{row.reported} by {row.source}"

    @display(description="stored")
    def shown_standing(self, row: Contradiction) -> str:
        return f"{row.standing} by {row.standing_source}"

    @display(description="match")
    def shown_match(self, row: Contradiction) -> str:
        return match_link(row.match)

    @display(description="competition", ordering="match__season__competition__name")
    def shown_competition(self, row: Contradiction) -> str:
        return f"{row.match.season.competition} {row.match.season.label}"

    @display(description="state", label={"open": "warning"})
    def shown_state(self, row: Contradiction) -> tuple[str, str] | str:
        return row.get_resolution_display() or "open"

    def offers_accept_contradiction(self, row_id: int) -> bool:
        """Whether the sources still disagree."""
        return Contradiction.objects.filter(pk=row_id, resolved_at__isnull=True).exists()

    @action(
        description="Accept the reported result",
        icon="gavel",
        variant=ActionVariant.PRIMARY,
        permissions=["correct"],
        dialog={
            "title": "Accept the reported result",
            "description": "The result of this source is stored as your decision: no source overrules it until the "
            "correction is taken back. The history keeps the result before; forecasts of the match are graded again.",
            "form_class": ReasonForm,
            "form_submit_text": "Accept",
        },
    )
    def accept_contradiction(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        try:
            correction = services.accept_contradiction(
                contradiction_id=number_of(object_id),
                by=request.user.get_username(),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except services.CorrectionRefusedError as refusal:
            messages.error(request, f"Nothing was changed: {refusal}.")
            return HttpResponseClientRedirect(reverse("admin:matches_contradiction_change", args=[object_id]))
        messages.success(request, "The reported result is stored. You can take the correction back on this page.")
        return HttpResponseClientRedirect(reverse("admin:matches_correction_change", args=[correction.pk]))


@admin.register(Correction)
class CorrectionAdmin(CorrectingAdmin):
    """Results that operators set, with reasons; each can be taken back."""

    list_display = ("decided_at", "shown_match", "shown_before", "shown_after", "decided_by", "reason", "shown_state")
    list_filter = (MatchWorldFilter,)
    list_select_related = ("match__home_team", "match__away_team")
    search_fields = ("match__home_team__name", "match__away_team__name", "decided_by")
    ordering = ("-id",)
    readonly_fields = ("shown_match",)
    actions_detail = ("undo",)

    @display(description="match")
    def shown_match(self, correction: Correction) -> str:
        return match_link(correction.match)

    @display(description="before")
    def shown_before(self, correction: Correction) -> str:
        return services.result_in_words(correction.before)

    @display(description="after")
    def shown_after(self, correction: Correction) -> str:
        return services.result_in_words(correction.after)

    @display(description="state", label={"in force": "success", "taken back": "info"})
    def shown_state(self, correction: Correction) -> str:
        return "taken back" if correction.undone_at else "in force"

    def offers_undo(self, row_id: int) -> bool:
        return not services.undo_correction_obstacle(row_id)

    @action(
        description="Take the correction back",
        icon="undo",
        permissions=["correct"],
        dialog={
            "title": "Take the correction back",
            "description": "The result before the correction is stored again, with its source.",
            "form_class": ReasonForm,
            "form_submit_text": "Take back",
        },
    )
    def undo(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        try:
            services.undo_correction(
                correction_id=number_of(object_id),
                by=request.user.get_username(),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except services.CorrectionRefusedError as refusal:
            messages.error(request, f"Nothing was changed: {refusal}.")
        else:
            messages.success(request, "The correction was taken back; the result before it is stored again.")
        return HttpResponseClientRedirect(reverse("admin:matches_correction_change", args=[object_id]))
