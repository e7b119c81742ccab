"""Decisions of leagues that an operator records or takes back, and the facts that come with SPAI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

from django.db import transaction
from django.db.models import Model

from apps.matches.events import start_tasks_after_commit
from apps.matches.ingest import tables
from apps.matches.ingest.reference import store_club_names, store_known_decisions
from apps.matches.models import AwardedResult, Ingest, LeagueDecision, Match, PointsAdjustment, Team, World
from apps.matches.records import GOALS_LIMIT
from apps.matches.selectors import awarded_results_of, is_on
from apps.matches.services.audit import record_action
from apps.matches.services.decisions import checked_reason, operator_ingest

R = TypeVar("R", bound=LeagueDecision)

MOST_POINTS: Final = 60
"""Largest change that one decision makes: the highest deductions of the listed leagues were 30 points."""

SHIPPED_WITH: Final = "reference data"
"""Source of the ingest by which facts that come with SPAI are stored."""


class DecisionRefusedError(Exception):
    """A decision of a league cannot be recorded or taken back; the message says why."""


@dataclass(frozen=True, slots=True)
class ReferenceReport:
    """Rows that were written: decisions of leagues, and clubs whose names or colours changed."""

    decisions: int
    clubs: int


def load_reference_data(*, now: datetime) -> ReferenceReport:
    """Store what comes with SPAI about stored clubs and seasons; a second time nothing is written."""
    with transaction.atomic():
        tables.lock()
        report = ReferenceReport(decisions=store_known_decisions(now=now), clubs=store_club_names())
        if report.decisions:
            Ingest.objects.create(
                world=World.REAL,
                source=SHIPPED_WITH,
                started_at=now,
                finished_at=now,
                changed=report.decisions,
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
    DecisionRefusedError
        When the club does not play in the season, the number of points or the day is impossible, a decision of this day
        is recorded already, or reason or source is missing.
    """
    if not 0 < abs(points) <= MOST_POINTS:
        raise DecisionRefusedError(f"the points must be between −{MOST_POINTS} and {MOST_POINTS}, and not 0")
    matches = Match.objects.filter(season_id=season_id)
    played = matches.filter(home_team=team_id).first() or matches.filter(away_team=team_id).first()
    if played is None:
        raise DecisionRefusedError("the team has no match in this season")
    key = {"season_id": season_id, "team_id": team_id, "decided_on": decided_on}
    values = {"points": points, "reason": reason, "source": source}
    return _record(PointsAdjustment, key, values, world=World(played.world), also=[Team(pk=team_id)], by=by, now=now)


def record_awarded_result(
    *,
    match_id: int,
    home_goals: int,
    away_goals: int,
    decided_on: date,
    reason: str,
    source: str,
    by: str,
    now: datetime,
) -> AwardedResult:
    """Record a result that a league set in the place of what was played; tables count it from the next day on.

    Parameters
    ----------
    match_id : int
        A match that has kicked off.
    home_goals, away_goals : int
        As the table counts them.
    decided_on, reason, source, by, now
        As `record_adjustment` takes them; the day is not before that of the match.

    Raises
    ------
    DecisionRefusedError
        When there is no such match, the goals or the day are impossible, a verdict on it is recorded already, or
        reason or source is missing.
    """
    match = Match.objects.filter(pk=match_id, kickoff_at__lte=now).first()
    if match is None:
        raise DecisionRefusedError("there is no such match, or it has not kicked off")
    if not (0 <= home_goals <= GOALS_LIMIT and 0 <= away_goals <= GOALS_LIMIT):
        raise DecisionRefusedError(f"{home_goals}–{away_goals} is no result of a match")
    played_on = match.kickoff_at.astimezone(UTC).date()
    if decided_on < played_on:
        raise DecisionRefusedError("the day of the decision is before the match")
    if any(is_on(verdict, match) for verdict in awarded_results_of(match.season)):
        raise DecisionRefusedError("a verdict on this match is recorded already; take it back first")
    key = {
        "season_id": match.season_id,
        "home_team_id": match.home_team_id,
        "away_team_id": match.away_team_id,
        "played_on": played_on,
    }
    values = {
        "home_goals": home_goals,
        "away_goals": away_goals,
        "decided_on": decided_on,
        "reason": reason,
        "source": source,
    }
    return _record(AwardedResult, key, values, world=World(match.world), also=[match], by=by, now=now)


def undo_league_decision(
    model: type[PointsAdjustment] | type[AwardedResult], *, decision_id: int, by: str, reason: str, now: datetime
) -> None:
    """Take a decision back: no table counts it any more, even if the list that comes with SPAI has it.

    Raises
    ------
    DecisionRefusedError
        When there is none, it was taken back before, or there is no reason.
    """
    reason = checked_reason(reason, DecisionRefusedError)
    rows: Any = model._default_manager
    found = rows.select_related("season").filter(pk=decision_id).first()
    if found is None:
        raise DecisionRefusedError("there is no such decision")
    with operator_ingest(world=World(found.season.world), now=now, error=DecisionRefusedError) as ingest:
        found.refresh_from_db()
        if found.undone_at is not None:
            raise DecisionRefusedError("the decision was taken back before")
        found.undone_at, found.undone_by, found.undo_reason = now, by, reason
        found.save(update_fields=["undone_at", "undone_by", "undo_reason"])
        record_action(
            by=by,
            action="took a decision of the league back",
            about=found,
            before="in force",
            after="taken back",
            reason=reason,
            now=now,
        )
        ingest.changed = 1


def _record(
    model: type[R],
    key: dict[str, Any],
    values: dict[str, Any],
    *,
    world: World,
    also: Sequence[Model],
    by: str,
    now: datetime,
) -> R:
    """Store a decision of an operator, after the checks that all kinds share."""
    values["reason"] = checked_reason(values["reason"], DecisionRefusedError)
    values["source"] = values["source"].strip()
    if not values["source"]:
        raise DecisionRefusedError("a source is needed: who published the decision, or an address")
    if (key | values)["decided_on"] > now.astimezone(UTC).date():
        raise DecisionRefusedError("the day of the decision is in the future")
    rows: Any = model._default_manager
    with operator_ingest(world=world, now=now, error=DecisionRefusedError) as ingest:
        if rows.filter(**key, undone_at__isnull=True).exists():
            raise DecisionRefusedError("a decision of this day is recorded already; take it back first")
        ingest.changed = 1
        recorded: R = rows.create(**key, **values, recorded_by=by, recorded_at=now)
        record_action(
            by=by,
            action="recorded a decision of the league",
            about=recorded,
            also=also,
            after=f"{recorded}, published by {recorded.source}",
            reason=recorded.reason,
            now=now,
        )
    return recorded
