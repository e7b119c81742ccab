"""Matches, their ids in the sources, and the history of their results."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q, Value

from apps.matches.models.choices import choices_of
from apps.matches.models.competitions import Competition, Season, Stage
from apps.matches.models.teams import Team
from apps.matches.models.worlds import WorldField
from apps.matches.records import KickoffPrecision, MatchStatus


class Match(models.Model):
    """One match, whatever the number of sources that report it."""

    Status = MatchStatus
    KickoffPrecision = KickoffPrecision

    # Indexes of single columns would double the indexes below, at a fifth of the cost of storing a match.
    # The foreign key in the database covers season, competition and world.
    season = models.ForeignKey(
        Season, on_delete=models.PROTECT, related_name="matches", db_index=False, db_constraint=False
    )
    competition = models.ForeignKey(
        Competition,
        on_delete=models.PROTECT,
        related_name="matches",
        db_index=False,
        db_constraint=False,
        db_default=Value(0),
        editable=False,
        help_text="Of the season; the database fills it.",
    )
    world = WorldField(db_default=Value(""), editable=False, help_text="Of the competition; the database fills it.")
    stage = models.ForeignKey(
        Stage, on_delete=models.PROTECT, null=True, blank=True, related_name="matches", db_index=False
    )
    round = models.CharField(max_length=60, blank=True)
    home_team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="home_matches", db_index=False)
    away_team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="away_matches", db_index=False)
    occurrence = models.PositiveSmallIntegerField(
        default=1, help_text="Counts the meetings of this pair at this ground in this season, in order of arrival."
    )
    kickoff_at = models.DateTimeField()
    kickoff_precision = models.CharField(
        max_length=6, choices=choices_of(KickoffPrecision), default=KickoffPrecision.MINUTE
    )
    finished_at = models.DateTimeField(null=True, blank=True, help_text="The recorded final whistle.")
    known_at = models.DateTimeField(
        null=True, blank=True, help_text="When the result could first have been known; empty while there is none."
    )
    status = models.CharField(max_length=10, choices=choices_of(MatchStatus), default=MatchStatus.SCHEDULED)
    is_neutral = models.BooleanField(default=False)
    result_source = models.CharField(
        max_length=40,
        blank=True,
        help_text="The source of the stored result: the most trusted one that reported a result; of equals, the first.",
    )
    kickoff_source = models.CharField(
        max_length=40,
        blank=True,
        db_default="",
        help_text="The source of the stored kick-off: the most trusted one that gave it; empty where it is that of the "
        "result.",
    )
    home_goals = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="After 90 minutes and stoppage time."
    )
    away_goals = models.PositiveSmallIntegerField(null=True, blank=True)
    home_goals_half_time = models.PositiveSmallIntegerField(null=True, blank=True)
    away_goals_half_time = models.PositiveSmallIntegerField(null=True, blank=True)
    home_goals_extra_time = models.PositiveSmallIntegerField(null=True, blank=True)
    away_goals_extra_time = models.PositiveSmallIntegerField(null=True, blank=True)
    home_penalties = models.PositiveSmallIntegerField(null=True, blank=True)
    away_penalties = models.PositiveSmallIntegerField(null=True, blank=True)
    revision = models.PositiveIntegerField(
        default=0, help_text="Counts how often the result was set or changed; a score names the one it graded."
    )
    ingest = models.ForeignKey(
        "Ingest", on_delete=models.PROTECT, related_name="+", help_text="The latest that changed it."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "matches"
        constraints = [
            # The pair first: its index finds the meetings of two teams too.
            models.UniqueConstraint(
                fields=["home_team", "away_team", "season", "occurrence"], name="match_identity_unique"
            ),
            models.CheckConstraint(condition=~Q(home_team=F("away_team")), name="match_two_teams"),
            models.CheckConstraint(
                condition=Q(home_goals__isnull=True, away_goals__isnull=True, known_at__isnull=True)
                | Q(home_goals__isnull=False, away_goals__isnull=False, known_at__isnull=False),
                name="match_goals_whole",
            ),
            models.CheckConstraint(
                condition=~Q(status="finished") | Q(home_goals__isnull=False), name="match_finished_has_goals"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(finished_at__gt=F("kickoff_at")),
                name="match_whistle_after_kickoff",
            ),
            models.CheckConstraint(
                condition=Q(known_at__isnull=True) | Q(known_at__gt=F("kickoff_at")), name="match_known_after_kickoff"
            ),
        ]
        # One for each list, in its order. The partial ones are small: nearly all matches are finished.
        indexes = [
            # The admin lists both worlds, in its own order, so that PostgreSQL uses these two for no other list.
            models.Index(fields=["-kickoff_at", "id"], name="match_by_kickoff"),
            models.Index(fields=["world", "kickoff_at", "id"], name="match_by_world"),
            models.Index(fields=["world", "status", "kickoff_at", "id"], name="match_by_status"),
            models.Index(fields=["competition", "kickoff_at", "id"], name="match_by_competition"),
            models.Index(fields=["competition", "status", "kickoff_at", "id"], name="match_by_competition_status"),
            models.Index(fields=["season", "kickoff_at", "id"], name="match_by_season"),
            models.Index(fields=["home_team", "kickoff_at", "id"], name="match_by_home_team"),
            models.Index(fields=["away_team", "kickoff_at", "id"], name="match_by_away_team"),
            models.Index(fields=["home_team", "competition", "kickoff_at", "id"], name="match_by_home_competition"),
            models.Index(fields=["away_team", "competition", "kickoff_at", "id"], name="match_by_away_competition"),
            models.Index(fields=["known_at"], name="match_by_known_at"),
            models.Index(fields=["stage"], condition=Q(stage__isnull=False), name="match_by_stage"),
            models.Index(
                fields=["status", "-kickoff_at", "id"], condition=~Q(status="finished"), name="match_open_by_status"
            ),
            *(
                models.Index(
                    fields=[owner, "status", "kickoff_at", "id"],
                    condition=~Q(status="finished"),
                    name=f"match_open_by_{owner}",
                )
                for owner in ("season", "home_team", "away_team")
            ),
        ]

    def __str__(self) -> str:
        score = f" {self.home_goals}–{self.away_goals}" if self.home_goals is not None else ""
        return f"match {self.pk} on {self.kickoff_at:%Y-%m-%d}{score}"

    @property
    def has_result(self) -> bool:
        """True when the match was played to its end and its goals count for forecasts."""
        return self.status == self.Status.FINISHED and self.home_goals is not None

    @property
    def counts_in_table(self) -> bool:
        """True when its goals count in the table: it was played to its end, or awarded by verdict."""
        return self.status in (self.Status.FINISHED, self.Status.AWARDED) and self.home_goals is not None

    @property
    def outcome(self) -> int | None:
        """0 home win, 1 draw, 2 away win; None without a result."""
        if not self.has_result or self.home_goals is None or self.away_goals is None:
            return None
        return 1 if self.home_goals == self.away_goals else 0 if self.home_goals > self.away_goals else 2


class MatchRef(models.Model):
    """The id that a source gives a match."""

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="refs")
    source = models.CharField(max_length=40)
    source_id = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "source_id"], name="ref_source_id_unique")]

    def __str__(self) -> str:
        return f"{self.source} {self.source_id}"


class MatchChange(models.Model):
    """A change of a stored result, kick-off or status: what it was and what it became. Append-only.

    Where two rows turn out to be one match, the history of both follows it; nothing else of a change may change.
    """

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="changes")
    ingest = models.ForeignKey("Ingest", on_delete=models.PROTECT, related_name="changes")
    changed_at = models.DateTimeField()
    before = models.JSONField(help_text="The fields that changed, as they were.")
    after = models.JSONField(help_text="The same fields, as they became.")

    class Meta:
        indexes = [models.Index(fields=["match", "changed_at"], name="change_by_match")]

    def __str__(self) -> str:
        return f"change of match {self.match_id} at {self.changed_at:%Y-%m-%d %H:%M}"
