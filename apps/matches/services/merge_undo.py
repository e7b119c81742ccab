"""Two teams that were merged are separated again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Q

from apps.matches.clubs import club_of
from apps.matches.ingest import tables
from apps.matches.ingest.changes import publish_matches, record_changes
from apps.matches.ingest.rows import COLUMNS, MatchRow
from apps.matches.models import Match, SquadValue, Team, TeamAlias, TeamMerge, World
from apps.matches.services import joins
from apps.matches.services.audit import record_action
from apps.matches.services.decisions import checked_reason, operator_ingest
from apps.matches.services.merges import DECISIONS, MergeRefusedError, by_pair, decisions_of, identity_of, moved
from apps.matches.trust import OPERATOR

NAMED: Final = 3
"""Matches that a refusal names at most."""

_DATETIMES: Final = ("kickoff_at", "finished_at", "known_at")


def undo_merge(*, merge_id: int, by: str, reason: str, now: datetime) -> TeamMerge:
    """Separate two teams again: names, matches and what belongs to them are as they were before the merge.

    Matches that came since go to the team whose names their source uses.

    Raises
    ------
    MergeRefusedError
        When it was undone before, or when later changes make it impossible: a match that was joined has changed, a
        match has been joined with another or is from a source that names both teams, the team that took the place
        was itself merged, or its name is taken again.
    """
    reason = checked_reason(reason, MergeRefusedError)
    now = now.astimezone(UTC)
    done = TeamMerge.objects.filter(pk=merge_id).select_related("ingest", "region").first()
    if done is None:
        raise MergeRefusedError("there is no such merge")
    with operator_ingest(world=World(done.ingest.world), now=now, error=MergeRefusedError) as ingest:
        done.refresh_from_db()
        into = _undoable(done)
        kept = done.moved
        team = Team.objects.create(
            pk=kept["team"]["id"],
            region=done.region,
            name=done.name,
            slug=kept["team"]["slug"],
            **club_of(done.region.name, done.name)._asdict(),
        )
        for relation, ids in kept.get("decisions", {}).items():
            decisions_of(into)[relation].filter(pk__in=ids).update(**{DECISIONS[relation]: team})
        since = _came_since(done, into)
        names = Q(pk__in=kept["aliases"]) | Q(
            team=into, region=done.region, name=done.name, created_at__gt=done.merged_at
        )
        TeamAlias.objects.filter(pk=kept["operator_alias"]).delete()
        TeamAlias.objects.filter(names).update(team=team)
        TeamAlias.objects.filter(pk__in=kept["waiting"]).update(reviewed_at=None)
        SquadValue.objects.filter(pk__in=kept.get("squad_values", ())).update(team=team)
        SquadValue.objects.bulk_create(SquadValue(team=team, **value) for value in kept.get("squad_values_of_both", ()))
        rows = _rows_as_left(kept["matches"])
        _number(since, [*rows, *map(_row, kept["before"][tables.MATCHES])])
        rows += since
        tables.update_matches(rows, ingest_id=ingest.pk, now=now)
        rows += _split(kept, ingest_id=ingest.pk, now=now)
        publish_matches(rows, now=now)
        ingest.changed = len(rows)
        done.undone_at, done.undone_by, done.undo_reason = now, by, reason
        done.save(update_fields=["undone_at", "undone_by", "undo_reason"])
        record_action(
            by=by,
            action="undid a merge",
            about=done,
            also=[into],
            before=done.into_name,
            after=f"{done.name} and {done.into_name}",
            reason=reason,
            now=now,
        )
    return done


def undo_merge_obstacle(merge_id: int) -> str:
    """Return why a merge cannot be undone, as far as is known before it is tried; empty where it can."""
    done = TeamMerge.objects.filter(pk=merge_id).select_related("region").first()
    if done is None:
        return "there is no such merge"
    try:
        _undoable(done)
    except MergeRefusedError as refusal:
        return str(refusal)
    return ""


def _undoable(done: TeamMerge) -> Team:
    if done.undone_at is not None:
        raise MergeRefusedError("the merge was undone before")
    into = Team.objects.filter(pk=done.into_id).first()
    if into is None:
        raise MergeRefusedError(f"{done.into_name} was itself merged into another team; undo that first")
    kept = done.moved["team"]
    taken = Team.objects.filter(Q(region=done.region, name=done.name) | Q(slug=kept["slug"]) | Q(pk=kept["id"])).first()
    if taken is not None:
        raise MergeRefusedError(f"a team with the name or address of {done.name} was stored since")
    survivors = [survivor for survivor, _ in done.moved["joins"]]
    changed = joins.differing(done.moved["after"], joins.snapshot(survivors))
    if changed:
        raise MergeRefusedError(
            f"{_listed(changed)} of both teams changed since, so that the team of each row is no longer known"
        )
    return into


def _rows_as_left(kept: Sequence[dict[str, Any]]) -> list[MatchRow]:
    """Return the matches that were moved and not joined, with the teams that they had before."""
    stored = {row.id: row for row in tables.load_matches_by_id([each["before"]["id"] for each in kept])}
    lost = []
    for each in kept:
        row = stored.get(each["before"]["id"])
        if row is None or identity_of(row) != each["after"]:
            lost.append(each["before"]["id"])
            continue
        for name, value in each["before"].items():
            setattr(row, name, value)
    if lost:
        raise MergeRefusedError(f"{_listed(lost)} passed to another team or row since; undo that first")
    return list(stored.values())


def _came_since(done: TeamMerge, into: Team) -> list[MatchRow]:
    """Return the matches stored since the merge that belong to the team that comes back."""
    kept = done.moved
    back = Q(pk__in=kept["aliases"]) | Q(region=done.region, name=done.name, created_at__gt=done.merged_at)
    # What an operator has corrected may be from any source.
    ours = {*into.aliases.filter(back).values_list("source", flat=True), OPERATOR}
    theirs = {*into.aliases.exclude(back).values_list("source", flat=True), OPERATOR}
    known = {each["before"]["id"] for each in kept["matches"]}
    new = Match.objects.filter(Q(home_team=into) | Q(away_team=into), created_at__gt=done.merged_at)
    rows = tables.load_matches_by_id(list(new.exclude(pk__in=known).values_list("pk", flat=True)))
    doubtful = [row.id for row in rows if row.result_source in ours and row.result_source in theirs]
    if doubtful:
        raise MergeRefusedError(
            f"{_listed(doubtful)} came since from a source that names both teams, and may be of either"
        )
    return [moved(row, into.pk, kept["team"]["id"]) for row in rows if row.result_source in ours]


def _number(new: Sequence[MatchRow], present: Sequence[MatchRow]) -> None:
    """Count the meetings of rows that come to a team on from those that it has."""
    latest: dict[tuple[int, int, int], int] = defaultdict(int)
    for row in present:
        pair = row.season_id, row.home_team_id, row.away_team_id
        latest[pair] = max(latest[pair], row.occurrence)
    for pair, group in by_pair(new).items():
        for number, row in enumerate(group, start=latest[pair] + 1):
            row.occurrence = number


def _split(kept: dict[str, Any], *, ingest_id: int, now: datetime) -> list[MatchRow]:
    """Put two rows in the place of each that was made of two; return the rows of both."""
    survivors = [survivor for survivor, _ in kept["joins"]]
    if not survivors:
        return []
    before = {row["id"]: _row(row) for row in kept["before"][tables.MATCHES]}
    changes = []
    for row in tables.load_matches_by_id(survivors):
        was = before[row.id]
        was.revision = row.revision + (was.result != row.result)
        changes.append((was, row.values()))
    tables.update_matches([was for was, _ in changes], ingest_id=ingest_id, now=now)
    joins.split_matches(survivors, kept["before"], {int(key): ids for key, ids in kept["changes"].items()})
    gone = [gone for _, gone in kept["joins"]]
    tables.mark_changed(set(gone), ingest_id=ingest_id, now=now)
    record_changes(changes, ingest_id=ingest_id, now=now)
    return list(before.values())


def _row(stored: dict[str, Any]) -> MatchRow:
    """Return a match as it was kept."""
    kept = joins.with_new_columns(tables.MATCHES, stored)
    values = {name: kept[name] for name in COLUMNS}
    for name in _DATETIMES:
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name]).astimezone(UTC)
    return MatchRow(**values)


def _listed(match_ids: Sequence[int] | set[int]) -> str:
    """Return matches in words, the first few by number."""
    ids = sorted(match_ids)
    if len(ids) == 1:
        return f"match {ids[0]}"
    shown = ", ".join(map(str, ids[:NAMED]))
    return f"{len(ids)} matches ({shown}{', …' if len(ids) > NAMED else ''})"
