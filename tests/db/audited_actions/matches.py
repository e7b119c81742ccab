"""Actions on matches, teams, their names and what leagues decided, and periods of retention."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from apps.matches import services as matches
from apps.matches.models import AwardedResult, Correction, PointsAdjustment, RetentionPeriod, TeamAlias, TeamMerge
from tests.db.audited_actions.cases import case
from tests.factories import (
    CompetitionFactory,
    ContradictionFactory,
    FinishedMatchFactory,
    TeamAliasFactory,
    TeamFactory,
)


@case("matches.competition.change")
def _(room):
    row = CompetitionFactory()
    room.save(row, position=2)
    return row


@case("matches.match.correct")
def _(room):
    match = FinishedMatchFactory()
    room.do(type(match), "correct", match, home_goals=4, away_goals=4, status="finished", reason="seen")
    return match


@case("matches.match.record_awarded_result")
def _(room):
    match = FinishedMatchFactory()
    verdict = {"home_goals": 3, "away_goals": 0, "decided_on": "2024-03-05", "reason": "a ban", "source": "the league"}
    room.do(type(match), "record_awarded_result", match, **verdict)
    return match


@case("matches.contradiction.accept_contradiction")
def _(room):
    row = ContradictionFactory()
    room.do(type(row), "accept_contradiction", row, reason="seen")
    return row


@case("matches.correction.undo")
def _(room):
    match = FinishedMatchFactory()
    correction = matches.correct_result(
        match_id=match.pk, home_goals=4, away_goals=4, by="ann", reason="seen", now=room.now
    )
    room.do(Correction, "undo", correction, reason="not seen")
    return correction


def adjusted(room) -> dict[str, Any]:
    match = FinishedMatchFactory()
    season = match.season
    return {
        "competition": season.competition.slug,
        "season": season.label,
        "team": match.home_team.slug,
        "points": -6,
        "decided_on": "2024-03-05",
        "reason": "debts",
        "source": "the league",
    }


@case("matches.pointsadjustment.record")
def _(room):
    room.do(PointsAdjustment, "record", **adjusted(room))
    return PointsAdjustment.objects.get()


@case("matches.pointsadjustment.undo")
def _(room):
    room.do(PointsAdjustment, "record", **adjusted(room))
    row = PointsAdjustment.objects.get()
    room.do(PointsAdjustment, "undo", row, reason="an appeal")
    return row


@case("matches.awardedresult.undo")
def _(room):
    match = FinishedMatchFactory()
    verdict = matches.record_awarded_result(
        match_id=match.pk,
        home_goals=3,
        away_goals=0,
        decided_on=match.kickoff_at.date(),
        reason="a ban",
        source="the league",
        by="ann",
        now=room.now,
    )
    room.do(AwardedResult, "undo", verdict, reason="an appeal")
    return verdict


@case("matches.teamalias.confirm_as_new")
def _(room):
    alias = TeamAliasFactory()
    room.choose(alias, "confirm_as_new")
    return alias


@case("matches.teamalias.split_off")
def _(room):
    alias = TeamAliasFactory(name="Celtic FC", team__name="Celtic", found_by=TeamAlias.FoundBy.RESULTS)
    room.do(TeamAlias, "split_off", alias)
    return alias


def merged(room) -> TeamMerge:
    team, into = TeamFactory(), TeamFactory()
    address = reverse("admin:matches_team_merge", args=[team.pk, into.pk])
    assert room.browser.post(address, {"reason": "one club"}).status_code == 302
    return TeamMerge.objects.get()


@case("matches.team.merge")
def _(room):
    return merged(room).into


@case("matches.teammerge.undo")
def _(room):
    done = merged(room)
    room.do(TeamMerge, "undo", done, reason="two clubs")
    return done


@case("matches.retentionperiod.change")
def _(room):
    matches.ensure_periods()
    row = RetentionPeriod.objects.get(kind="logins")
    room.save(row, days=30, newest=0)
    return row
