"""How long things are kept, and what was deleted."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models

LONGEST = 36_500


class RetentionPeriod(models.Model):
    """What the operator decided about one kind; a kind without a row has its defaults."""

    kind = models.CharField(max_length=30, primary_key=True)
    days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(LONGEST)],
        help_text="How long it is kept; 0 for ever, empty for the default.",
    )
    newest = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(LONGEST)],
        help_text="How many of each world stay whatever their age; empty for the default.",
    )

    def __str__(self) -> str:
        return self.kind


class RetentionRun(models.Model):
    """One run of retention: what it deleted, and how large everything was afterwards."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, help_text="Empty while it works, and when it was killed.")
    requested_by = models.CharField(max_length=150, help_text="The timetable, or a user's name.")
    deleted = models.JSONField(default=dict, help_text="{kind: {rows, files, bytes}}.")
    errors = models.JSONField(default=dict, blank=True, help_text="{kind: why nothing more of it was deleted}.")
    sizes = models.JSONField(default=dict, blank=True, help_text="{name: bytes on disk} after it.")
    free_bytes = models.BigIntegerField(null=True, help_text="Free space of the disk after it.")

    class Meta:
        indexes = [models.Index(fields=["-started_at"], name="retentionrun_newest")]

    def __str__(self) -> str:
        return f"retention of {self.started_at:%Y-%m-%d %H:%M}"
