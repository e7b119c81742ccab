"""Results on which sources differ, and what operators decided: corrections of results, merges of teams."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import F, Q

from apps.matches.models.choices import choices_of
from apps.matches.models.competitions import Region
from apps.matches.models.matches import Match
from apps.matches.models.teams import Team
from apps.matches.records import MatchStatus
from apps.matches.trust import DecisionReason

DECISIONS: Final = [
    (DecisionReason.TRUST.value, "order of trust"),
    (DecisionReason.FIRST.value, "told first"),
    (DecisionReason.OPERATOR.value, "operator"),
]


class Contradiction(models.Model):
    """A source tells another result of a match than the one that stands. One row for a match and a source.

    It is open as long as the source was not seen to agree; `decided_by` says why the standing result stands.
    """

    class Resolution(models.TextChoices):
        AGREED = "agreed", "the sources agree"
        CORRECTED = "corrected", "an operator let it stand"
        WITHDRAWN = "withdrawn", "the standing result was taken back"

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="contradictions", db_index=False)
    source = models.CharField(max_length=40)
    status = models.CharField(max_length=10, choices=choices_of(MatchStatus))
    home_goals = models.PositiveSmallIntegerField()
    away_goals = models.PositiveSmallIntegerField()
    standing_source = models.CharField(max_length=40)
    standing_status = models.CharField(max_length=10, choices=choices_of(MatchStatus))
    standing_home_goals = models.PositiveSmallIntegerField()
    standing_away_goals = models.PositiveSmallIntegerField()
    decided_by = models.CharField(max_length=8, choices=DECISIONS, help_text="Why the standing result stands.")
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="When it was told the latest time, to the day.")
    ingest = models.ForeignKey(
        "Ingest", on_delete=models.PROTECT, related_name="contradictions", help_text="The latest that changed the row."
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=9, choices=Resolution, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["match", "source"], name="contradiction_match_source_unique"),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True, resolution="")
                | (Q(resolved_at__isnull=False) & ~Q(resolution="")),
                name="contradiction_resolution_whole",
            ),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=False)
                | (
                    ~Q(source=F("standing_source"))
                    & ~Q(home_goals=F("standing_home_goals"), away_goals=F("standing_away_goals"))
                ),
                name="contradiction_open_differs",
            ),
        ]
        indexes = [
            models.Index(fields=["match"], condition=Q(resolved_at__isnull=True), name="contradiction_open"),
        ]

    def __str__(self) -> str:
        return f"{self.told} by {self.source} against {self.standing} by {self.standing_source}"

    @property
    def told(self) -> str:
        """What the source tells, such as 2–0."""
        return f"{self.home_goals}–{self.away_goals}"

    @property
    def standing(self) -> str:
        """The result that stands, such as 2–1."""
        return f"{self.standing_home_goals}–{self.standing_away_goals}"


class Correction(models.Model):
    """A result that an operator set, over the word of every source, with what was there before."""

    match = models.ForeignKey(Match, on_delete=models.PROTECT, related_name="corrections")
    ingest = models.ForeignKey("Ingest", on_delete=models.PROTECT, related_name="+")
    before = models.JSONField(help_text="Who told the result, and the result, as they were.")
    after = models.JSONField(help_text="The same, as they became.")
    decided_by = models.CharField(max_length=150, help_text="The user name.")
    reason = models.CharField(max_length=400)
    decided_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=150, blank=True)
    undo_reason = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="correction_has_reason"),
            models.CheckConstraint(
                condition=Q(undone_at__isnull=True, undone_by="", undo_reason="")
                | (Q(undone_at__isnull=False) & ~Q(undone_by="") & ~Q(undo_reason="")),
                name="correction_undo_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"correction of match {self.match_id} by {self.decided_by}"


class TeamMerge(models.Model):
    """Two teams that an operator found to be one club, with all that is needed to part them again."""

    name = models.CharField(max_length=120, help_text="Of the team that is no more.")
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+")
    # No constraint: the team may itself be merged into another one, and comes back with its number when that is undone.
    into = models.ForeignKey(Team, on_delete=models.DO_NOTHING, db_constraint=False, related_name="merges")
    into_name = models.CharField(max_length=120, help_text="As it was called then.")
    ingest = models.ForeignKey("Ingest", on_delete=models.PROTECT, related_name="+")
    moved = models.JSONField(help_text="Every row as it was before, and as the merge left what it joined.")
    matches_moved = models.PositiveIntegerField(help_text="Matches that now are those of the other team.")
    matches_joined = models.PositiveIntegerField(help_text="Of them, matches that both had and that became one row.")
    merged_by = models.CharField(max_length=150, help_text="The user name.")
    reason = models.CharField(max_length=400)
    merged_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=150, blank=True)
    undo_reason = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="teammerge_has_reason"),
            models.CheckConstraint(
                condition=Q(matches_joined__lte=F("matches_moved")), name="teammerge_joined_of_moved"
            ),
            models.CheckConstraint(
                condition=Q(undone_at__isnull=True, undone_by="", undo_reason="")
                | (Q(undone_at__isnull=False) & ~Q(undone_by="") & ~Q(undo_reason="")),
                name="teammerge_undo_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} → {self.into_name}"
