"""What football is: competitions, teams, matches, prices, and the record of every change.

Facts (`MatchChange`, `Event`) are append-only and PostgreSQL enforces it (migration 0002). Rows of matches, references,
statistics and odds are written by `services.ingest` alone. A trigger of PostgreSQL copies the competition and the world
of a match from its season, and a foreign key over all three columns keeps them equal (migration 0006).
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Case, F, Q, Value, When

from apps.matches import records, trust


class World(models.TextChoices):
    """Simulated and real competitions never share a run, a model or a score."""

    REAL = "real", "real"
    SANDBOX = "sandbox", "sandbox"


class WorldField(models.CharField):
    """The name of a world; a value that is read from the database is a `World`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 7, "choices": World.choices, **options})

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Return the field as the plain text column that it is in migrations."""
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.CharField", args, options

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> World | None:
        """Return the world that a value names."""
        return None if value is None else World(value)


class Region(models.Model):
    """A country or confederation; names of teams are unique within it."""

    name = models.CharField(max_length=80, unique=True)

    class Meta:
        verbose_name = "region"

    def __str__(self) -> str:
        return self.name


class Competition(models.Model):
    """A league or cup that is played season after season."""

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="competitions")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=160, unique=True)
    level = models.PositiveSmallIntegerField(help_text="Tier of the pyramid, 1 at the top; 0 for cups.")
    is_simulated = models.BooleanField(default=False, db_index=True)
    world = models.GeneratedField(
        expression=Case(When(is_simulated=True, then=Value(World.SANDBOX.value)), default=Value(World.REAL.value)),
        output_field=WorldField(),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["region", "name"], name="competition_region_name_unique"),
            # What the foreign key of seasons refers to.
            models.UniqueConstraint(fields=["id", "world"], name="competition_world_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.region.name}: {self.name}" if "region" in self._state.fields_cache else self.name


class Season(models.Model):
    """One season of one competition."""

    # The foreign key in the database covers the world too.
    competition = models.ForeignKey(Competition, on_delete=models.PROTECT, related_name="seasons", db_constraint=False)
    label = models.CharField(max_length=24, help_text="2023-24, or 2023 within one year.")
    world = WorldField(db_default=Value(""), editable=False, help_text="Of the competition; the database fills it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["competition", "label"], name="season_competition_label_unique"),
            # What the foreign key of matches refers to.
            models.UniqueConstraint(fields=["id", "competition", "world"], name="season_competition_world_unique"),
        ]

    def __str__(self) -> str:
        return self.label


class Stage(models.Model):
    """A part of a season with rules of its own, such as a group or the play-offs."""

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="stages")
    name = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["season", "name"], name="stage_season_name_unique")]

    def __str__(self) -> str:
        return self.name


class Team(models.Model):
    """A club. Its names in the sources are `TeamAlias` rows."""

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="teams")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=160, unique=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["region", "name"], name="team_region_name_unique")]

    def __str__(self) -> str:
        return self.name


class TeamAlias(models.Model):
    """How one source names a team. A name never seen before is listed for review until an operator confirms it."""

    source = models.CharField(max_length=40)
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    source_team_id = models.CharField(max_length=40, blank=True, help_text="The source's own id of the team.")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="aliases")
    created_at = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "team aliases"
        constraints = [
            models.UniqueConstraint(fields=["source", "region", "name"], name="alias_source_region_name_unique"),
            models.UniqueConstraint(
                fields=["source", "source_team_id"], condition=~Q(source_team_id=""), name="alias_source_id_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(reviewed_at__isnull=True), name="alias_to_review"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.source})"


class Match(models.Model):
    """One match, whatever the number of sources that tell of it."""

    class Status(models.TextChoices):
        SCHEDULED = records.Status.SCHEDULED.value
        LIVE = records.Status.LIVE.value
        FINISHED = records.Status.FINISHED.value
        POSTPONED = records.Status.POSTPONED.value
        CANCELLED = records.Status.CANCELLED.value
        ABANDONED = records.Status.ABANDONED.value
        AWARDED = records.Status.AWARDED.value
        UNKNOWN = records.Status.UNKNOWN.value

    class KickoffPrecision(models.TextChoices):
        MINUTE = records.KickoffPrecision.MINUTE.value
        DATE = records.KickoffPrecision.DATE.value

    # Indexes of a column alone would double the indexes below, at a fifth of the cost of storing a match.
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
    kickoff_precision = models.CharField(max_length=6, choices=KickoffPrecision, default=KickoffPrecision.MINUTE)
    finished_at = models.DateTimeField(null=True, blank=True, help_text="The recorded final whistle.")
    known_at = models.DateTimeField(
        null=True, blank=True, help_text="When the result could first have been known; empty while there is none."
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.SCHEDULED)
    is_neutral = models.BooleanField(default=False)
    told_by = models.CharField(
        max_length=40,
        blank=True,
        help_text="Whose word stands where two disagree: the most trusted who told the result, of equals the first.",
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
            # The admin lists both worlds, in an order of its own, so that PostgreSQL uses these two for no other list.
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
    def outcome(self) -> int | None:
        """0 home win, 1 draw, 2 away win; None without a result."""
        if not self.has_result or self.home_goals is None or self.away_goals is None:
            return None
        return 1 if self.home_goals == self.away_goals else 0 if self.home_goals > self.away_goals else 2


class MatchRef(models.Model):
    """The id that a source gives a match, and when the source was last seen to tell of it."""

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


class MatchStats(models.Model):
    """Counts of one match; what was not counted is empty."""

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

    class Meta:
        verbose_name_plural = "match statistics"

    def __str__(self) -> str:
        return f"statistics of match {self.match_id}"


class Odds(models.Model):
    """Decimal prices of one bookmaker for one match at one moment. Kept as the benchmark."""

    class Moment(models.TextChoices):
        OPENING = records.Moment.OPENING.value
        CLOSING = records.Moment.CLOSING.value

    # Two million rows: a surrogate key would cost a second index and nothing refers to a price.
    pk = models.CompositePrimaryKey("match_id", "bookmaker", "moment")
    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="odds", db_index=False)
    bookmaker = models.CharField(max_length=12)
    moment = models.CharField(max_length=7, choices=Moment)
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
    """A footballer, known by the id of the source that names him or her."""

    source = models.CharField(max_length=40)
    source_player_id = models.CharField(max_length=40)
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "source_player_id"], name="player_source_id_unique")]

    def __str__(self) -> str:
        return self.name


class Side(models.TextChoices):
    """Which of the two teams of a match."""

    HOME = records.Side.HOME.value
    AWAY = records.Side.AWAY.value


class Lineup(models.Model):
    """A player in the squad of one side of one match, as the source of the player tells it."""

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="lineups")
    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="lineups")
    side = models.CharField(max_length=4, choices=Side)
    is_starter = models.BooleanField()
    position = models.CharField(max_length=12, blank=True)
    shirt_number = models.PositiveSmallIntegerField(null=True)
    known_at = models.DateTimeField(help_text="When the line-up could first have been known.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["match", "player"], name="lineup_match_player_unique")]

    def __str__(self) -> str:
        return f"player {self.player_id} in match {self.match_id}"


class Incident(models.Model):
    """A goal, card or substitution, as one source tells it."""

    class Kind(models.TextChoices):
        GOAL = records.IncidentKind.GOAL.value
        PENALTY = records.IncidentKind.PENALTY.value
        OWN_GOAL = records.IncidentKind.OWN_GOAL.value
        YELLOW_CARD = records.IncidentKind.YELLOW_CARD.value
        SECOND_YELLOW_CARD = records.IncidentKind.SECOND_YELLOW_CARD.value
        RED_CARD = records.IncidentKind.RED_CARD.value
        SUBSTITUTION = records.IncidentKind.SUBSTITUTION.value

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="incidents", db_index=False)
    source = models.CharField(max_length=40)
    number = models.PositiveSmallIntegerField(help_text="Order within the match, from 1.")
    kind = models.CharField(max_length=20, choices=Kind)
    side = models.CharField(max_length=4, choices=Side)
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
    """A player who was reported missing from one side of one match, as the source of the player tells it."""

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="absences", db_index=False)
    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="absences")
    side = models.CharField(max_length=4, choices=Side)
    reason = models.CharField(max_length=80, blank=True, help_text="Such as injured or suspended.")
    status = models.CharField(max_length=40, blank=True, help_text="How sure it is, such as out or doubtful.")
    known_at = models.DateTimeField(help_text="When the absence could first have been known.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["match", "player"], name="absence_match_player_unique")]

    def __str__(self) -> str:
        return f"player {self.player_id} missing from match {self.match_id}"


class Contradiction(models.Model):
    """A source tells another result of a match than the one that stands. One row for a match and a source.

    It is open as long as the source was not seen to agree; `decided_by` says why the standing result stands.
    """

    class Decision(models.TextChoices):
        TRUST = trust.Decision.TRUST.value, "order of trust"
        FIRST = trust.Decision.FIRST.value, "told first"
        OPERATOR = trust.Decision.OPERATOR.value, "operator"

    class Resolution(models.TextChoices):
        AGREED = "agreed", "the sources agree"
        CORRECTED = "corrected", "an operator let it stand"
        WITHDRAWN = "withdrawn", "the standing result was taken back"

    match = models.ForeignKey(Match, on_delete=models.CASCADE, related_name="contradictions", db_index=False)
    source = models.CharField(max_length=40)
    status = models.CharField(max_length=10, choices=Match.Status)
    home_goals = models.PositiveSmallIntegerField()
    away_goals = models.PositiveSmallIntegerField()
    standing_source = models.CharField(max_length=40)
    standing_status = models.CharField(max_length=10, choices=Match.Status)
    standing_home_goals = models.PositiveSmallIntegerField()
    standing_away_goals = models.PositiveSmallIntegerField()
    decided_by = models.CharField(max_length=8, choices=Decision, help_text="Why the standing result stands.")
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


class Ingest(models.Model):
    """One run of `ingest()`. The latest committed one that changed a fact is the data snapshot of its world."""

    world = models.CharField(max_length=7, choices=World)
    source = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    created = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    same = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    refusals = models.JSONField(default=list, help_text="The first hundred refused records, each with its reason.")
    changed_facts = models.BooleanField(
        default=False, help_text="Whether a match, statistic, price or sheet was written."
    )

    class Meta:
        indexes = [
            models.Index(fields=["world", "-id"], condition=Q(changed_facts=True), name="ingest_data_snapshot"),
        ]

    def __str__(self) -> str:
        return f"ingest {self.pk} of {self.source}"


class Event(models.Model):
    """A row of the push feed: a fact that happened. Append-only; one relay numbers it after the commit."""

    number = models.BigIntegerField(
        null=True, unique=True, help_text="Gap-free, in the order of the relay; empty before."
    )
    topic = models.CharField(max_length=40, help_text="What happened, such as prediction.published.")
    key = models.CharField(max_length=80, help_text="What it happened to, such as the id of a match.")
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["id"], condition=Q(number__isnull=True), name="event_unnumbered")]

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"
