"""Two teams turn out to be one club: their matches become one team's, and can be separated again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.matches.ingest import tables
from apps.matches.ingest.changes import publish_matches, record_changes
from apps.matches.ingest.contradictions import Contradictions, SourceResult
from apps.matches.ingest.formats import SeasonFormats
from apps.matches.ingest.identity import UnclearMatch, identify
from apps.matches.ingest.rows import GOALS, ContradictionError, MatchRow, merge
from apps.matches.models import (
    Competition,
    Match,
    MatchRef,
    Season,
    SquadValue,
    Team,
    TeamAlias,
    TeamMerge,
    World,
)
from apps.matches.records import CompetitionKey, KickoffPrecision, MatchRecord, MatchStatus
from apps.matches.services import joins
from apps.matches.services.audit import record_action
from apps.matches.services.decisions import SYSTEM, checked_reason, operator_ingest
from apps.matches.services.joins import Join
from apps.matches.trust import OPERATOR

DECISIONS: Final = {"adjustments": "team", "home_awarded_results": "home_team", "away_awarded_results": "away_team"}
"""How decisions of leagues name a team: the relation and the field."""


class MergeRefusedError(Exception):
    """Teams cannot be merged, or a merge cannot be undone; the message says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What a merge would do.

    Parameters
    ----------
    team, into : Team
        The team that would be deleted, and the one that takes its place.
    aliases : int
        Names in sources that would lead to `into`.
    rows : tuple of MatchRow
        The matches of `team`, with the teams and the occurrence that they would have.
    joined : tuple of Join
        Matches that both teams have, each with the row that stays and the one whose contents move into it.
    contradictions : int
        Of the joined, those with different results.
    """

    team: Team
    into: Team
    world: World
    aliases: int
    rows: tuple[MatchRow, ...]
    joined: tuple[Join, ...]
    contradictions: int


def plan_merge(*, team_id: int, into_id: int, now: datetime) -> MergePlan:
    """Return what merging one team into another would do.

    Records of a match of both are distinguished and joined as `ingest()` does it (`identity`).

    Raises
    ------
    MergeRefusedError
        When the two cannot be one club, or two rows cannot become one.
    """
    team, into = _teams(team_id, into_id)
    _refuse_strangers(team, into)
    world = _world(team, into)
    ours = tables.load_matches_of_team(team.pk)
    theirs = by_pair(tables.load_matches_of_team(into.pk, {row.season_id for row in ours}))
    seasons = Season.objects.select_related("competition__region").in_bulk({row.season_id for row in ours})
    formats = SeasonFormats()
    renamed: list[MatchRow] = []
    joined: list[Join] = []
    for pair, group in by_pair([moved(row, team.pk, into.pk) for row in ours]).items():
        stored = theirs.get(pair, [])
        season = seasons[pair[0]]
        answers = identify(
            [_record(row, season) for row in group],
            stored,
            formats=formats.of(season.pk),
            now=now,
        )
        occurrence = max((row.occurrence for row in stored), default=0)
        for row, answer in zip(group, answers, strict=True):
            if isinstance(answer, UnclearMatch):
                raise MergeRefusedError(f"the match of {row.kickoff_at:%Y-%m-%d}: {answer.reason}")
            if answer is None:
                occurrence += 1
                row.occurrence = occurrence
            else:
                row.occurrence = answer.occurrence
                joined.append(Join(survivor=answer, gone=row))
            renamed.append(row)
    joined = _choose_survivors(joined)
    return MergePlan(
        team=team,
        into=into,
        world=world,
        aliases=team.aliases.count(),
        rows=tuple(renamed),
        joined=tuple(joined),
        contradictions=sum(SourceResult.of(join.survivor).contradicts(SourceResult.of(join.gone)) for join in joined),
    )


def merge_teams(*, team_id: int, into_id: int, by: str, reason: str, now: datetime) -> TeamMerge:
    """Make one team of two: names, matches and all that belongs to them pass to `into`, and the other team is no more.

    Where both have a row of one match the rows become one, with the references, prices, statistics, people and history
    of both; of two results the order of trust chooses, and the other is kept as a contradiction. The name that goes
    leads to `into` in every source from now on. The data snapshot moves, so that features are made again.

    Parameters
    ----------
    team_id : int
        The team that goes.
    into_id : int
        The team that stays.
    by : str
        The user name.
    reason : str
        Kept with the merge.
    now : datetime
        Aware.

    Raises
    ------
    MergeRefusedError
        When the two cannot be one club: they met, they belong to different worlds, or a match of both is in doubt.
    """
    reason = checked_reason(reason, MergeRefusedError)
    now = now.astimezone(UTC)
    with operator_ingest(world=_world(*_teams(team_id, into_id)), now=now, error=MergeRefusedError) as ingest:
        plan = plan_merge(team_id=team_id, into_id=into_id, now=now)
        absorbed = {join.gone.id for join in plan.joined}
        survivors = {join.survivor.id for join in plan.joined}
        columns = ("id", "home_team_id", "away_team_id", "occurrence")
        kept: dict[str, Any] = {
            "team": {"id": plan.team.pk, "name": plan.team.name, "slug": plan.team.slug},
            "aliases": list(plan.team.aliases.values_list("pk", flat=True)),
            "decisions": {
                name: list(rows.values_list("pk", flat=True)) for name, rows in decisions_of(plan.team).items()
            },
            "waiting": list(plan.team.aliases.filter(reviewed_at__isnull=True).values_list("pk", flat=True)),
            "matches": [
                {"before": dict(zip(columns, before, strict=True)), "after": identity_of(row)}
                for row, before in _with_identity_before(plan, columns)
                if row.id not in absorbed | survivors
            ],
            "joins": [[join.survivor.id, join.gone.id] for join in plan.joined],
            "before": joins.snapshot(sorted(absorbed | survivors)),
        }
        changed = _join(plan.joined, ingest_id=ingest.pk, now=now, kept=kept)
        changed += [row for row in plan.rows if row.id not in absorbed | survivors]
        tables.update_matches([row for row in changed if row.id not in survivors], ingest_id=ingest.pk, now=now)
        kept["after"] = joins.snapshot(sorted(survivors))
        kept["operator_alias"] = _pass_names(plan, now=now)
        for relation, rows in decisions_of(plan.team).items():
            rows.update(**{DECISIONS[relation]: plan.into})
        kept |= _pass_squad_values(plan.team, plan.into)
        plan.team.delete()
        publish_matches(changed, now=now)
        ingest.changed = len(changed)
        done = TeamMerge.objects.create(
            name=plan.team.name,
            region=plan.team.region,
            into=plan.into,
            into_name=plan.into.name,
            ingest=ingest,
            moved=kept,
            matches_moved=len(plan.rows),
            matches_joined=len(plan.joined),
            merged_by=by,
            reason=reason,
            merged_at=now,
        )
        if by != SYSTEM:
            record_action(
                by=by,
                action="merged two teams",
                about=done,
                also=[plan.into],
                before=f"{done.name} and {done.into_name}",
                after=f"{done.into_name}, with {done.matches_moved} more matches, {done.matches_joined} of them joined",
                reason=reason,
                now=now,
            )
    return done


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────
def _teams(team_id: int, into_id: int) -> tuple[Team, Team]:
    found = Team.objects.select_related("region").in_bulk([team_id, into_id])
    if team_id == into_id:
        raise MergeRefusedError("a team cannot be merged into itself")
    if len(found) < 2:
        raise MergeRefusedError("one of the teams is no longer stored")
    return found[team_id], found[into_id]


def _refuse_strangers(team: Team, into: Team) -> None:
    met = (
        Match.objects.filter(Q(home_team=team, away_team=into) | Q(home_team=into, away_team=team))
        .order_by("kickoff_at")
        .first()
    )
    if met is not None:
        raise MergeRefusedError(f"they met each other on {met.kickoff_at:%Y-%m-%d}, so they are two clubs")
    days = (set(each.adjustments.filter(undone_at=None).values_list("season", "decided_on")) for each in (team, into))
    if set.intersection(*days):
        raise MergeRefusedError("both have a decision on their points of the same day; take one of them back first")
    for relation in Team._meta.related_objects:
        model = relation.related_model
        assert not isinstance(model, str)
        if model._meta.app_label == Team._meta.app_label:
            continue
        if model._base_manager.filter(**{relation.field.attname: team.pk}).exists():
            raise MergeRefusedError(f"{model._meta.verbose_name_plural} refer to {team}, which would be no more")


def decisions_of(team: Team) -> dict[str, QuerySet[Any]]:
    """Return the decisions of leagues that name a team, by relation."""
    return {relation: getattr(team, relation).all() for relation in DECISIONS}


def _world(team: Team, into: Team) -> World:
    worlds = []
    for each in (team, into):
        competitions = Competition.objects.filter(
            Q(seasons__matches__home_team=each) | Q(seasons__matches__away_team=each)
        )
        found = competitions.first() or Competition.objects.filter(region=each.region).first()
        worlds.append(found.world if found else World.REAL)
    if worlds[0] != worlds[1]:
        raise MergeRefusedError("one of them is simulated, the other real")
    return worlds[0]


def _choose_survivors(joined: Sequence[Join]) -> list[Join]:
    """Let the row stay that something refers to, else that of the team that stays."""
    ids = [row.id for join in joined for row in (join.survivor, join.gone)]
    kept = joins.protected(ids) if ids else {}
    sources: dict[int, set[str]] = defaultdict(set)
    for match_id, source in MatchRef.objects.filter(match_id__in=ids).values_list("match_id", "source"):
        sources[match_id].add(source)
    chosen = []
    for join in joined:
        day = f"the match of {join.survivor.kickoff_at:%Y-%m-%d}"
        twice = sources[join.survivor.id] & sources[join.gone.id]
        if twice:
            raise MergeRefusedError(f"{day}: {min(twice)} reports it for both teams, under two ids")
        ours, theirs = SourceResult.of(join.survivor), SourceResult.of(join.gone)
        if ours.contradicts(theirs) and ours.source == theirs.source:
            raise MergeRefusedError(f"{day}: {ours.source} reports it for both teams, with different results")
        if join.gone.id not in kept:
            chosen.append(join)
        elif join.survivor.id not in kept:
            chosen.append(Join(survivor=join.gone, gone=join.survivor))
        else:
            raise MergeRefusedError(f"{day}: {kept[join.gone.id]} refer to either team's row, and neither may go")
    return chosen


# ── Merging ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _join(joined: Sequence[Join], *, ingest_id: int, now: datetime, kept: dict[str, Any]) -> list[MatchRow]:
    """Make one row of two each; return the rows that stay."""
    seasons = Season.objects.select_related("competition__region").in_bulk({join.gone.season_id for join in joined})
    before = {}
    merged = []
    stored = {row.id: row for row in tables.load_matches_by_id([join.survivor.id for join in joined])}
    for join in joined:
        row, record = join.survivor, _record(join.gone, seasons[join.gone.season_id])
        before[row.id] = (row, stored[row.id].values())
        standing = SourceResult.of(row)
        try:
            merge(row, record, stage_id=join.gone.stage_id, source=join.gone.result_source, now=now)
            refused = False
        except ContradictionError:
            refused = True
            row.round, row.stage_id = row.round or join.gone.round, row.stage_id or join.gone.stage_id
        merged.append((row, record, standing, join.gone.result_source, refused))
    # The rows that go make room for those that take their place.
    kept["changes"] = {str(match_id): ids for match_id, ids in joins.absorb(joined).items()} if joined else {}
    rows = [row for row, *_ in merged]
    tables.update_matches(rows, ingest_id=ingest_id, now=now)
    record_changes(list(before.values()), ingest_id=ingest_id, now=now)
    contradictions = Contradictions(now)
    for row, record, standing, source, refused in merged:
        contradictions.replaced(row, before=standing)
        if refused:
            contradictions.refused(row, record, source=source)
    contradictions.store(ingest_id=ingest_id)
    return rows


def _pass_names(plan: MergePlan, *, now: datetime) -> int | None:
    """Let the names of a team lead to the other one, in every source; return the new alias, if one was needed."""
    plan.team.aliases.filter(reviewed_at__isnull=True).update(reviewed_at=now)
    plan.team.aliases.update(team=plan.into)
    alias, is_new = TeamAlias.objects.get_or_create(
        source=OPERATOR,
        region=plan.team.region,
        name=plan.team.name,
        defaults={"team": plan.into, "created_at": now, "reviewed_at": now},
    )
    return alias.pk if is_new else None


def _pass_squad_values(team: Team, into: Team) -> dict[str, Any]:
    """Let the squad values of a team pass to the other one, whose own stay where a source has both for one day.

    Return what an undo needs: the rows that passed, and the values of those that go with the team.
    """
    of_into = SquadValue.objects.filter(team=into, source=OuterRef("source"), known_on=OuterRef("known_on"))
    of_both = team.squad_values.filter(Exists(of_into)).values("source", "known_on", "value_eur", "squad_size")
    kept = [value | {"known_on": value["known_on"].isoformat()} for value in of_both]
    passing = list(team.squad_values.exclude(Exists(of_into)).values_list("pk", flat=True))
    SquadValue.objects.filter(pk__in=passing).update(team=into)
    return {"squad_values": passing, "squad_values_of_both": kept}


def _with_identity_before(plan: MergePlan, columns: Sequence[str]) -> list[tuple[MatchRow, tuple[Any, ...]]]:
    stored = {row[0]: row for row in Match.objects.filter(pk__in=[row.id for row in plan.rows]).values_list(*columns)}
    return [(row, stored[row.id]) for row in plan.rows]


def identity_of(row: MatchRow) -> dict[str, int]:
    """Return the columns that distinguish a match within its season, by name."""
    return {"home_team_id": row.home_team_id, "away_team_id": row.away_team_id, "occurrence": row.occurrence}


def moved(row: MatchRow, team_id: int, into_id: int) -> MatchRow:
    """Return a row with another team in the place of one."""
    return replace(
        row,
        home_team_id=into_id if row.home_team_id == team_id else row.home_team_id,
        away_team_id=into_id if row.away_team_id == team_id else row.away_team_id,
    )


def by_pair(rows: Sequence[MatchRow]) -> dict[tuple[int, int, int], list[MatchRow]]:
    """Return matches by season, home team and away team, in the order of their kick-offs."""
    pairs: dict[tuple[int, int, int], list[MatchRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.kickoff_at, row.id)):
        pairs[row.season_id, row.home_team_id, row.away_team_id].append(row)
    return pairs


def _record(row: MatchRow, season: Season) -> MatchRecord:
    """Return a stored match as a record."""
    competition = season.competition
    finished_at = row.finished_at.astimezone(UTC) if row.finished_at else None
    return MatchRecord(
        competition=CompetitionKey(
            competition.region.name, competition.name, competition.level, competition.is_simulated
        ),
        season=season.label,
        home_team=str(row.home_team_id),
        away_team=str(row.away_team_id),
        kickoff_at=row.kickoff_at.astimezone(UTC),
        kickoff_precision=KickoffPrecision(row.kickoff_precision),
        status=MatchStatus(row.status),
        finished_at=finished_at,
        is_neutral=row.is_neutral,
        round=row.round,
        **{name: getattr(row, name) for name in GOALS},
    )
