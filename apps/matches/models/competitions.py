"""Regions, competitions, their seasons and stages."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Case, Value, When

from apps.matches.models.worlds import World, WorldField


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
    position = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Place in the lists of pages, 1 for the first, before the league that has this place by default. "
        "Empty: its own default place.",
    )
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
    """A part of a season with its own rules, such as a group or the play-offs."""

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="stages")
    name = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["season", "name"], name="stage_season_name_unique")]

    def __str__(self) -> str:
        return self.name
