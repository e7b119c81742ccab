"""Ratings of clubs over time."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.matches.models import Competition, Team, World
from apps.ml.models.versions import ModelVersion


def _hidden(to: type[models.Model]) -> models.ForeignKey[Any, Any]:
    """Return a reference that keeps its row from nothing: ratings are copies, computed again for each champion."""
    return models.ForeignKey(to, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)


class TeamRating(models.Model):
    """How strong a club was at the end of a step of time, by the feature state of the champion.

    It is compared with an average club of the top league of its country, on neutral ground: no matches between
    countries are known.
    """

    world = models.CharField(max_length=7, choices=World)
    team = _hidden(Team)
    competition = _hidden(Competition)
    version = _hidden(ModelVersion)
    step_at = models.DateTimeField(help_text="Beginning of the step, whose last results it has.")
    as_of = models.DateTimeField(help_text="It used results known until then.")
    place = models.PositiveIntegerField(help_text="Among all clubs of the world, 1 for the strongest.")
    attack = models.FloatField(help_text="Goals that it is expected to score in such a match.")
    defence = models.FloatField(help_text="Goals that it is expected to concede.")
    p_win = models.FloatField(help_text="Probability that it wins.")
    p_draw = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "step_at"], name="teamrating_identity_unique")]
        indexes = [models.Index(fields=["world", "-step_at", "place"], name="teamrating_by_place")]

    def __str__(self) -> str:
        return f"rating of team {self.team_id} at {self.step_at:%Y-%m-%d %H:%M}"
