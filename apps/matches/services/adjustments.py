"""Decisions on points that an operator records or takes back, and the facts that come with SPAI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from apps.matches.events import start_tasks_after_commit
from apps.matches.ingest import tables
from apps.matches.ingest.reference import store_club_names, store_known_adjustments
from apps.matches.models import Ingest, Match, PointsAdjustment, World
from apps.matches.services.decisions import checked_reason, operator_ingest

MOST_POINTS = 60
"""Largest change that one decision makes: the highest deductions of the listed leagues were 30 points."""

SHIPPED_WITH = "reference data"
"""Source of the ingest by which facts that come with SPAI are stored."""


class AdjustmentRefusedError(Exception):
    """A decision on points cannot be recorded or taken back; the message says why."""


@dataclass(frozen=True, slots=True)
class ReferenceReport:
    """Rows that were written: decisions on points, and clubs whose names or colours changed."""

    adjustments: int
    clubs: int


def load_reference_data(*, now: datetime) -> ReferenceReport:
    """Store what comes with SPAI about stored clubs and seasons; a second time nothing is written."""
    with transaction.atomic():
        tables.lock()
        report = ReferenceReport(adjustments=store_known_adjustments(now=now), clubs=store_club_names())
        if report.adjustments:
            Ingest.objects.create(
                world=World.REAL,
                source=SHIPPED_WITH,
                started_at=now,
                finished_at=now,
                changed=report.adjustments,
                changed_facts=True,
            )
            start_tasks_after_commit("facts_changed")
    return report


def record_adjustment(
    *, season_id: int, team_id: int, points: int, decided_on: date, reason: str, source: str, by: str, now: datetime
) -> PointsAdjustment:
    """Record a decision that changes the points of a club; tables count it from the next day on.

    Parameters
    ----------
    season_id, team_id : int
        A club that plays in this season.
    points : int
        Negative for a deduction, positive for points given back.
    decided_on : date
        Day on which the decision was published, not after today (UTC).
    reason, source : str
        Why, and who published it.
    by : str
        The user name.
    now : datetime
        Aware.

    Raises
    ------
    AdjustmentRefusedError
        When the club does not play in the season, the number of points or the day is impossible, a decision of this day
        is recorded already, or reason or source is missing.
    """
    reason = checked_reason(reason, AdjustmentRefusedError)
    source = source.strip()
    if not source:
        raise AdjustmentRefusedError("a source is needed: who published the decision, or an address")
    if not 0 < abs(points) <= MOST_POINTS:
        raise AdjustmentRefusedError(f"the points must be between −{MOST_POINTS} and {MOST_POINTS}, and not 0")
    if decided_on > now.date():
        raise AdjustmentRefusedError("the day of the decision is in the future")
    matches = Match.objects.filter(season_id=season_id)
    played = matches.filter(home_team=team_id).first() or matches.filter(away_team=team_id).first()
    if played is None:
        raise AdjustmentRefusedError("the team has no match in this season")
    with operator_ingest(world=World(played.world), now=now, error=AdjustmentRefusedError) as ingest:
        same_day = {"season_id": season_id, "team_id": team_id, "decided_on": decided_on}
        if PointsAdjustment.objects.filter(**same_day, undone_at__isnull=True).exists():
            raise AdjustmentRefusedError("a decision of this day is recorded already; take it back first")
        ingest.changed = 1
        return PointsAdjustment.objects.create(
            **same_day, points=points, reason=reason, source=source, recorded_by=by, recorded_at=now
        )


def undo_adjustment(*, adjustment_id: int, by: str, reason: str, now: datetime) -> PointsAdjustment:
    """Take a decision back: no table counts it any more, whatever the list that comes with SPAI says.

    Raises
    ------
    AdjustmentRefusedError
        When there is none, it was taken back before, or there is no reason.
    """
    reason = checked_reason(reason, AdjustmentRefusedError)
    found = PointsAdjustment.objects.select_related("season").filter(pk=adjustment_id).first()
    if found is None:
        raise AdjustmentRefusedError("there is no such decision")
    with operator_ingest(world=World(found.season.world), now=now, error=AdjustmentRefusedError) as ingest:
        found.refresh_from_db()
        if found.undone_at is not None:
            raise AdjustmentRefusedError("the decision was taken back before")
        found.undone_at, found.undone_by, found.undo_reason = now, by, reason
        found.save(update_fields=["undone_at", "undone_by", "undo_reason"])
        ingest.changed = 1
    return found
