"""Points that leagues take from clubs, or give back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django.db import models
from django.db.models import Q

from apps.matches.models.competitions import Season
from apps.matches.models.teams import Team


class PointsAdjustment(models.Model):
    """A decision that changes the points of a club in a season: a deduction, or its reduction on appeal.

    Tables, features and season forecasts use it from `known_at` on. Rows without `recorded_by` come from
    ``points_adjustments.csv``; what was taken back stays, with its reason.
    """

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="adjustments")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="adjustments")
    points = models.SmallIntegerField(help_text="Negative for a deduction, positive for points given back.")
    decided_on = models.DateField()
    reason = models.CharField(max_length=400)
    source = models.CharField(max_length=400, help_text="Who published the decision, or an address.")
    recorded_by = models.CharField(max_length=150, blank=True, help_text="The user name; empty for shipped data.")
    recorded_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=150, blank=True)
    undo_reason = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ("season", "decided_on", "id")
        constraints = [
            models.CheckConstraint(condition=~Q(points=0), name="adjustment_has_points"),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(source=""), name="adjustment_has_reason_and_source"),
            models.CheckConstraint(
                condition=Q(undone_at__isnull=True, undone_by="", undo_reason="")
                | (Q(undone_at__isnull=False) & ~Q(undone_by="") & ~Q(undo_reason="")),
                name="adjustment_undo_whole",
            ),
            models.UniqueConstraint(
                fields=["season", "team", "decided_on"],
                condition=Q(undone_at__isnull=True),
                name="adjustment_decision_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points:+} points on {self.decided_on}"

    @property
    def known_at(self) -> datetime:
        """When tables begin to count it: 00:00 UTC of the day after the decision."""
        return datetime.combine(self.decided_on + timedelta(days=1), time(), tzinfo=UTC)
