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
