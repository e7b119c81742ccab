"""Competitions, teams and their names."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import action, display

from apps.matches import services
from apps.matches.admin.facts import FactAdmin, FactInline
from apps.matches.models import Competition, Team, TeamAlias


@admin.register(Competition)
class CompetitionAdmin(FactAdmin):
    """Leagues and cups."""

    list_display = ("name", "region", "level", "is_simulated", "shown_seasons")
    list_filter = ("is_simulated", "level", "region")
    list_select_related = ("region",)
    search_fields = ("name", "region__name")
    ordering = ("region__name", "level", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Competition]:
        """Count the seasons along."""
        return super().get_queryset(request).annotate(season_count=Count("seasons"))

    @display(description="seasons", ordering="season_count")
    def shown_seasons(self, competition: Any) -> int:
        """Number of seasons."""
        return int(competition.season_count)


class TeamAliasInline(FactInline):
    """The names of a team in the sources."""

    model = TeamAlias
    fields = ("source", "name", "source_team_id", "created_at", "reviewed_at")


@admin.register(Team)
class TeamAdmin(FactAdmin):
    """Clubs and their names."""

    list_display = ("name", "region", "slug")
    list_filter = ("region",)
    list_select_related = ("region",)
    search_fields = ("name", "slug", "aliases__name")
    ordering = ("name",)
    inlines = (TeamAliasInline,)


class ReviewFilter(admin.SimpleListFilter):
    """Names that an operator has looked at, and those that wait."""

    title = "review"
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the two states."""
        return [("waiting", "to review"), ("done", "reviewed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TeamAlias]) -> QuerySet[TeamAlias]:
        """Keep the names of the chosen state."""
        if self.value() not in ("waiting", "done"):
            return queryset
        return queryset.filter(reviewed_at__isnull=self.value() == "waiting")


@admin.register(TeamAlias)
class TeamAliasAdmin(FactAdmin):
    """How sources name teams; a name never seen before became a new team and waits here."""

    list_display = ("name", "source", "region", "team", "created_at", "shown_review")
    list_filter = (ReviewFilter, "source", "region")
    list_select_related = ("region", "team")
    search_fields = ("name", "team__name")
    ordering = ("-created_at", "name")
    actions = ["confirm_as_new"]

    @display(description="review", label={"reviewed": "success", "to review": "warning"})
    def shown_review(self, alias: TeamAlias) -> str:
        """Whether an operator has looked at the name."""
        return "reviewed" if alias.reviewed_at else "to review"

    @action(description="Confirm as a new team", permissions=["confirm"])
    def confirm_as_new(self, request: HttpRequest, queryset: QuerySet[TeamAlias]) -> None:
        """Take the chosen names off the list: each is the club that it became."""
        confirmed = services.confirm_aliases(queryset.values_list("pk", flat=True), now=timezone.now())
        messages.success(request, f"{confirmed} names confirmed as teams of their own.")

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        """Whoever may see names may confirm them."""
        return request.user.has_perm("matches.change_teamalias")
