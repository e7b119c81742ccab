"""Reads of matches. A QuerySet brings its competition and teams along; nothing here writes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import and_
from typing import Any, Final, NamedTuple, TypeVar

from django.db.migrations.recorder import MigrationRecorder
from django.db.models import (
    BooleanField,
    Count,
    Exists,
    Func,
    Lookup,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.expressions import RawSQL
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual

from apps.matches.clubs import plain, respelled
from apps.matches.composed import composed_once
from apps.matches.connections import Columns, prepared
from apps.matches.models import (
    Absence,
    AuditEntry,
    AwardedResult,
    Competition,
    Contradiction,
    Ingest,
    LeagueDecision,
    Lineup,
    LiveScore,
    Match,
    PointsAdjustment,
    Region,
    RetentionRun,
    Season,
    SquadValue,
    Team,
    TeamAlias,
    World,
    subject_of,
)
from apps.matches.records import Moment, readable
from apps.matches.replicas import reading
from apps.matches.standings import Result, Standing, points_for_win, rule_of, table

D = TypeVar("D", bound=LeagueDecision)
M = TypeVar("M", bound=Model)

ONE_DAY: Final = timedelta(days=1)

MARKET_PREFERENCE: Final = ("PS", "Avg", "B365", "Max")
"""Bookmakers in the order in which their closing, then opening, 1X2 prices are taken as the market's."""

TRUTH: Final = "TRUE"
"""The simulator's own probabilities as prices; never the market."""

LONGEST_NAME: Final = 120
"""Letters of a text that are compared with names."""

UMLAUT: Final = re.compile("([aou])e")
"""How umlauts are typed without their keys."""

COUNTED: Final = 1000
"""Rows that are counted one by one where only their number is shown."""

PLAY_OFF_STAGE: Final = "play-offs"
"""Matches of this stage are outside the table of their league."""


@dataclass(slots=True)
class TableMatch:
    """What tables, rounds and form need of a match; a season has hundreds, and models cost ten times as much."""

    pk: int
    season_id: int
    home_team_id: int
    away_team_id: int
    kickoff_at: datetime
    kickoff_precision: str
    known_at: datetime | None
    status: str
    round: str
    home_goals: int | None
    away_goals: int | None
    result_source: str
    home_team: Team = field(init=False)
    away_team: Team = field(init=False)

    @property
    def counts_in_table(self) -> bool:
        """See `Match.counts_in_table`."""
        return self.status in (Match.Status.FINISHED, Match.Status.AWARDED) and self.home_goals is not None


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
    return _snapshots(world).values_list("id", flat=True).first() or 0


def updated_at(world: World) -> datetime | None:
    """Return when the data snapshot of a world was complete: the end of its latest ingest that changed a fact."""
    return _snapshots(world).values_list("finished_at", flat=True).first()


def _snapshots(world: World) -> QuerySet[Ingest]:
    return Ingest.objects.filter(world=world, changed_facts=True, finished_at__isnull=False).order_by("-id")


SEASON: Final = Columns(Season, "id competition_id label world")
COMPETITION: Final = Columns(Competition, "id region_id name slug level is_simulated world")
REGION: Final = Columns(Region, "id name")
TEAM: Final = Columns(Team, "id region_id name slug short_name code first_colour second_colour")
"""What answers show of these, for statements that are planned once."""


def matches(world: World | None = None) -> QuerySet[Match]:
    """Return matches with competition, region, stage and teams, unordered; of one world or of both."""
    found = Match.objects.select_related("season__competition__region", "home_team", "away_team", "stage")
    return found if world is None else found.filter(world=world)


@composed_once
def matches_with_ids(match_ids: list[int]) -> QuerySet[Match]:
    """Return some matches as `matches` does, by kick-off."""
    return matches().filter(pk__in=match_ids).order_by("kickoff_at", "id")


@composed_once
def match_with_stats(match_id: int) -> QuerySet[Match]:
    """Return a match as `matches` does, with its statistics and what is at stake."""
    return matches().select_related("stats", "stakes").filter(pk=match_id)


def merged(branches: Iterable[QuerySet[Match]], *order: str, limit: int) -> QuerySet[Match]:
    """Return the first matches that any of some queries finds, in an order that is that of an index for each of them.

    Of each branch at most `limit` rows are read, where PostgreSQL reads an OR of two indexes in full and sorts what it
    finds. Teams and competitions are looked up only for the matches that are returned.
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


_COMPARISONS: Final[dict[tuple[bool, bool], type[Lookup]]] = {
    (False, False): GreaterThan,
    (False, True): GreaterThanOrEqual,
    (True, False): LessThan,
    (True, True): LessThanOrEqual,
}
"""Comparison with a place, by whether rows before it are wanted, and the row at it."""


def beyond(
    found: QuerySet[M], place: Mapping[str, Any], *, backwards: bool = False, inclusive: bool = False
) -> QuerySet[M]:
    """Return the rows that come after a place in the order of some columns, or before it.

    Parameters
    ----------
    place : mapping of str to object
        Column → value, in the order of the columns.
    backwards : bool
        Whether to return the rows before the place.
    inclusive : bool
        Whether the row at the place itself is returned too.
    """
    comparison = _COMPARISONS[backwards, inclusive]
    fields: dict[str, Any] = {name: found.model._meta.get_field(name) for name in place}
    values = (Value(value, fields[name]) for name, value in place.items())
    return found.filter(comparison(_Row(*place), _Row(*values)))


def of_team(found: QuerySet[Match], team: Team) -> list[QuerySet[Match]]:
    """Return the matches of a team at home and those away, the branches that `merged` puts together."""
    return [found.filter(home_team=team), found.filter(away_team=team)]


@composed_once
def team_of_slug(slug: str) -> QuerySet[Team]:
    """Return the team with a slug, with its region."""
    return Team.objects.filter(slug=slug).select_related("region")


@composed_once
def competition_of_slug(slug: str) -> QuerySet[Competition]:
    """Return the competition with a slug, with its region."""
    return Competition.objects.filter(slug=slug).select_related("region")


@composed_once
def competitions_of(world: World) -> QuerySet[Competition]:
    """Return the competitions of a world, with their regions."""
    return Competition.objects.filter(world=world).select_related("region")


def recent_form(team_ids: Iterable[int], before: datetime, limit: int = 5) -> dict[int, list[FormEntry]]:
    """Return the latest finished matches of each team whose results were known before an instant, newest first.

    Two queries, whatever the number of teams.
    """
    ids = recent_results(team_ids, before, limit)
    found = {match.pk: match for match in matches_with_ids([pk for of_team in ids.values() for pk in of_team])}
    return {team_id: [form_entry(found[pk], team_id) for pk in of_team] for team_id, of_team in ids.items()}


def recent_results(team_ids: Iterable[int], before: datetime, limit: int) -> dict[int, list[int]]:
    """Return the ids of the latest finished matches of each team, as `recent_form` does, newest first."""
    wanted = list(dict.fromkeys(team_ids))
    with reading().cursor() as cursor:
        cursor.execute(
            """
            SELECT t.team_id, f.id FROM unnest(%s::bigint[]) AS t (team_id) CROSS JOIN LATERAL (
                (SELECT id, kickoff_at FROM matches_match WHERE home_team_id = t.team_id AND kickoff_at < %s
                    AND known_at < %s AND status = 'finished' ORDER BY kickoff_at DESC LIMIT %s)
                UNION ALL
                (SELECT id, kickoff_at FROM matches_match WHERE away_team_id = t.team_id AND kickoff_at < %s
                    AND known_at < %s AND status = 'finished' ORDER BY kickoff_at DESC LIMIT %s)
                ORDER BY kickoff_at DESC, id DESC LIMIT %s
            ) AS f ORDER BY f.kickoff_at DESC, f.id DESC
            """,
            [wanted, before, before, limit, before, before, limit, limit],
        )
        pairs = cursor.fetchall()
    found: dict[int, list[int]] = {team_id: [] for team_id in wanted}
    for team_id, match_id in pairs:
        found[team_id].append(match_id)
    return found


def squad_value_of(team: Team) -> SquadValue | None:
    """Return the latest estimate of what the squad of a team is worth."""
    return _squad_value_of.first(team.pk)


@composed_once
def _squad_value_of(team_id: int) -> QuerySet[SquadValue]:
    return SquadValue.objects.filter(team=team_id).order_by("-known_on", "source")[:1]


class TeamName(NamedTuple):
    """A team in a list that shows no more of it."""

    display_name: str


class EarlierMatch(NamedTuple):
    """A finished match in the columns that the page of a later one shows.

    `outcome` is W, D or L as the team of a list of its form saw it, empty in a list of meetings.
    """

    pk: int
    kickoff_at: datetime
    kickoff_precision: str
    known_at: datetime
    home_goals: int
    away_goals: int
    home_team: TeamName
    away_team: TeamName
    outcome: str


@dataclass(frozen=True, slots=True)
class EarlierMatches:
    """What was known of two teams before a match: their latest matches, by team, and those against each other."""

    form: dict[int, list[EarlierMatch]]
    meetings: list[EarlierMatch]


def earlier_matches(match: Match, *, form: int, meetings: int) -> EarlierMatches:
    """Return the latest results of both teams of a match and of their meetings, newest first.

    One statement written by hand: no page is requested more often than that of a match, and it reads few columns.
    """
    home, away = match.home_team_id, match.away_team_id
    lists = [
        *((team, f"{side}_team_id = {team}", form) for team in (home, away) for side in ("home", "away")),
        *((0, f"home_team_id = {one} AND away_team_id = {two}", meetings) for one, two in ((home, away), (away, home))),
    ]
    found = " UNION ALL ".join(
        f"""
        SELECT {team} AS team_id, id FROM (
            SELECT id FROM matches_match WHERE {condition} AND kickoff_at < %(before)s AND known_at < %(before)s
                AND status = 'finished' ORDER BY kickoff_at DESC, id DESC LIMIT {limit}
        ) AS latest
        """
        for team, condition, limit in lists
    )
    with reading().cursor() as cursor:
        cursor.execute(
            f"""
            SELECT f.team_id, m.home_team_id, m.id, m.kickoff_at, m.kickoff_precision, m.known_at, m.home_goals,
                m.away_goals, coalesce(nullif(h.short_name, ''), h.name), coalesce(nullif(a.short_name, ''), a.name)
            FROM ({found}) AS f JOIN matches_match m ON m.id = f.id
            JOIN matches_team h ON h.id = m.home_team_id JOIN matches_team a ON a.id = m.away_team_id
            ORDER BY m.kickoff_at DESC, m.id DESC
            """,
            {"before": match.kickoff_at},
        )
        rows = cursor.fetchall()
    by_team: dict[int, list[EarlierMatch]] = {home: [], away: [], 0: []}
    for team_id, home_id, pk, kickoff_at, precision, known_at, home_goals, away_goals, home_name, away_name in rows:
        margin = (home_goals - away_goals) * (1 if team_id == home_id else -1)
        outcome = "" if team_id == 0 else "W" if margin > 0 else "L" if margin < 0 else "D"
        teams = TeamName(home_name), TeamName(away_name)
        earlier = EarlierMatch(pk, kickoff_at, precision, known_at, home_goals, away_goals, *teams, outcome)
        by_team[team_id].append(earlier)
    met = by_team.pop(0)
    return EarlierMatches({team_id: played[:form] for team_id, played in by_team.items()}, met[:meetings])


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


def seasons_listed(competition: Competition) -> list[Season]:
    """Return the seasons of a competition, newest first, each with this competition."""
    found = _seasons_listed(competition.pk)
    for season in found:
        season.competition = competition
    return found


@composed_once
def _seasons_listed(competition_id: int) -> QuerySet[Season]:
    return Season.objects.filter(competition=competition_id).order_by("-label")


def season_matches(season: Season) -> QuerySet[Match]:
    """Return all matches of a season in the order of kick-off."""
    return matches().filter(season=season).order_by("kickoff_at", "id")


def adjustments_of(season: Season, at: datetime | None = None) -> QuerySet[PointsAdjustment]:
    """Return the decisions on points that are in force in a season, as known at an instant or now, oldest first."""
    return _in_force(season.adjustments.select_related("team"), at)


def awarded_results_of(season: Season, at: datetime | None = None) -> QuerySet[AwardedResult]:
    """Return the verdicts that are in force in a season, as known at an instant or now, oldest first."""
    return _in_force(season.awarded_results.select_related("home_team", "away_team"), at)


def _in_force(decisions: QuerySet[D], at: datetime | None) -> QuerySet[D]:
    found = decisions.filter(undone_at__isnull=True).order_by("decided_on", "pk")
    return found if at is None else found.filter(decided_on__lt=at.astimezone(UTC).date())


def deductions_of(season: Season, at: datetime | None = None) -> Counter[int]:
    """Return the points that were taken from clubs of a season, by the id of the club; points given are negative."""
    return points_taken(adjustments_of(season, at))


def points_taken(adjustments: Iterable[PointsAdjustment]) -> Counter[int]:
    """Return the points that some decisions took, by the id of the club; points given are negative."""
    taken = Counter[int]()
    for decision in adjustments:
        taken[decision.team_id] -= decision.points
    return taken


def awarded_of(season: Season, at: datetime | None = None) -> list[Match]:
    """Return the matches of a season's table that a source reports as awarded and that no `AwardedResult` names."""
    found = season_matches(season).filter(status=Match.Status.AWARDED, home_goals__isnull=False)
    found = found.exclude(stage__name=PLAY_OFF_STAGE)
    verdicts = list(awarded_results_of(season))
    return [
        match
        for match in (found if at is None else found.filter(known_at__lt=at))
        if not any(is_on(verdict, match) for verdict in verdicts)
    ]


def is_on(verdict: AwardedResult, match: Match | TableMatch) -> bool:
    """Whether a verdict is on a match: the same teams, on the same day or, as zones differ, one day apart."""
    return (match.season_id, match.home_team_id, match.away_team_id) == (
        verdict.season_id,
        verdict.home_team_id,
        verdict.away_team_id,
    ) and abs(match.kickoff_at.astimezone(UTC).date() - verdict.played_on) <= ONE_DAY


def goals_in_table(match: Match | TableMatch, verdicts: Iterable[AwardedResult]) -> tuple[int, int] | None:
    """Return the goals that the table counts for a match: those of a verdict, else of the result; None without."""
    for verdict in verdicts:
        if is_on(verdict, match):
            return verdict.home_goals, verdict.away_goals
    if match.home_goals is None or match.away_goals is None or not match.counts_in_table:
        return None
    return match.home_goals, match.away_goals


def table_matches(season: Season) -> list[TableMatch]:
    """Return the matches of a season's table in the order of kick-off, with their teams; play-offs are left out."""
    names = [each.name for each in fields(TableMatch) if each.init]
    rows = Match.objects.filter(season=season).exclude(stage__name=PLAY_OFF_STAGE).order_by("kickoff_at", "id")
    found = [TableMatch(*row) for row in rows.values_list(*names)]
    teams = Team.objects.in_bulk({team for match in found for team in (match.home_team_id, match.away_team_id)})
    for match in found:
        match.home_team, match.away_team = teams[match.home_team_id], teams[match.away_team_id]
    return found


_STATE: Final = """
    SELECT count(*), sum(hashtext(version)) FROM (
        SELECT 'match' || xmin || ctid AS version FROM matches_match WHERE season_id = %s
        UNION ALL SELECT 'stage' || xmin || ctid FROM matches_stage WHERE season_id = %s
        UNION ALL SELECT 'points' || xmin || ctid FROM matches_pointsadjustment WHERE season_id = %s
        UNION ALL SELECT 'verdict' || xmin || ctid FROM matches_awardedresult WHERE season_id = %s
        UNION ALL SELECT 'team' || xmin || ctid FROM matches_team WHERE id IN (
            SELECT home_team_id FROM matches_match WHERE season_id = %s
            UNION SELECT away_team_id FROM matches_match WHERE season_id = %s
            UNION SELECT team_id FROM matches_pointsadjustment WHERE season_id = %s
        )
    ) AS versions"""


def state_of_season(season: Season) -> tuple[int, int]:
    """Return a state that any change of a season's matches, decisions and teams replaces by another one.

    PostgreSQL gives each version of a row a place (ctid) and the number of the transaction that wrote it (xmin); the
    state counts these and sums their hashes. It costs a small part of reading the rows.
    """
    ((count, hashes),) = prepared(_STATE, [season.pk] * 7)
    return count, hashes or 0


def league_table(season: Season, at: datetime | None = None) -> list[Standing[Team]]:
    """Return the table of a season by the rules of its region, as it was known at an instant or is now.

    Results by verdict count, and points that were taken or given. Play-offs are left out; the split of the Scottish
    Premiership, whose lower half cannot pass the upper, is not known.
    """
    found, verdicts = table_matches(season), list(awarded_results_of(season, at))
    for match in found:
        if at is not None and (match.known_at is None or match.known_at >= at):
            match.home_goals = None
    goals = {match.pk: counted for match in found if (counted := goals_in_table(match, verdicts))}
    return table_of(season, found, goals, deductions_of(season, at))


def table_of(
    season: Season, found: Sequence[TableMatch], goals: Mapping[int, tuple[int, int]], taken: Mapping[int, int]
) -> list[Standing[Team]]:
    """Return the table that some matches of a season make; see `league_table`.

    Parameters
    ----------
    found : sequence of TableMatch
        All matches of the table, for the teams that have not played yet.
    goals : mapping
        Id of a match that counts → its goals in the table.
    taken : mapping
        Id of a team → points that were taken from it.
    """
    region = season.competition.region.name
    teams = {team.pk: team for match in found for team in (match.home_team, match.away_team)}
    # By the ids of the teams, which are cheaper to compare than models.
    lines = table(
        [Result(match.home_team_id, match.away_team_id, *goals[match.pk]) for match in found if match.pk in goals],
        rule=rule_of(region),
        win=points_for_win(region, season.label),
        teams=teams,
        deductions={pk: points for pk, points in taken.items() if pk in teams},
        name=lambda pk: teams[pk].display_name,
    )
    return [line.of(teams[line.team]) for line in lines]


def named(text: str) -> Q:
    """Return the condition that all words of a text are in the names of a team, or in one of its names in sources."""
    words = _compared(text).split()
    return _holding(words) if words else Q(pk__in=())


def _compared(text: str) -> str:
    return plain(readable(text)[:LONGEST_NAME])


def _holding(parts: Sequence[str]) -> Q:
    every = reduce(and_, (Q(search_text__contains=part) for part in parts), Q())
    return every | Q(Exists(TeamAlias.objects.filter(every, team=OuterRef("pk"))))


def search_teams(text: str, world: World | None = None, limit: int = 20) -> list[Team]:
    """Return the teams that a text names: by any of their names, or by parts of one.

    Names are compared as `clubs.plain` writes them. First come teams of which a name equals the text, then those of
    which one begins with it, then those whose names have words that begin as its words do, then all that hold them.
    Among equals those with a row in ``clubs.csv`` go first. Where nothing is found, "koeln" means "koln", and
    "machester" what is spelled most like it.
    """
    wanted = _compared(text)
    for spelling in dict.fromkeys((wanted, UMLAUT.sub(r"\1", wanted), respelled(wanted))) if wanted else ():
        if teams := _named_teams(spelling, world, limit):
            return teams
    return []


_FOUND_TEAM: Final = Columns(Team, " ".join(each.attname for each in Team._meta.concrete_fields))

# Ranked before the cut: of many names that hold the text the one that is meant may be the last of the alphabet.
_NAMED_TEAMS: Final = f"""
    SELECT {_FOUND_TEAM.sql("t")}, {REGION.sql("r")}
    FROM (
        SELECT team_id, min(CASE WHEN search_text LIKE %s THEN 0 WHEN search_text LIKE %s THEN 1
            WHEN search_text LIKE ALL (%s::text[]) THEN 2 ELSE 3 END) AS rank
        FROM (
            SELECT id AS team_id, search_text FROM matches_team
            UNION ALL SELECT team_id, search_text FROM matches_teamalias
        ) AS names
        WHERE search_text LIKE ALL (%s::text[]) GROUP BY team_id
    ) AS named
    JOIN matches_team t ON t.id = named.team_id JOIN matches_region r ON r.id = t.region_id,
        (SELECT %s::text AS world) AS asked
    WHERE asked.world = ''
        OR EXISTS (SELECT FROM matches_competition c WHERE c.region_id = t.region_id AND c.world = asked.world)
    ORDER BY rank, t.code = '', coalesce(nullif(t.short_name, ''), t.name) LIMIT %s"""


def _named_teams(wanted: str, world: World | None, limit: int) -> list[Team]:
    words = wanted.split()
    begun, held = [_pattern(f" {word}") for word in words], [_pattern(word) for word in words]
    values = [_pattern(f"| {wanted} |"), _pattern(f"| {wanted}"), begun, held, world.value if world else "", limit]
    found = []
    for row in prepared(_NAMED_TEAMS, values):
        columns = iter(row)
        team = _FOUND_TEAM.take(columns)
        team.region = REGION.take(columns)
        found.append(team)
    return found


def _pattern(text: str) -> str:
    """Return the pattern of LIKE for texts that hold another."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"


MARKET_CONDITION: Final = f"bookmaker <> '{TRUTH}' AND home IS NOT NULL AND draw IS NOT NULL AND away IS NOT NULL"
MARKET_ORDER: Final = (
    f"moment <> '{Moment.CLOSING.value}', "
    f"coalesce(array_position(ARRAY{list(MARKET_PREFERENCE)}::text[], bookmaker::text), 99), bookmaker"
)
"""Which prices may represent the market of a match, and which of them come first: in SQL, of rows of `matches_odds`."""


def odds_of(match_ids: Iterable[int]) -> dict[int, MarketPrice]:
    """Return the 1X2 prices that represent the market for each match, where there are any.

    Closing before opening, and within each Pinnacle, the average, Bet365, the best, then any other bookmaker.
    """
    wanted = list(match_ids)
    if not wanted:
        return {}
    with reading().cursor() as cursor:
        cursor.execute(
            f"""
            SELECT DISTINCT ON (match_id) match_id, bookmaker, moment, home, draw, away FROM matches_odds
            WHERE match_id = ANY(%s) AND {MARKET_CONDITION} ORDER BY match_id, {MARKET_ORDER}
            """,
            [wanted],
        )
        return {row[0]: MarketPrice(*row) for row in cursor.fetchall()}


class SquadMember(NamedTuple):
    """A player in the squad of one side of a match."""

    side: str
    name: str
    is_starter: bool
    known_at: datetime


class MissingPlayer(NamedTuple):
    """A player who was reported missing from one side of a match."""

    side: str
    name: str
    reason: str
    status: str


def lineups_of(match_id: int) -> list[SquadMember]:
    """Return the players in the squads of a match, those who begin first."""
    return [SquadMember(*row) for row in _lineups_of(match_id)]


@composed_once
def _lineups_of(match_id: int) -> QuerySet[Lineup, tuple[Any, ...]]:
    rows = Lineup.objects.filter(match=match_id).order_by("-is_starter", "shirt_number", "player__name", "pk")
    return rows.values_list("side", "player__name", "is_starter", "known_at")


def absences_of(match_id: int) -> list[MissingPlayer]:
    """Return the players who were reported missing from a match."""
    return [MissingPlayer(*row) for row in _absences_of(match_id)]


@composed_once
def _absences_of(match_id: int) -> QuerySet[Absence, tuple[Any, ...]]:
    rows = Absence.objects.filter(match=match_id).order_by("player__name", "pk")
    return rows.values_list("side", "player__name", "reason", "status")


def live_scores(match_ids: Iterable[int], now: datetime) -> dict[int, LiveScore]:
    """Return the score of each match in play of which there is fresh news."""
    return {score.match_id: score for score in _live_scores(list(match_ids)) if score.is_fresh(now)}


@composed_once
def _live_scores(match_ids: list[int]) -> QuerySet[LiveScore]:
    return LiveScore.objects.filter(match__in=match_ids)


@composed_once
def contradictions_of(match_id: int) -> QuerySet[Contradiction]:
    """Return the open contradictions of a match, ordered by source."""
    return Contradiction.objects.filter(match=match_id, resolved_at__isnull=True).order_by("source")


def history_of(row: Model) -> QuerySet[AuditEntry]:
    """Return what people did to a row, the latest first."""
    return AuditEntry.objects.filter(subjects__contains=[subject_of(row)]).order_by("-id")


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


def form_entry(match: Match, team_id: int) -> FormEntry:
    """Return a finished match as one of its teams saw it."""
    is_home = match.home_team_id == team_id
    goals: Sequence[int | None] = (match.home_goals, match.away_goals)
    ours, theirs = goals if is_home else (goals[1], goals[0])
    assert ours is not None
    assert theirs is not None
    return FormEntry(match, is_home, ours, theirs)


@dataclass(frozen=True, slots=True)
class PartSize:
    """A part of what SPAI keeps, and the bytes that it uses on disk."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What everything used at the end of the latest run of retention, the largest part first."""

    run: RetentionRun
    parts: tuple[PartSize, ...]

    @property
    def largest(self) -> tuple[PartSize, ...]:
        """The parts that matter on a page: the eight largest, without empty ones."""
        return tuple(part for part in self.parts[:8] if part.bytes)

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(part.bytes for part in self.parts)

    @property
    def free(self) -> int:
        """Bytes that the disk had left."""
        return self.run.free_bytes or 0

    @property
    def errors(self) -> list[str]:
        """Kinds that could not be deleted."""
        return sorted(self.run.errors)


def sizes() -> DiskUse | None:
    """Return what uses the disk, as the latest run of retention measured it; None before the first."""
    run = RetentionRun.objects.filter(finished_at__isnull=False).order_by("-started_at").first()
    if run is None:
        return None
    parts = sorted(run.sizes.items(), key=lambda item: (-item[1], item[0]))
    return DiskUse(run, tuple(PartSize(name, size) for name, size in parts))


NOTICE: Final = timedelta(days=7)
"""Time between the upgrade to a version with retention and the first deletion by the timetable."""


def retention_begins_at(now: datetime) -> datetime | None:
    """Return when the timetable begins to delete; None where it already does.

    An installation that kept everything before its upgrade has so long to set its own periods.
    """
    upgraded = MigrationRecorder.Migration.objects.filter(app="matches", name="0014_retention").first()
    begins_at = None if upgraded is None else upgraded.applied + NOTICE
    return begins_at if begins_at is not None and begins_at > now else None
