"""Teams, their names in the sources, and what their squads are worth."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.matches.models.competitions import Region


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
