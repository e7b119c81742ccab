"""Ingests, which are the data snapshots, and the events of the push feed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.matches.models.worlds import World


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
        default=False, help_text="Whether a match, statistic, price or match detail was written."
    )

    class Meta:
        indexes = [
            models.Index(fields=["world", "-id"], condition=Q(changed_facts=True), name="ingest_data_snapshot"),
        ]

    def __str__(self) -> str:
        return f"ingest {self.pk} of {self.source}"


class Topic(models.TextChoices):
    """The kinds of events of the push feed; clients subscribe to these names."""

    MATCH_CHANGED = "match.changed"
    PREDICTION_PUBLISHED = "prediction.published"
    SCORE_SETTLED = "score.settled"
    PROMOTION_MADE = "promotion.made"
    COMPARISON_MADE = "comparison.made"
    RUN_CHANGED = "run.changed"
    SCRAPE_TROUBLED = "scrape.troubled"
    LEDGER_PUBLISHED = "ledger.published"


class Event(models.Model):
    """A row of the push feed: a fact that happened. Append-only; one relay numbers it after the commit.

    The columns from `world` on are what clients filter by. They are kept as they were at that moment, so that a replay
    needs no other table: a team that is merged later keeps its old slug here.
    """

    number = models.BigIntegerField(
        null=True, unique=True, help_text="Gap-free, in the order of the relay; empty before."
    )
    topic = models.CharField(max_length=40, help_text="What happened, such as prediction.published.")
    key = models.CharField(max_length=80, help_text="What it happened to, such as the id of a match.")
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    world = models.CharField(max_length=7, blank=True, db_default="", help_text="Empty where it belongs to both.")
    match_id = models.BigIntegerField(null=True, blank=True, help_text="The match, for events of one.")
    competition = models.CharField(max_length=160, blank=True, db_default="", help_text="Slug.")
    home_team = models.CharField(max_length=160, blank=True, db_default="", help_text="Slug.")
    away_team = models.CharField(max_length=160, blank=True, db_default="", help_text="Slug.")
    trace = models.CharField(
        max_length=55, blank=True, db_default="", help_text="traceparent of the work that published it; not sent."
    )

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(number__isnull=True), name="event_unnumbered"),
            # One for each filter, in the order of a replay.
            *(
                models.Index(fields=[*columns, "number"], condition=Q(number__isnull=False), name=f"event_by_{name}")
                for name, columns in (
                    ("match", ["match_id"]),
                    ("competition", ["competition"]),
                    ("home_team", ["home_team"]),
                    ("away_team", ["away_team"]),
                    ("topic", ["topic", "world"]),
                    ("world", ["world"]),
                )
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"
