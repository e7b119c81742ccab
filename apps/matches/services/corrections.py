"""Corrections: results that an operator sets. No source overrules them; each has a reason and can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from apps.matches.ingest import tables
from apps.matches.ingest.changes import publish_matches, record_changes
from apps.matches.ingest.contradictions import Contradictions, SourceResult
from apps.matches.ingest.rows import GOALS, PLAYED, RESULTS, MatchRow, drop_impossible
from apps.matches.models import Contradiction, Correction, Ingest, Match, World
from apps.matches.records import GOALS_LIMIT, KickoffPrecision, MatchStatus, result_known_at
from apps.matches.services.audit import record_action
from apps.matches.services.decisions import acquire_ingest_lock, checked_reason, operator_ingest
from apps.matches.trust import OPERATOR

RECORDED_COLUMNS: Final = ("result_source", "status", *GOALS)
"""What a correction may change, kept as it was and as it became."""

DECISIVE: Final = ("result_source", "status", "home_goals", "away_goals")
"""What must still be as the correction left it when it is taken back; the rest may have been filled in since."""


class CorrectionRefusedError(Exception):
    """A correction cannot be made or taken back; the message says why."""


def correct_result(
    *,
    match_id: int,
    home_goals: int,
    away_goals: int,
    by: str,
    reason: str,
    now: datetime,
    status: MatchStatus = MatchStatus.FINISHED,
    accepted: Contradiction | None = None,
) -> Correction:
    """Set the result of a match, which no source overrules then.

    Parameters
    ----------
    match_id : int
        A match that has kicked off.
    home_goals, away_goals : int
        After 90 minutes and stoppage time.
    by : str
        The user name.
    reason : str
        Kept with the correction.
    now : datetime
        Aware.
    status : MatchStatus, optional
        Finished, or awarded for a result by verdict.
    accepted : Contradiction, optional
        The contradiction whose reported result it is.

    Raises
    ------
    CorrectionRefusedError
        When there is no such match, it has not kicked off, the result is impossible or stored already, or there is no
        reason.
    """
    reason = checked_reason(reason, CorrectionRefusedError)
    if status not in RESULTS:
        raise CorrectionRefusedError(f"a match that is {status} has no result")
    if not (0 <= home_goals <= GOALS_LIMIT and 0 <= away_goals <= GOALS_LIMIT):
        raise CorrectionRefusedError(f"{home_goals}–{away_goals} is no result of a match")
    with operator_ingest(world=_world(match_id), now=now, error=CorrectionRefusedError) as ingest:
        row = _row(match_id)
        if row.kickoff_at > now:
            raise CorrectionRefusedError("the match has not kicked off")
        result = {"result_source": OPERATOR, "status": status, "home_goals": home_goals, "away_goals": away_goals}
        if all(getattr(row, name) == value for name, value in result.items()):
            raise CorrectionRefusedError("an operator has set this result already")
        before = {name: getattr(row, name) for name in RECORDED_COLUMNS}
        _set(row, result, ingest=ingest, now=now, resolution=Contradiction.Resolution.CORRECTED)
        correction = Correction.objects.create(
            match_id=match_id,
            ingest=ingest,
            before=before,
            after={name: getattr(row, name) for name in RECORDED_COLUMNS},
            decided_by=by,
            reason=reason,
            decided_at=now,
        )
        record_action(
            by=by,
            action="accepted a reported result" if accepted else "corrected the result",
            about=correction.match,
            also=[correction, *([accepted] if accepted else [])],
            before=result_in_words(correction.before),
            after=result_in_words(correction.after),
            reason=reason,
            now=now,
        )
    return correction


def result_in_words(result: Mapping[str, Any]) -> str:
    """Return a result that a correction keeps, with its source, in words."""
    if result["home_goals"] is None:
        return f"{result['status']}, by {result['result_source']}"
    return f"{result['home_goals']}–{result['away_goals']} by {result['result_source']}"


def accept_contradiction(*, contradiction_id: int, by: str, reason: str, now: datetime) -> Correction:
    """Store the result that the source of an open contradiction reports, as a correction.

    Raises
    ------
    CorrectionRefusedError
        When the contradiction has ended, or for the reasons of `correct_result`.
    """
    with transaction.atomic():
        # Before the row: an ingest holds this lock when it comes to the row.
        acquire_ingest_lock(CorrectionRefusedError)
        reported = Contradiction.objects.select_for_update().filter(pk=contradiction_id).first()
        if reported is None or reported.resolved_at is not None:
            raise CorrectionRefusedError("the contradiction has ended; nothing is left to decide")
        return correct_result(
            match_id=reported.match_id,
            home_goals=reported.home_goals,
            away_goals=reported.away_goals,
            status=MatchStatus(reported.status),
            by=by,
            reason=reason,
            now=now,
            accepted=reported,
        )


def undo_correction_obstacle(correction_id: int) -> str:
    """Return why a correction cannot be taken back; empty where it can."""
    correction = Correction.objects.filter(pk=correction_id).first()
    if correction is None:
        return "there is no such correction"
    if correction.undone_at is not None:
        return "the correction was taken back before"
    row = _row(correction.match_id)
    if any(getattr(row, name) != correction.after[name] for name in DECISIVE) or (
        Correction.objects.filter(match_id=row.id, undone_at__isnull=True, pk__gt=correction.pk).exists()
    ):
        return "a later correction of the match is in force; take that back first"
    return ""


def undo_correction(*, correction_id: int, by: str, reason: str, now: datetime) -> Correction:
    """Put back the result, and its source, that a correction replaced.

    Raises
    ------
    CorrectionRefusedError
        When it was taken back before, or a later correction is in force.
    """
    reason = checked_reason(reason, CorrectionRefusedError)
    correction = Correction.objects.filter(pk=correction_id).first()
    if correction is None:
        raise CorrectionRefusedError("there is no such correction")
    with operator_ingest(world=_world(correction.match_id), now=now, error=CorrectionRefusedError) as ingest:
        if why_not := undo_correction_obstacle(correction_id):
            raise CorrectionRefusedError(why_not)
        correction.refresh_from_db()
        row = _row(correction.match_id)
        changed = {name: value for name, value in correction.before.items() if value != correction.after[name]}
        _set(row, changed, ingest=ingest, now=now, resolution=Contradiction.Resolution.AGREED)
        correction.undone_at, correction.undone_by, correction.undo_reason = now, by, reason
        correction.save(update_fields=["undone_at", "undone_by", "undo_reason"])
        record_action(
            by=by,
            action="took a correction back",
            about=correction.match,
            also=[correction],
            before=result_in_words(correction.after),
            after=result_in_words(correction.before),
            reason=reason,
            now=now,
        )
    return correction


def _set(
    row: MatchRow, values: dict[str, Any], *, ingest: Ingest, now: datetime, resolution: Contradiction.Resolution
) -> None:
    """Change a result, with history, contradictions and news of it."""
    columns_before, before = row.values(), SourceResult.of(row)
    result_before = row.result
    for name, value in values.items():
        setattr(row, name, value)
    if resolution == Contradiction.Resolution.CORRECTED:
        drop_impossible(row)
    if row.status not in PLAYED:
        for name in GOALS:
            setattr(row, name, None)
        row.finished_at = row.known_at = None
    elif row.home_goals is not None:
        row.known_at = result_known_at(row.kickoff_at, KickoffPrecision(row.kickoff_precision), row.finished_at)
    if row.result != result_before:
        row.revision += 1
    tables.update_matches([row], ingest_id=ingest.pk, now=now)
    record_changes([(row, columns_before)], ingest_id=ingest.pk, now=now)
    contradictions = Contradictions(now)
    contradictions.replaced(row, before=before, resolution=resolution)
    if resolution != Contradiction.Resolution.CORRECTED:
        ended = Contradiction.objects.filter(match_id=row.id, resolution=Contradiction.Resolution.CORRECTED)
        for reported in ended:
            contradictions.reopened(reported, row)
    contradictions.store(ingest_id=ingest.pk)
    publish_matches([row], now=now)
    ingest.changed = 1


def _world(match_id: int) -> World:
    match = Match.objects.filter(pk=match_id).first()
    if match is None:
        raise CorrectionRefusedError("there is no such match")
    return World(match.world)


def _row(match_id: int) -> MatchRow:
    rows = tables.load_matches_by_id([match_id])
    if not rows:
        raise CorrectionRefusedError("there is no such match")
    return rows[0]
