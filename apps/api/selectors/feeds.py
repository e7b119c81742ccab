"""Matches of calendars and Atom feeds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Q, QuerySet

from apps.api.selectors.match_cards import AWAITED, MatchCard
from apps.matches import selectors as matches
from apps.matches.models import Competition, Match, MatchChange, World
from apps.ml import selectors as forecasts

CALENDAR_BACK: Final = timedelta(days=28)
CALENDAR_MATCHES: Final = 250
"""Matches of a calendar: those of so many days back and so many in total."""

FEED_MATCHES: Final = 40
SURPRISES_BACK: Final = timedelta(days=14)
SURPRISES_AMONG: Final = 120
"""Forecasts of an Atom feed; days of surprises, and how many matches they are looked for in."""

SURPRISE: Final = 20
"""A result to which the forecast gave less, in per cent, is a surprise."""


def of_teams(team_ids: Sequence[int]) -> Q:
    """Return the condition that one of some teams plays."""
    return Q(home_team__in=team_ids) | Q(away_team__in=team_ids)


def of_competition(competition: Competition) -> Q:
    """Return the condition that a match is of a competition."""
    return Q(competition=competition)


def of_world(world: World) -> Q:
    """Return the condition that a match is of a world."""
    return Q(world=world)


def calendar_cards(where: Q, *, now: datetime) -> list[MatchCard]:
    """Return the matches of a calendar with their forecasts: those of the last weeks, and the next ones."""
    rows = Match.objects.filter(where, kickoff_at__gt=now - CALENDAR_BACK).order_by("kickoff_at", "id")
    return _forecast_cards(rows[:CALENDAR_MATCHES], now=now)


def feed_cards(where: Q, *, now: datetime) -> list[MatchCard]:
    """Return the next matches that are forecast, and recent results that their forecasts considered unlikely."""
    coming = Match.objects.filter(where, status__in=AWAITED, kickoff_at__gt=now).order_by("kickoff_at", "id")
    since = now - SURPRISES_BACK
    played = Match.objects.filter(where, status=Match.Status.FINISHED, kickoff_at__range=(since, now))
    cards = _forecast_cards(coming[:FEED_MATCHES], now=now)
    cards += _forecast_cards(played.order_by("-kickoff_at", "-id")[:SURPRISES_AMONG], now=now)
    return [card for card in cards if card.prediction and (card.given is None or card.given < SURPRISE)]


def _forecast_cards(rows: QuerySet[Match], *, now: datetime) -> list[MatchCard]:
    # Teams and competitions are looked up only for these rows.
    found = list(matches.matches().filter(pk__in=rows.values("pk")).order_by("kickoff_at", "id"))
    predictions = forecasts.latest_predictions([match.pk for match in found])
    return [MatchCard(match=match, now=now, prediction=predictions.get(match.pk)) for match in found]


def counted_changes(match_ids: Sequence[int]) -> dict[int, int]:
    """Return how often the result, kick-off or status of each match changed, without those that never did."""
    rows = MatchChange.objects.filter(match__in=match_ids).values("match_id")
    return dict(rows.annotate(n=Count("id")).values_list("match_id", "n"))
