"""Teams, and their names in the sources."""

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
