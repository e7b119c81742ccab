"""What leagues decide away from the pitch: points that they take or give back, and results by verdict."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django.db import models
from django.db.models import F, Q

from apps.matches.models.competitions import Season
from apps.matches.models.teams import Team


class LeagueDecision(models.Model):
    """A decision with its day, reason and source. Tables, features and season forecasts use it from `known_at` on.

    Rows without `recorded_by` come with SPAI (`apps.matches.league_decisions`). What was taken back stays, with its
    reason.
    """

    decided_on = models.DateField(help_text="Day on which it was published.")
    reason = models.CharField(max_length=400)
    source = models.CharField(max_length=400, help_text="Who published it, or an address.")
    recorded_by = models.CharField(max_length=150, blank=True, help_text="The user name; empty for shipped data.")
    recorded_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=150, blank=True)
    undo_reason = models.CharField(max_length=400, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=~Q(reason="") & ~Q(source=""), name="%(class)s_has_reason_and_source"),
            models.CheckConstraint(
                condition=Q(undone_at__isnull=True, undone_by="", undo_reason="")
                | (Q(undone_at__isnull=False) & ~Q(undone_by="") & ~Q(undo_reason="")),
                name="%(class)s_undo_whole",
            ),
        ]

    @property
    def known_at(self) -> datetime:
        """When tables begin to count it: 00:00 UTC of the day after the decision."""
        return datetime.combine(self.decided_on + timedelta(days=1), time(), tzinfo=UTC)


class PointsAdjustment(LeagueDecision):
    """Points that a league takes from a club in a season, or gives back on appeal."""

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="adjustments")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="adjustments")
    points = models.SmallIntegerField(help_text="Negative for a deduction, positive for points given back.")

    class Meta:
        constraints = [
            *LeagueDecision.Meta.constraints,
            models.CheckConstraint(condition=~Q(points=0), name="pointsadjustment_has_points"),
            models.UniqueConstraint(
                fields=["season", "team", "decided_on"],
                condition=Q(undone_at__isnull=True),
                name="pointsadjustment_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points:+} points on {self.decided_on}"


class AwardedResult(LeagueDecision):
    """A result that a league sets in the place of what was played. The table counts it; models learn what was played.

    It names its match by teams and day, so that it stays when the rows of two sources turn out to be one match.
    """

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="awarded_results")
    home_team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="home_awarded_results")
    away_team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="away_awarded_results")
    played_on = models.DateField(help_text="Day of the match, in UTC.")
    home_goals = models.PositiveSmallIntegerField(help_text="As the table counts them.")
    away_goals = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            *LeagueDecision.Meta.constraints,
            models.CheckConstraint(condition=~Q(home_team=F("away_team")), name="awardedresult_two_teams"),
            models.UniqueConstraint(
                fields=["season", "home_team", "away_team", "played_on"],
                condition=Q(undone_at__isnull=True),
                name="awardedresult_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.home_goals}–{self.away_goals} by verdict of {self.decided_on}"
