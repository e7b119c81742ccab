"""The office's view of matches: facts are read-only, names are reviewed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import action, display

from apps.matches import services
from apps.matches.models import (
    Competition,
    Event,
    Ingest,
    Match,
    MatchChange,
    MatchRef,
    MatchStats,
    Odds,
    Team,
    TeamAlias,
)


class FactAdmin(ModelAdmin):
    """Rows that nobody edits by hand: they are shown, searched and filtered."""

    compressed_fields = True
    show_full_result_count = False
    actions: list[Any] = []

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Facts are recorded, not typed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts stay as they were recorded."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts stay."""
        return False


class FactInline(TabularInline):
    """Facts that belong to the fact above them."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts are recorded, not typed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts stay as they were recorded."""
        return False


class WorldFilter(admin.SimpleListFilter):
    """Real or simulated, by a competition's mark."""

    title = "world"
    parameter_name = "world"
    lookup = "season__competition__is_simulated"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the two worlds."""
        return [("real", "real"), ("sandbox", "sandbox")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the chosen world."""
        if self.value() not in ("real", "sandbox"):
            return queryset
        return queryset.filter(**{self.lookup: self.value() == "sandbox"})


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


class MatchStatsInline(StackedInline):
    """What was counted."""

    model = MatchStats
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts are recorded, not typed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts stay as they were recorded."""
        return False


class MatchRefInline(FactInline):
    """The match's ids in the sources."""

    model = MatchRef
    fields = ("source", "source_id")


class MatchChangeInline(FactInline):
    """What changed, and when."""

    model = MatchChange
    fields = ("changed_at", "before", "after", "ingest")
    ordering = ("-changed_at", "-id")


@admin.register(Match)
class MatchAdmin(FactAdmin):
    """Matches with everything that is known of them."""

    list_display = ("kickoff_at", "shown_teams", "shown_score", "status", "shown_competition", "revision")
    list_filter = (WorldFilter, "status", "season__competition__region", "kickoff_precision")
    list_select_related = ("home_team", "away_team", "season__competition__region")
    search_fields = ("home_team__name", "away_team__name")
    ordering = ("-kickoff_at", "-id")
    date_hierarchy = None
    inlines = (MatchStatsInline, MatchRefInline, MatchChangeInline)
    readonly_fields = ("shown_odds",)

    @display(description="match")
    def shown_teams(self, match: Match) -> str:
        """Both teams, the home team first."""
        return f"{match.home_team.name} – {match.away_team.name}"

    @display(description="score")
    def shown_score(self, match: Match) -> str:
        """Goals after 90 minutes."""
        return "" if match.home_goals is None else f"{match.home_goals}–{match.away_goals}"

    @display(description="competition")
    def shown_competition(self, match: Match) -> str:
        """Competition and season."""
        return f"{match.season.competition} {match.season.label}"

    @display(description="odds")
    def shown_odds(self, match: Match) -> str:
        """Every stored 1X2 price, a bookmaker per line."""
        quotes = Odds.objects.filter(match=match).order_by("bookmaker", "moment")
        lines = [f"{quote.bookmaker} {quote.moment}: {quote.home} / {quote.draw} / {quote.away}" for quote in quotes]
        return "\n".join(lines) or "none"


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
        """Duration."""
        return f"{(ingest.finished_at - ingest.started_at).total_seconds():.1f}" if ingest.finished_at else "running"


@admin.register(MatchChange)
class MatchChangeAdmin(FactAdmin):
    """Every change of a stored result, kick-off or status."""

    list_display = ("changed_at", "match", "before", "after", "ingest")
    list_select_related = ("match", "ingest")
    search_fields = ("match__home_team__name", "match__away_team__name")
    ordering = ("-id",)


@admin.register(Event)
class EventAdmin(FactAdmin):
    """The push feed."""

    list_display = ("number", "topic", "key", "payload", "created_at")
    list_filter = ("topic",)
    search_fields = ("=key",)
    ordering = ("-id",)
