"""Matches of a day in a zone, and days that have matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, DateField, Q, QuerySet, When
from django.db.models.functions import TruncDate

from apps.api.selectors.match_cards import MatchCard, cards_of
from apps.matches.connections import prepared
from apps.matches.leagues import importance
from apps.matches.models import Competition, Match, World

WHOLE_DAY = 12
"""Largest number of matches of a competition and day that are all shown; of more, only those around now are."""
MOST_ROWS = 40
"""Most rows of a day; the matches of further leagues are only counted."""
STARTED_SHOWN = 4
COMING_SHOWN = 8


@dataclass(frozen=True, slots=True)
class CompetitionFixtures:
    """The matches of one competition on a day; `earlier` and `later` count those that are not shown."""

    competition: Competition
    cards: list[MatchCard]
    earlier: int
    later: int


@dataclass(frozen=True, slots=True)
class LeagueOfDay:
    """A league whose matches of a day are only counted."""

    region: str
    name: str
    slug: str
    matches: int


@dataclass(frozen=True, slots=True)
class DayFixtures:
    """The matches of a day: those of followed teams, those of each league, and the leagues that are only counted."""

    followed: list[MatchCard]
    leagues: list[CompetitionFixtures]
    others: list[LeagueOfDay]


def day_span(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first instant of a day in a zone and the first of the next, in UTC."""
    start = datetime.combine(day, clock(), tzinfo=zone)
    end = datetime.combine(day + timedelta(days=1), clock(), tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def on_days(first: date, days: int, zone: ZoneInfo) -> Q:
    """Return the condition that a match is on one of some days in a zone.

    A match of which only the date is known belongs to that date in every zone.
    """
    start, _ = day_span(first, zone)
    _, end = day_span(first + timedelta(days=days - 1), zone)
    date_start, _ = day_span(first, ZoneInfo("UTC"))
    _, date_end = day_span(first + timedelta(days=days - 1), ZoneInfo("UTC"))
    is_on = Q(kickoff_precision=Match.KickoffPrecision.MINUTE, kickoff_at__gte=start, kickoff_at__lt=end) | Q(
        kickoff_precision=Match.KickoffPrecision.DATE, kickoff_at__gte=date_start, kickoff_at__lt=date_end
    )
    # The OR alone uses no index; one range around both parts does.
    return Q(kickoff_at__gte=min(start, date_start), kickoff_at__lt=max(end, date_end)) & is_on


def day_counts(world: World, first: date, days: int, zone: ZoneInfo) -> dict[date, int]:
    """Return the number of matches of a world on each of some days in a zone, without the days that have none."""
    rows = (
        Match.objects.filter(on_days(first, days, zone), world=world)
        .annotate(
            day=Case(
                When(kickoff_precision=Match.KickoffPrecision.DATE, then=TruncDate("kickoff_at", tzinfo=UTC)),
                default=TruncDate("kickoff_at", tzinfo=zone),
                output_field=DateField(),
            )
        )
        .values("day")
        .annotate(n=Count("id"))
        .values_list("day", "n")
    )
    return dict(rows)


# The range around both kinds uses an index, which the OR alone does not; see `on_days`.
_ANY: Final = """
    SELECT FROM matches_match WHERE world = %s AND kickoff_at >= %s AND kickoff_at < %s AND (
        kickoff_precision = 'minute' AND kickoff_at >= %s AND kickoff_at < %s
        OR kickoff_precision = 'date' AND kickoff_at >= %s AND kickoff_at < %s
    ) LIMIT 1"""


def nearest_day(world: World, now: datetime, zone: ZoneInfo) -> date:
    """Return today if it has a match, else the next day with one, else the latest; today in an empty world."""
    today = now.astimezone(zone).date()
    (start, end), (date_start, date_end) = day_span(today, zone), day_span(today, ZoneInfo("UTC"))
    if prepared(_ANY, [world.value, min(start, date_start), max(end, date_end), start, end, date_start, date_end]):
        return today
    of = Match.objects.filter(world=world)
    return edge_day(after_day(of, today, zone), zone) or edge_day(of, zone, is_latest=True) or today


def after_day(found: QuerySet[Match], day: date, zone: ZoneInfo) -> QuerySet[Match]:
    """Return the matches on later days than one in a zone."""
    (_, end), (_, date_end) = day_span(day, zone), day_span(day, ZoneInfo("UTC"))
    minute, date_only = (Q(kickoff_precision=precision) for precision in Match.KickoffPrecision)
    # A date-only match is stored at 00:00 UTC, another day in some zones: the two kinds have different bounds.
    is_after = (minute & Q(kickoff_at__gte=end)) | (date_only & Q(kickoff_at__gte=date_end))
    return found.filter(is_after, kickoff_at__gte=min(end, date_end))


def edge_day(found: QuerySet[Match], zone: ZoneInfo, *, is_latest: bool = False) -> date | None:
    """Return the first day that has one of some matches, or the latest; None where there is no match.

    A date-only match has its date in every zone and is stored at 00:00 UTC of it. West of UTC the matches of the
    evening before that date are stored after it, so the order of the instants is not always that of the days.
    """
    edge = found.order_by(*(("-kickoff_at", "-id") if is_latest else ("kickoff_at", "id"))).first()
    if edge is None:
        return None
    day, at = local_day(edge, zone), edge.kickoff_at
    is_dated = edge.kickoff_precision == Match.KickoffPrecision.DATE
    offset = at.astimezone(zone).utcoffset() or timedelta()
    if offset >= timedelta() or is_dated == is_latest:
        return day
    if is_latest:
        midnight = datetime.combine(at.astimezone(UTC), clock(), UTC)
        others = found.filter(kickoff_precision=Match.KickoffPrecision.DATE, kickoff_at=midnight)
    else:
        others = found.filter(kickoff_precision=Match.KickoffPrecision.MINUTE, kickoff_at__range=(at, at - offset))
    other = others.order_by("kickoff_at", "id").first()
    return local_day(other, zone) if other else day


_DAY_OF: Final = """
    (m.kickoff_at AT TIME ZONE CASE m.kickoff_precision WHEN 'date' THEN 'UTC' ELSE a.zone END)::date"""

# Day after day by the index on the world. A date-only match is stored at 00:00 UTC of its day, and west of UTC the
# evening of the day before comes later: the first match in chronological order is only a bound for the search.
_DAYS: Final = f"""
    SELECT d.day, (
        SELECT COUNT(*) FROM matches_match m
        WHERE m.world = d.world AND {_DAY_OF.replace("a.zone", "d.zone")} = d.day
            AND m.kickoff_at >= least(d.day::timestamp AT TIME ZONE d.zone, d.day::timestamp AT TIME ZONE 'UTC')
            AND m.kickoff_at <
                greatest((d.day + 1)::timestamp AT TIME ZONE d.zone, (d.day + 1)::timestamp AT TIME ZONE 'UTC')
    ) FROM (
        WITH RECURSIVE asked (world, zone, day) AS (SELECT %s::text, %s::text, %s::date),
        later (day, n) AS (
            SELECT day, 0 FROM asked
            UNION ALL
            SELECT (
                SELECT min({_DAY_OF}) FROM (
                    SELECT m.kickoff_at FROM matches_match m
                    WHERE m.world = a.world AND {_DAY_OF} > d.day AND m.kickoff_at >=
                        least((d.day + 1)::timestamp AT TIME ZONE a.zone, (d.day + 1)::timestamp AT TIME ZONE 'UTC')
                    ORDER BY m.kickoff_at LIMIT 1
                ) AS first JOIN matches_match m ON m.world = a.world AND {_DAY_OF} > d.day
                    AND m.kickoff_at BETWEEN first.kickoff_at AND first.kickoff_at + interval '14 hours'
            ), n + 1 FROM later d CROSS JOIN asked a WHERE n < %s AND d.day IS NOT NULL
        ),
        earlier (day, n) AS (
            SELECT day, 0 FROM asked
            UNION ALL
            SELECT (
                SELECT max({_DAY_OF}) FROM (
                    SELECT m.kickoff_at FROM matches_match m
                    WHERE m.world = a.world AND {_DAY_OF} < d.day AND m.kickoff_at <
                        greatest(d.day::timestamp AT TIME ZONE a.zone, d.day::timestamp AT TIME ZONE 'UTC')
                    ORDER BY m.kickoff_at DESC LIMIT 1
                ) AS last JOIN matches_match m ON m.world = a.world AND {_DAY_OF} < d.day
                    AND m.kickoff_at BETWEEN last.kickoff_at - interval '14 hours' AND last.kickoff_at
            ), n + 1 FROM earlier d CROSS JOIN asked a WHERE n < %s AND d.day IS NOT NULL
        )
        SELECT days.day, world, zone FROM (SELECT day FROM later UNION SELECT day FROM earlier) AS days, asked
        WHERE days.day IS NOT NULL
    ) AS d ORDER BY d.day"""


def days_around(world: World, day: date, zone: ZoneInfo, *, before: int, after: int) -> dict[date, int]:
    """Return a day and the nearest days before and after it that have a match of a world, with their matches."""
    return dict(prepared(_DAYS, [world.value, zone.key, day, after, before]))


def local_day(match: Match, zone: ZoneInfo) -> date:
    """Return the day of a match in a zone; for a date-only match, its date."""
    if match.kickoff_precision == Match.KickoffPrecision.DATE:
        return match.kickoff_at.astimezone(UTC).date()
    return match.kickoff_at.astimezone(zone).date()


_OF_DAY: Final = f"""
    SELECT d.id, has_started, is_followed, on_day, of_its_kind, started_rank, coming_rank,
        r.name, c.name, c.level, c.slug, c.position
    FROM (
        SELECT id, competition_id, has_started, is_followed, COUNT(*) OVER (PARTITION BY competition_id) AS on_day,
            COUNT(*) OVER (PARTITION BY competition_id, has_started) AS of_its_kind,
            row_number() OVER (PARTITION BY competition_id, has_started ORDER BY kickoff_at DESC) AS started_rank,
            row_number() OVER (PARTITION BY competition_id, has_started ORDER BY kickoff_at) AS coming_rank
        FROM (
            SELECT *, kickoff_at <= now AS has_started,
                home_team_id = ANY(followed) OR away_team_id = ANY(followed) AS is_followed
            FROM matches_match, (SELECT %s::timestamptz AS now, %s::bigint[] AS followed) AS asked
            WHERE world = %s AND kickoff_at >= %s AND kickoff_at < %s AND (
                kickoff_precision = 'minute' AND kickoff_at >= %s AND kickoff_at < %s
                OR kickoff_precision = 'date' AND kickoff_at >= %s AND kickoff_at < %s
            )
        ) AS all_of_day
    ) AS d JOIN matches_competition c ON c.id = d.competition_id JOIN matches_region r ON r.id = c.region_id
    WHERE c.slug = %s OR %s = '' AND (
        is_followed OR on_day <= {WHOLE_DAY}
        OR CASE WHEN has_started THEN started_rank <= {STARTED_SHOWN} ELSE coming_rank <= {COMING_SHOWN} END
    )"""


def fixtures_of_day(
    world: World, day: date, zone: ZoneInfo, *, now: datetime, whole: str = "", followed: Sequence[int] = ()
) -> DayFixtures:
    """Return the matches of a day, those of followed teams first, then the leagues by their importance.

    Of a league with many matches only those around now are returned. Leagues that would make the page longer than
    `MOST_ROWS` are only counted.

    Parameters
    ----------
    whole : str
        Slug of a competition: all of its matches are returned, and no others.
    followed : sequence of int
        Ids of the teams that the reader follows.
    """
    (start, end), (date_start, date_end) = day_span(day, zone), day_span(day, ZoneInfo("UTC"))
    bounds = [min(start, date_start), max(end, date_end), start, end, date_start, date_end]
    listed = [_Listed(*row) for row in prepared(_OF_DAY, [now, list(followed), world.value, *bounds, whole, whole])]
    by_league: dict[str, list[_Listed]] = {}
    for row in sorted(listed, key=lambda row: importance(row.region, row.league, row.level, row.position)):
        if whole or row.is_around_now:
            by_league.setdefault(row.slug, []).append(row)
    shown, others, count = list[list[_Listed]](), list[LeagueOfDay](), 0
    for group in by_league.values():
        count += len(group)
        if shown and count > MOST_ROWS:
            others.append(LeagueOfDay(group[0].region, group[0].league, group[0].slug, group[0].on_day))
        else:
            shown.append(group)
    first = [row.pk for row in listed if row.is_followed]
    # The joins are read for the matches that are shown, not for all matches of the day.
    found = cards_of([row.pk for group in shown for row in group] + first, now=now)
    return DayFixtures(
        followed=[card for pk, card in found.items() if pk in first],
        leagues=[_league_of_day(group, found) for group in shown],
        others=others,
    )


def _league_of_day(rows: list[_Listed], found: dict[int, MatchCard]) -> CompetitionFixtures:
    of = {row.pk: row for row in rows}
    shown = [card for pk, card in found.items() if pk in of]
    started = [row for row in rows if row.has_started]
    coming = [row for row in rows if not row.has_started]
    return CompetitionFixtures(
        competition=shown[0].match.season.competition,
        cards=shown,
        earlier=started[0].of_its_kind - len(started) if started else 0,
        later=coming[0].of_its_kind - len(coming) if coming else 0,
    )


class _Listed(NamedTuple):
    """A match of a day before its joins are read."""

    pk: int
    has_started: bool
    is_followed: bool
    on_day: int
    of_its_kind: int
    started_rank: int
    coming_rank: int
    region: str
    league: str
    level: int
    slug: str
    position: int | None

    @property
    def is_around_now(self) -> bool:
        rank, limit = (self.started_rank, STARTED_SHOWN) if self.has_started else (self.coming_rank, COMING_SHOWN)
        return self.on_day <= WHOLE_DAY or rank <= limit
