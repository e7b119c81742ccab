"""What is stored of a match besides its result: statistics, prices, line-ups, incidents, absences."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import models

from apps.matches.models.choices import choices_of
from apps.matches.models.matches import Match
from apps.matches.records import IncidentKind, Moment, Side, xg_known_at

FRESH_FOR: Final = timedelta(minutes=10)
"""Time after which the score of a match in play is old, unless its source has repeated it."""


class MatchStats(models.Model):
    """Counts and expected goals of one match; what was not counted is empty."""

    match = models.OneToOneField(Match, on_delete=models.CASCADE, primary_key=True, related_name="stats")
    home_shots = models.PositiveSmallIntegerField(null=True)
    away_shots = models.PositiveSmallIntegerField(null=True)
    home_shots_on_target = models.PositiveSmallIntegerField(null=True)
    away_shots_on_target = models.PositiveSmallIntegerField(null=True)
    home_corners = models.PositiveSmallIntegerField(null=True)
    away_corners = models.PositiveSmallIntegerField(null=True)
    home_fouls = models.PositiveSmallIntegerField(null=True)
    away_fouls = models.PositiveSmallIntegerField(null=True)
    home_yellow_cards = models.PositiveSmallIntegerField(null=True)
    away_yellow_cards = models.PositiveSmallIntegerField(null=True)
    home_red_cards = models.PositiveSmallIntegerField(null=True)
    away_red_cards = models.PositiveSmallIntegerField(null=True)
    attendance = models.PositiveIntegerField(null=True)
    referee = models.CharField(max_length=80, blank=True)
    home_xg = models.FloatField("home xG", null=True, help_text="Expected goals.")
    away_xg = models.FloatField("away xG", null=True)

    class Meta:
        verbose_name_plural = "match statistics"

    def __str__(self) -> str:
        return f"statistics of match {self.match_id}"

    @property
    def xg_known_at(self) -> datetime | None:
        """From when the expected goals may be used; None without any, or while the match has no result."""
        if (self.home_xg is None and self.away_xg is None) or self.match.known_at is None:
            return None
        return xg_known_at(self.match.kickoff_at, self.match.known_at)


class LiveScore(models.Model):
    """The score of a match in play, as a source stated it last; deleted with the final whistle. No model reads it."""

    match = models.OneToOneField(Match, on_delete=models.CASCADE, primary_key=True, related_name="live_score")
    source = models.CharField(max_length=40)
    minute = models.PositiveSmallIntegerField(help_text="Minutes played; 45 and 90 in stoppage time.")
    home_goals = models.PositiveSmallIntegerField()
    away_goals = models.PositiveSmallIntegerField()
    read_at = models.DateTimeField(help_text="When the source last said so.")

    def __str__(self) -> str:
        return f"{self.home_goals}–{self.away_goals} in minute {self.minute} of match {self.match_id}"

    def is_fresh(self, now: datetime) -> bool:
        """Whether its source reported it within `FRESH_FOR`; an older score does not describe the present match."""
        return now < self.read_at + FRESH_FOR

    def as_dict(self) -> dict[str, int]:
        """Return minute and score as events have them."""
        return {"minute": self.minute, "home_goals": self.home_goals, "away_goals": self.away_goals}


class Odds(models.Model):
    """Decimal prices of one bookmaker for one match at one moment. Kept as the benchmark."""

    Moment = Moment

    # Two million rows: a surrogate key would cost a second index and nothing refers to a price.
    pk = models.CompositePrimaryKey("match_id", "bookmaker", "moment")
    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="odds", db_index=False)
    bookmaker = models.CharField(max_length=12)
    moment = models.CharField(max_length=7, choices=choices_of(Moment))
    home = models.FloatField(null=True)
    draw = models.FloatField(null=True)
    away = models.FloatField(null=True)
    over_2_5 = models.FloatField(null=True)
    under_2_5 = models.FloatField(null=True)
    handicap = models.FloatField(null=True, help_text="Goals given to the home side.")
    handicap_home = models.FloatField(null=True)
    handicap_away = models.FloatField(null=True)

    class Meta:
        verbose_name_plural = "odds"

    def __str__(self) -> str:
        return f"{self.bookmaker} {self.moment} {self.home} {self.draw} {self.away}"


class Player(models.Model):
    """A footballer, identified by the id of one source."""

    source = models.CharField(max_length=40)
    source_player_id = models.CharField(max_length=40)
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "source_player_id"], name="player_source_id_unique")]

    def __str__(self) -> str:
        return self.name


class Lineup(models.Model):
    """A player in the squad of one side of one match, as the source of the player reports it."""

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="lineups")
    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="lineups")
    side = models.CharField(max_length=4, choices=choices_of(Side))
    is_starter = models.BooleanField()
    position = models.CharField(max_length=12, blank=True)
    shirt_number = models.PositiveSmallIntegerField(null=True)
    known_at = models.DateTimeField(help_text="When the line-up could first have been known.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["match", "player"], name="lineup_match_player_unique")]

    def __str__(self) -> str:
        return f"player {self.player_id} in match {self.match_id}"


class Incident(models.Model):
    """A goal, card or substitution, as one source reports it."""

    Kind = IncidentKind

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="incidents", db_index=False)
    source = models.CharField(max_length=40)
    number = models.PositiveSmallIntegerField(help_text="Order within the match, from 1.")
    kind = models.CharField(max_length=20, choices=choices_of(IncidentKind))
    side = models.CharField(max_length=4, choices=choices_of(Side))
    minute = models.PositiveSmallIntegerField()
    player = models.ForeignKey(Player, on_delete=models.PROTECT, null=True, related_name="+")
    other_player = models.ForeignKey(Player, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["match", "source", "number"], name="incident_match_source_number_unique")
        ]

    def __str__(self) -> str:
        return f"{self.kind} in minute {self.minute} of match {self.match_id}"


class Absence(models.Model):
    """A player who was reported missing from one side of one match, as the source of the player reports it."""

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="absences", db_index=False)
    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="absences")
    side = models.CharField(max_length=4, choices=choices_of(Side))
    reason = models.CharField(max_length=80, blank=True, help_text="Such as injured or suspended.")
    status = models.CharField(max_length=40, blank=True, help_text="How sure it is, such as out or doubtful.")
    known_at = models.DateTimeField(help_text="When the absence could first have been known.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["match", "player"], name="absence_match_player_unique")]

    def __str__(self) -> str:
        return f"player {self.player_id} missing from match {self.match_id}"
