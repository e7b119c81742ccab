"""The audit: what people did."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class ActionOrigin(models.TextChoices):
    """Where an action came from, as exactly as is needed to notice a stranger."""

    MACHINE = "machine", "this machine"
    PRIVATE = "private", "a private network"
    PUBLIC = "public", "the internet"
    COMMAND = "command", "a command"


class AuditEntry(models.Model):
    """An action of a person, in words. Append-only.

    It names rows instead of referring to them, so that it outlives the user and what was changed.
    """

    at = models.DateTimeField()
    by = models.CharField(max_length=150, help_text="The user name, or the command.")
    origin = models.CharField("from", max_length=7, choices=ActionOrigin)
    action = models.CharField(max_length=60)
    about = models.CharField(max_length=250, blank=True, help_text="As it was called then.")
    subjects = ArrayField(
        models.CharField(max_length=120),
        default=list,
        help_text="What it is about, and what else shows it in its history, each as model/id.",
    )
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    reason = models.CharField(max_length=400, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [GinIndex(fields=["subjects"], name="auditentry_of_subject")]

    def __str__(self) -> str:
        return f"{self.by} {self.action} {self.about}".strip()


def subject_of(row: models.Model) -> str:
    """Return the name of a row in `AuditEntry.subjects`."""
    return f"{row._meta.label_lower}/{row.pk}"
