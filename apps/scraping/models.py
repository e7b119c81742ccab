"""Where matches come from and every visit there."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Source(models.Model):
    """A place that tells of matches."""

    name = models.SlugField(max_length=40, unique=True)
    is_enabled = models.BooleanField(default=True, help_text="Switched off, nothing is fetched from it.")
    every = models.DurationField(help_text="A visit is due this long after the latest one began.")
    requested_at = models.DateTimeField(
        null=True, blank=True, help_text="When somebody asked for a visit out of turn; it is due until one began later."
    )
    seed = models.PositiveBigIntegerField(null=True, blank=True, help_text="Of the sandbox: the seed of its world.")
    anchor_at = models.DateTimeField(
        null=True, blank=True, help_text="Of the sandbox: when its dense season began; kept from the first start."
    )

    def __str__(self) -> str:
        return self.name


class ScrapeRun(models.Model):
    """One visit to a source and what came of it."""

    class Outcome(models.TextChoices):
        STORED = "stored"
        UNCHANGED = "unchanged"
        FAILED = "failed"

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="runs")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome, blank=True)
    ingest = models.ForeignKey("matches.Ingest", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    detail = models.TextField(blank=True, help_text="Of a failed run: what went wrong and what to do.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, outcome="") | Q(finished_at__isnull=False) & ~Q(outcome=""),
                name="scraperun_ended_has_outcome",
            )
        ]
        indexes = [models.Index(fields=["source", "-started_at"], name="scraperun_by_source")]

    def __str__(self) -> str:
        return f"run {self.pk} of source {self.source_id}"
