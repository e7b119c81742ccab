"""The ledger of published forecasts."""

from __future__ import annotations

from django.db import models

from apps.matches.models import World
from apps.ml.models.forecasts import Prediction


class LedgerDay(models.Model):
    """The entry of one day (UTC) in the ledger of a world, made after the day has ended. Append-only.

    Every day has one from the first forecast on, days without a forecast too.
    """

    world = models.CharField(max_length=7, choices=World)
    day = models.DateField()
    forecasts = models.PositiveIntegerField(help_text="Published on this day: the leaves of its tree.")
    root = models.CharField(max_length=64, help_text="Of the Merkle tree over the forecasts (RFC 6962, sha256).")
    previous = models.CharField(max_length=64, help_text="Hash of the entry of the day before; zeros for the first.")
    hash = models.CharField(max_length=64, help_text="sha256 over world, day, forecasts, root and previous.")
    closed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["world", "day"], name="ledgerday_unique")]

    def __str__(self) -> str:
        return f"ledger of {self.day} ({self.world})"


class LedgerLeaf(models.Model):
    """A forecast in the ledger, in the words that were hashed: names of teams may change later. Append-only.

    It stays, and proves the forecast, when retention deletes the prediction.
    """

    prediction = models.OneToOneField(
        Prediction, on_delete=models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="ledger_leaf"
    )
    day = models.ForeignKey(LedgerDay, on_delete=models.PROTECT, related_name="leaves", db_index=False)
    position = models.PositiveIntegerField(help_text="From 0, in the order of the predictions' ids.")
    content = models.TextField(help_text="Canonical JSON.")
    sha256 = models.BinaryField(max_length=32, help_text="Hash of the leaf.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "position"], name="ledgerleaf_unique")]

    def __str__(self) -> str:
        return f"leaf {self.position} of day {self.day_id}"
