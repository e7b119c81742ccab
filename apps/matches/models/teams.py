"""Teams, their names in the sources, and what their squads are worth."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Concat, Lower

from apps.matches.clubs import DROPPED, FOLDED, FOLDED_TO, LETTER_PAIRS, code_of
from apps.matches.models.competitions import Region


def _search_text(*fields: str) -> models.GeneratedField:
    """Return a column with the names in some fields as `clubs.plain` writes them, each between ``|``."""
    parts = [part for field in fields for part in (Value("| "), F(field), Value(" "))]
    text: Any = Concat(*parts, Value("|"), output_field=models.TextField())
    for letter, pair in LETTER_PAIRS.items():
        text = _sql("replace", text, letter, pair)
    # PostgreSQL drops the letters of the first list that have no counterpart in the second.
    text = Lower(_sql("translate", text, FOLDED + DROPPED, FOLDED_TO))
    return models.GeneratedField(
        expression=_sql("regexp_replace", text, " +", " ", "g"), output_field=models.TextField(), db_persist=True
    )


def _sql(function: str, text: Any, *arguments: str) -> Func:
    return Func(text, *map(Value, arguments), function=function, output_field=models.TextField())


class Team(models.Model):
    """A club. Its names in the sources are `TeamAlias` rows; its other names and colours come from `clubs.csv`."""

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="teams")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=160, unique=True)
    full_name = models.CharField(max_length=120, blank=True)
    short_name = models.CharField(max_length=60, blank=True, help_text="Shown on pages; the name where it is empty.")
    other_names = models.CharField(max_length=200, blank=True, help_text="What people call it, separated by “|”.")
    code = models.CharField(max_length=3, blank=True, help_text="Three letters; made of the name where it is empty.")
    first_colour = models.CharField(max_length=7, blank=True, help_text="Such as #da291c; neutral where it is empty.")
    second_colour = models.CharField(max_length=7, blank=True)
    search_text = _search_text("name", "short_name", "full_name", "other_names", "code")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["region", "name"], name="team_region_name_unique")]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name that pages show."""
        return self.short_name or self.name

    @property
    def other_names_listed(self) -> str:
        """Its common names, with commas."""
        return self.other_names.replace(" | ", ", ")

    @property
    def colours(self) -> list[str]:
        """Its two colours, the first one twice where there is one; empty where they are not known."""
        return [self.first_colour, self.second_colour or self.first_colour] if self.first_colour else []

    @property
    def display_code(self) -> str:
        """Three letters that stand for the club."""
        return self.code or code_of(self.display_name)


class TeamAlias(models.Model):
    """How one source names a team. A name never seen before is listed for review until an operator confirms it."""

    class FoundBy(models.TextChoices):
        RESULTS = "results", "the same results"
        SPLIT = "split", "split off by an operator"

    source = models.CharField(max_length=40)
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    source_team_id = models.CharField(max_length=40, blank=True, help_text="The source's own id of the team.")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="aliases")
    created_at = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True, blank=True)
    found_by = models.CharField(
        max_length=7, choices=FoundBy, blank=True, help_text="How its team was found; empty for a known or new name."
    )
    search_text = _search_text("name")

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


class SquadValue(models.Model):
    """What the squad of a team was worth on the market, by the estimate of one source on one day."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="squad_values", db_index=False)
    source = models.CharField(max_length=40)
    known_on = models.DateField(help_text="Day of the estimate; a forecast may use it from then on, no earlier.")
    value_eur = models.PositiveBigIntegerField("value in euros")
    squad_size = models.PositiveSmallIntegerField(null=True, help_text="Players that were counted.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "source", "known_on"], name="squad_value_team_source_day_unique"),
            models.CheckConstraint(condition=Q(value_eur__gt=0), name="squad_value_positive"),
        ]

    def __str__(self) -> str:
        return f"squad of team {self.team_id} on {self.known_on}: {self.value_eur} €"
