"""The end of a season, and matches of seasons and teams that are to come or over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from apps.api.selectors.match_cards import AWAITED, RESULT_WITHIN, SETTLED, WITH_RESULT
from apps.matches import selectors as matches
from apps.matches.composed import composed_once
from apps.matches.models import Match, Season, Team
from apps.ml import selectors as forecasts
from apps.ml.models import SeasonForecast


@dataclass(frozen=True, slots=True)
class SeasonEnd:
    """The latest simulation of a season, with its version loaded.

    `lines` are those of the table: ``name``, ``places`` and whether they count ``from_end``. `clubs` come with their
    simulated results, the one with the most expected points first.
    """

    forecast: SeasonForecast
    lines: list[dict[str, Any]]
    clubs: list[tuple[Team, dict[str, Any]]]


def season_end(season: Season, teams: Mapping[int, Team] | None = None) -> SeasonEnd | None:
    """Return the latest simulation of a season, or None; `teams` are its teams by id, where they are known."""
    forecast = forecasts.season_forecast(season)
    if forecast is None:
        return None
    forecast.season = season
    rows = forecast.table["clubs"]
    teams = Team.objects.in_bulk([row["team"] for row in rows]) if teams is None else teams
    # A team that was merged into another since then does not exist any more.
    clubs = [(teams[row["team"]], row) for row in rows if row["team"] in teams]
    return SeasonEnd(forecast, forecast.table["lines"], clubs)


def to_come(found: QuerySet[Match], now: datetime, since: datetime) -> list[QuerySet[Match]]:
    """Return the matches that are to come or under way, as branches for `matches.merged`.

    Files have no status between fixture and result: a match counts until `RESULT_WITHIN` after its kick-off, or after
    the beginning of its day where only the date is known. `since` is so long before now.
    """
    awaited = Q(status__in=AWAITED)
    ahead = Q(kickoff_at__gt=now) & ~Q(status__in=SETTLED)
    return [found.filter(status=Match.Status.LIVE), found.filter(awaited | ahead, kickoff_at__gt=since)]


def coming_of_team(team: Team, now: datetime, *, limit: int) -> list[Match]:
    """Return the next matches of a team, those under way first."""
    return _coming_of_team(team.pk, now, now - RESULT_WITHIN, limit)


@composed_once
def _coming_of_team(team_id: int, now: datetime, since: datetime, limit: int) -> QuerySet[Match]:
    sides = [Match.objects.filter(home_team=team_id), Match.objects.filter(away_team=team_id)]
    branches = [each for side in sides for each in to_come(side, now, since)]
    return matches.merged(branches, "kickoff_at", "id", limit=limit)


def ids_of_coming(team: Team, now: datetime, *, limit: int) -> list[int]:
    """Return the ids of the next matches of a team, those under way first."""
    return _ids_of_coming(team.pk, now, now - RESULT_WITHIN, limit)


@composed_once
def _ids_of_coming(team_id: int, now: datetime, since: datetime, limit: int) -> QuerySet[Match, int]:
    found = _coming_of_team.uncomposed(team_id, now, since, limit)
    return found.select_related(None).values_list("pk", flat=True)


def coming_of_season(season: Season, now: datetime, *, limit: int) -> list[Match]:
    """Return the next matches of a season, those under way first."""
    branches = to_come(Match.objects.filter(season=season), now, now - RESULT_WITHIN)
    return list(matches.merged(branches, "kickoff_at", "id", limit=limit))


def latest_of_season(season: Season, now: datetime, *, limit: int) -> list[Match]:
    """Return the latest results of a season, newest first, without matches under way."""
    is_over = Q(status__in=WITH_RESULT, home_goals__isnull=False)
    rows = Match.objects.filter(is_over, season=season, kickoff_at__lte=now)
    return list(matches.merged([rows], "-kickoff_at", "-id", limit=limit))
