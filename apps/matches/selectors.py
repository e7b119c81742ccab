"""Reads of matches. A QuerySet brings its competition and teams along; nothing here writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    Count,
    DateTimeField,
    Exists,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.lookups import GreaterThan, LessThan
from django.utils.text import slugify

from apps.matches.models import Competition, Contradiction, Ingest, Match, Season, Team, TeamAlias, World
from apps.matches.records import Moment, readable
from apps.matches.standings import Result, Standing, points_for_win, rule_of, table

MARKET_PREFERENCE: Final = ("PS", "Avg", "B365", "Max")
"""Bookmakers in the order in which their closing, then opening, 1X2 prices are taken as the market's."""

TRUTH: Final = "TRUE"
"""The simulator's own probabilities as prices; never the market."""

COUNTED: Final = 1000
"""Rows that are counted one by one where only their number is shown."""

PLAY_OFF_STAGE: Final = "play-offs"
"""Matches of this stage are outside the table of their league."""


@dataclass(frozen=True, slots=True)
class FormEntry:
    """A finished match as one of its teams saw it."""

    match: Match
    is_home: bool
    goals_for: int
    goals_against: int

    @property
    def outcome(self) -> str:
        """W, D or L."""
        if self.goals_for == self.goals_against:
            return "D"
        return "W" if self.goals_for > self.goals_against else "L"

    @property
    def opponent(self) -> Team:
        """The team on the other side."""
        return self.match.away_team if self.is_home else self.match.home_team


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """Decimal 1X2 prices that represent the market for one match."""

    match_id: int
    bookmaker: str
    moment: str
    home: float
    draw: float
    away: float


def data_snapshot(world: World) -> int:
    """Return the number of the latest finished ingest of a world that changed a fact; 0 when there is none."""
    newest = Ingest.objects.filter(world=world, changed_facts=True, finished_at__isnull=False).order_by("-id")
    return newest.values_list("id", flat=True).first() or 0


def matches(world: World | None = None) -> QuerySet[Match]:
    """Return matches with competition, region, stage and teams, unordered; of one world or of both."""
    found = Match.objects.select_related("season__competition__region", "home_team", "away_team", "stage")
    return found if world is None else found.filter(world=world)


def merged(branches: Iterable[QuerySet[Match]], *order: str, limit: int) -> QuerySet[Match]:
    """Return the first matches that any of some queries finds, in an order that is that of an index for each of them.

    Of each branch at most `limit` rows are read, where PostgreSQL reads an OR of two indexes in full and sorts what it
    finds. Teams and competitions are looked up for the matches that are returned alone.
    """
    found = [branch for branch in branches if not branch.query.is_empty()]
    if not found:
        return Match.objects.none()
    columns = dict.fromkeys(("id", *(name.removeprefix("-") for name in order)))
    first, *others = (branch.order_by(*order).values_list(*columns)[:limit] for branch in found)
    page = first.union(*others).order_by(*order)[:limit] if others else first
    statement, values = page.query.sql_with_params()
    ids = RawSQL(f"SELECT page.id FROM ({statement}) AS page", values)  # noqa: S611 – compiled by Django
    return matches().filter(pk__in=ids).order_by(*order)


class _Row(Func):
    """A row of values, which PostgreSQL compares column by column as the order of an index does."""

    function = "ROW"
    output_field = BooleanField()


def beyond(found: QuerySet[Match], kickoff_at: datetime, match_id: int, *, backwards: bool = False) -> QuerySet[Match]:
    """Return the matches that come after a place in the order of kick-off and id, or before it."""
    place = _Row(Value(kickoff_at, DateTimeField()), Value(match_id, BigIntegerField()))
    return found.filter((LessThan if backwards else GreaterThan)(_Row("kickoff_at", "id"), place))


def of_team(found: QuerySet[Match], team: Team) -> list[QuerySet[Match]]:
    """Return the matches of a team at home and those away, the branches that `merged` puts together."""
    return [found.filter(home_team=team), found.filter(away_team=team)]


def recent_form(team_ids: Iterable[int], before: datetime, limit: int = 5) -> dict[int, list[FormEntry]]:
    """Return the latest finished matches of each team whose results were known before an instant, newest first.

    Two queries, whatever the number of teams.
    """
    wanted = list(dict.fromkeys(team_ids))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.team_id, f.id FROM unnest(%s::bigint[]) AS t (team_id) CROSS JOIN LATERAL (
                (SELECT id, kickoff_at FROM matches_match WHERE home_team_id = t.team_id AND kickoff_at < %s
                    AND known_at < %s AND status = 'finished' ORDER BY kickoff_at DESC LIMIT %s)
                UNION ALL
                (SELECT id, kickoff_at FROM matches_match WHERE away_team_id = t.team_id AND kickoff_at < %s
                    AND known_at < %s AND status = 'finished' ORDER BY kickoff_at DESC LIMIT %s)
                ORDER BY kickoff_at DESC, id DESC LIMIT %s
            ) AS f
            """,
            [wanted, before, before, limit, before, before, limit, limit],
        )
        pairs = cursor.fetchall()
    found = matches().in_bulk({match_id for _, match_id in pairs})
    form: dict[int, list[FormEntry]] = {team_id: [] for team_id in wanted}
    for team_id, match_id in pairs:
        form[team_id].append(_form_entry(found[match_id], team_id))
    for entries in form.values():
        entries.sort(key=lambda entry: (entry.match.kickoff_at, entry.match.pk), reverse=True)
    return form


def head_to_head(a: int, b: int, before: datetime, limit: int = 10) -> QuerySet[Match]:
    """Return the latest finished matches between two teams whose results were known before an instant, newest first."""
    played = Match.objects.filter(status=Match.Status.FINISHED, known_at__lt=before)
    branches = [played.filter(home_team=home, away_team=away) for home, away in ((a, b), (b, a))]
    return merged(branches, "-kickoff_at", "-id", limit=limit)


def competitions(world: World) -> QuerySet[Competition]:
    """Return the competitions of a world by region and tier, each with `latest_season`, the label of its newest."""
    newest = Season.objects.filter(competition=OuterRef("pk")).order_by("-label")
    return (
        Competition.objects.filter(world=world)
        .select_related("region")
        .annotate(latest_season=Subquery(newest.values("label")[:1]))
        .order_by("region__name", "level", "name")
    )


def seasons(competition: Competition) -> QuerySet[Season]:
    """Return the seasons of a competition, newest first."""
    return competition.seasons.select_related("competition__region").order_by("-label")


def season_matches(season: Season) -> QuerySet[Match]:
    """Return all matches of a season in the order of kick-off."""
    return matches().filter(season=season).order_by("kickoff_at", "id")


def league_table(season: Season, at: datetime | None = None) -> list[Standing[Team]]:
    """Return the table of a season by the rules of its region, as it was known at an instant or is now.

    Play-offs are left out; so are results by verdict, since what a league makes of one is not in the data. Points that
    were deducted are not known, nor is the split of the Scottish Premiership, whose lower half cannot pass the upper.
    """
    region = season.competition.region.name
    teams: dict[int, Team] = {}
    results = []
    for match in (
        Match.objects.filter(season=season)
        .exclude(stage__name=PLAY_OFF_STAGE)
        .select_related("home_team", "away_team")
        .order_by("kickoff_at", "id")
    ):
        home = teams.setdefault(match.home_team_id, match.home_team)
        away = teams.setdefault(match.away_team_id, match.away_team)
        is_known = at is None or (match.known_at is not None and match.known_at < at)
        if match.has_result and is_known:
            assert match.home_goals is not None
            assert match.away_goals is not None
            results.append(Result(home, away, match.home_goals, match.away_goals))
    return table(
        results,
        rule=rule_of(region),
        win=points_for_win(region, season.label),
        teams=teams.values(),
        name=lambda team: team.name,
    )


def search_teams(text: str, world: World | None = None, limit: int = 20) -> list[Team]:
    """Return teams whose name, or name in a source, holds a text; accents and case do not matter.

    Names that begin with the text come first.
    """
    text = readable(text).strip()
    plain = slugify(text)
    if not text:
        return []
    aliased = TeamAlias.objects.filter(team=OuterRef("pk"), name__icontains=text)
    holds = Q(name__icontains=text) | Q(Exists(aliased))
    if plain:
        holds |= Q(slug__contains=plain)
    found = Team.objects.filter(holds).select_related("region")
    if world is not None:
        of_world = Competition.objects.filter(region=OuterRef("region"), world=world)
        found = found.filter(Exists(of_world))
    # Ranked before the cut: of many names that hold the text the one that is meant may be the last of the alphabet.
    begins = (Q(slug__startswith=plain), Q(name__istartswith=text))
    rank = [Case(When(condition, then=Value(0)), default=Value(1)) for condition in begins]
    return list(found.order_by(*rank, "name")[:limit])


def odds_of(match_ids: Iterable[int]) -> dict[int, MarketPrice]:
    """Return the 1X2 prices that represent the market for each match, where there are any.

    Closing before opening, and within each Pinnacle, the average, Bet365, the best, then any other bookmaker.
    """
    wanted = list(match_ids)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT ON (match_id) match_id, bookmaker, moment, home, draw, away FROM matches_odds
            WHERE match_id = ANY(%s) AND bookmaker <> %s
                AND home IS NOT NULL AND draw IS NOT NULL AND away IS NOT NULL
            ORDER BY match_id, moment <> %s, coalesce(array_position(%s::text[], bookmaker::text), 99), bookmaker
            """,
            [wanted, TRUTH, Moment.CLOSING, list(MARKET_PREFERENCE)],
        )
        return {row[0]: MarketPrice(*row) for row in cursor.fetchall()}


def contradictions_of(match_id: int) -> QuerySet[Contradiction]:
    """Return the open contradictions of a match, ordered by source."""
    return Contradiction.objects.filter(match=match_id, resolved_at__isnull=True).order_by("source")


@dataclass(frozen=True, slots=True)
class Amount:
    """How many rows there are; of very many, about how many."""

    n: int
    is_exact: bool

    def __bool__(self) -> bool:
        return self.n > 0

    def __str__(self) -> str:
        return f"{self.n:,}" if self.is_exact else f"about {round(self.n, -3):,}"


def amount(found: QuerySet[Any]) -> Amount:
    """Return how many rows a query finds: counted up to `COUNTED`, beyond that as PostgreSQL estimates."""
    counted = found.order_by()[: COUNTED + 1].count()
    if counted <= COUNTED:
        return Amount(counted, is_exact=True)
    (plan,) = json.loads(found.order_by().explain(format="json"))
    return Amount(max(int(plan["Plan"]["Plan Rows"]), counted), is_exact=False)


def match_counts(team_ids: Iterable[int]) -> dict[int, int]:
    """Return how many matches each team has, played or to come; a team without any is left out."""
    wanted = list(team_ids)
    counts: dict[int, int] = {}
    for column in ("home_team", "away_team"):
        found = Match.objects.filter(**{f"{column}__in": wanted}).values_list(column).annotate(Count("pk"))
        for team_id, count in found:
            counts[team_id] = counts.get(team_id, 0) + count
    return counts


def _form_entry(match: Match, team_id: int) -> FormEntry:
    is_home = match.home_team_id == team_id
    goals: Sequence[int | None] = (match.home_goals, match.away_goals)
    ours, theirs = goals if is_home else (goals[1], goals[0])
    assert ours is not None
    assert theirs is not None
    return FormEntry(match, is_home, ours, theirs)
