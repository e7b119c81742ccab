"""Competitions, teams and their names."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.matches import selectors, services
from apps.matches.admin.facts import FactAdmin, FactInline, FactList, ReasonForm, TwoStatesFilter, number_of
from apps.matches.leagues import default_position
from apps.matches.models import Competition, SquadValue, Team, TeamAlias, TeamMerge
from apps.matches.suggestions import suggest


@admin.register(Competition)
class CompetitionAdmin(FactAdmin):
    """Leagues and cups. Only their position in the lists of pages is edited."""

    list_display = ("name", "region", "level", "is_simulated", "shown_position", "shown_seasons")
    fields = ("region", "name", "slug", "level", "is_simulated", "world", "position", "shown_default")
    readonly_fields = ("region", "name", "slug", "level", "is_simulated", "world", "shown_default")
    list_filter = ("is_simulated", "level", "region")
    list_select_related = ("region",)
    search_fields = ("name", "region__name")
    ordering = ("region__name", "level", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Competition]:
        return super().get_queryset(request).annotate(season_count=Count("seasons"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # `FactAdmin` lets nobody change a row.
        return bool(request.user.has_perm("matches.change_competition"))

    @display(description="position", ordering="position")
    def shown_position(self, competition: Competition) -> str:
        default = self.shown_default(competition)
        return default if competition.position is None else f"{competition.position} (changed)"

    @display(description="default position")
    def shown_default(self, competition: Competition) -> str:
        return str(default_position(competition.region.name, competition.name))

    @display(description="seasons", ordering="season_count")
    def shown_seasons(self, competition: Any) -> int:
        return int(competition.season_count)


class TeamAliasInline(FactInline):
    """The names of a team in the sources."""

    model = TeamAlias
    fields = ("source", "name", "source_team_id", "found_by", "created_at", "reviewed_at")


@admin.register(Team)
class TeamAdmin(FactAdmin):
    """Clubs and their names."""

    list_display = ("display_name", "name", "display_code", "region", "slug")
    list_filter = ("region",)
    list_select_related = ("region",)
    search_fields = ("name",)
    search_help_text = "Full, short and common names, and names in sources; accents and case do not matter."
    ordering = ("name",)
    inlines = (TeamAliasInline,)
    exclude = ("search_text",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Team], search_term: str
    ) -> tuple[QuerySet[Team], bool]:
        """Find teams as the search of the site does."""
        return queryset.filter(selectors.named(search_term)) if search_term.strip() else queryset, False


class ReviewFilter(TwoStatesFilter):
    """Names that an operator has reviewed, and those that wait."""

    title = "review"
    parameter_name = "review"
    column = "reviewed_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "to review"), ("done", "reviewed")]


class SlugForm(BaseDialogForm):
    """Which team a name means, when no suggestion names it."""

    team = forms.CharField(
        max_length=160, help_text="The last part of the address of its page.", widget=UnfoldAdminTextInputWidget
    )

    def clean_team(self) -> Team:
        found = Team.objects.filter(slug=self.cleaned_data["team"].strip().strip("/")).first()
        if found is None:
            raise forms.ValidationError("No team has this address.")
        return found


class MergeForm(forms.Form):
    """Why two teams are one club."""

    reason = forms.CharField(
        max_length=400,
        help_text="Stored with the merge.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class ReviewList(FactList):
    """A page of names; those that wait come with what an operator needs to decide, in a few queries for all."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        """Add the number of matches and the suggestions to the rows."""
        super().get_results(request)
        rows = list(self.result_list)
        waiting = {alias.team_id: alias.team for alias in rows if alias.reviewed_at is None}
        counts = selectors.match_counts({alias.team_id for alias in rows})
        suggested = suggest(waiting.values())
        for alias in rows:
            alias.match_count = counts.get(alias.team_id, 0)
            alias.suggested = suggested.get(alias.team_id, []) if alias.reviewed_at is None else []
        self.result_list = rows


@admin.register(TeamAlias)
class TeamAliasAdmin(FactAdmin):
    """How sources name teams; a name never seen before became a new team and waits here."""

    list_display = (
        "name",
        "source",
        "region",
        "team",
        "created_at",
        "shown_matches",
        "shown_suggestions",
        "found_by",
        "shown_review",
    )
    list_filter = (ReviewFilter, "source", "region")
    list_select_related = ("region", "team__region")
    list_per_page = 50
    search_fields = ("name", "team__name")
    ordering = ("-created_at", "name")
    actions = ["confirm_as_new"]
    actions_detail = ("merge_into", "split_off")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[FactList]:
        return ReviewList

    def get_urls(self) -> list[URLPattern]:
        merge = path(
            "merge/<int:team_id>/<int:into_id>/", self.admin_site.admin_view(self.merge), name="matches_team_merge"
        )
        return [merge, *super().get_urls()]

    @display(description="matches")
    def shown_matches(self, alias: Any) -> int:
        return int(alias.match_count)

    @display(description="may be")
    def shown_suggestions(self, alias: Any) -> str:
        """The clubs that the name may mean, each with a link to the page that confirms the merge."""
        return render_to_string(
            "admin/matches/teamalias/suggestions.html", {"alias": alias, "suggestions": alias.suggested}
        )

    @display(description="review", label={"reviewed": "success", "to review": "warning"})
    def shown_review(self, alias: TeamAlias) -> str:
        return "reviewed" if alias.reviewed_at else "to review"

    @action(description="Confirm as a new team", permissions=["confirm"])
    def confirm_as_new(self, request: HttpRequest, queryset: QuerySet[TeamAlias]) -> None:
        """Take the chosen names off the list: each is the club that it became."""
        confirmed = services.confirm_aliases(
            queryset.values_list("pk", flat=True), by=request.user.get_username(), now=timezone.now()
        )
        messages.success(request, f"{confirmed} names confirmed as teams of their own.")

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("matches.change_teamalias")

    def has_merge_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("matches.add_teammerge"))

    @action(
        description="Merge its team into another",
        icon="merge",
        permissions=["merge"],
        dialog={
            "title": "Merge its team into another",
            "description": "The next page shows what would move and asks for confirmation.",
            "form_class": SlugForm,
            "form_submit_text": "Show what would move",
        },
    )
    def merge_into(self, request: HttpRequest, form: SlugForm, object_id: str) -> HttpResponse:
        alias = get_object_or_404(TeamAlias, pk=number_of(object_id))
        return HttpResponseClientRedirect(
            reverse("admin:matches_team_merge", args=[alias.team_id, form.cleaned_data["team"].pk])
        )

    @action(
        description="Split off as a team of its own",
        icon="split_scene",
        permissions=["merge"],
        dialog={
            "title": "Split off as a team of its own",
            "description": "The system found the club of this name by its results. The name gets a team of its own, "
            "with the matches that only its source reports, and is never joined again. The next import of the "
            "source stores the other matches for it.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Split off",
        },
    )
    def split_off(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        alias_id = number_of(object_id)
        try:
            team = services.split_off(alias_id=alias_id, by=request.user.get_username(), now=timezone.now())
        except services.MergeRefusedError as refusal:
            messages.error(request, f"Nothing was changed: {refusal}.")
        else:
            messages.success(request, f"{team.name} is a team of its own now.")
        return HttpResponseClientRedirect(reverse("admin:matches_teamalias_change", args=[object_id]))

    def merge(self, request: HttpRequest, team_id: int, into_id: int) -> HttpResponse:
        """Show what a merge would move; merge when that is confirmed with a reason."""
        if not self.has_merge_permission(request):
            raise PermissionDenied
        team_id, into_id = number_of(team_id), number_of(into_id)
        form = MergeForm(request.POST if request.method == "POST" else None)
        now = timezone.now()
        try:
            if form.is_valid():
                done = services.merge_teams(
                    team_id=team_id,
                    into_id=into_id,
                    by=request.user.get_username(),
                    reason=form.cleaned_data["reason"],
                    now=now,
                )
                messages.success(request, f"{done.name} is {done.into_name} now; here the merge can be undone.")
                return redirect("admin:matches_teammerge_change", done.pk)
            plan = services.plan_merge(team_id=team_id, into_id=into_id, now=now)
        except services.MergeRefusedError as refusal:
            messages.error(request, f"Nothing was changed: {refusal}.")
            return redirect("admin:matches_teamalias_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": f"Merge {plan.team} into {plan.into}",
            "plan": plan,
            "form": form,
        }
        return TemplateResponse(request, "admin/matches/teamalias/merge.html", context)


@admin.register(SquadValue)
class SquadValueAdmin(FactAdmin):
    """What squads were worth, as `manage.py import_squad_values` stored it."""

    list_display = ("team", "known_on", "value_eur", "squad_size", "source")
    list_filter = ("source",)
    list_select_related = ("team",)
    sortable_by = ()
    search_fields = ("team__name",)
    ordering = ("-id",)


@admin.register(TeamMerge)
class TeamMergeAdmin(FactAdmin):
    """Teams that operators found to be one club; each merge can be undone."""

    list_display = (
        "merged_at",
        "name",
        "into_name",
        "region",
        "matches_moved",
        "matches_joined",
        "merged_by",
        "reason",
        "shown_state",
    )
    list_filter = ("region",)
    list_select_related = ("region",)
    search_fields = ("name", "into_name", "merged_by")
    ordering = ("-id",)
    # The rows that a merge keeps for its undo fill pages; the team of `into` may have been merged too and not exist.
    exclude = ("moved", "into")
    actions_detail = ("undo",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TeamMerge]:
        return super().get_queryset(request).defer("moved")

    def has_merge_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("matches.add_teammerge"))

    @display(description="state", label={"merged": "success", "undone": "info"})
    def shown_state(self, done: TeamMerge) -> str:
        return "undone" if done.undone_at else "merged"

    def offers_undo(self, row_id: int) -> bool:
        return not services.undo_merge_obstacle(row_id)

    @action(
        description="Undo the merge",
        icon="undo",
        permissions=["merge"],
        dialog={
            "title": "Undo the merge",
            "description": "Both teams, their names and their matches come back as they were. Matches that came since "
            "go to the team whose names their source uses. Where later changes make that impossible nothing happens, "
            "and a message gives the reason.",
            "form_class": ReasonForm,
            "form_submit_text": "Undo",
        },
    )
    def undo(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        try:
            done = services.undo_merge(
                merge_id=number_of(object_id),
                by=request.user.get_username(),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except services.MergeRefusedError as refusal:
            messages.error(request, f"Nothing was changed: {refusal}.")
        else:
            messages.success(request, f"{done.name} and {done.into_name} are two teams again.")
        return HttpResponseClientRedirect(reverse("admin:matches_teammerge_change", args=[object_id]))
