"""What was decided about champions, policies, retraining and the world that pages show, and what was found to drift."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.matches.models import World
from apps.ml.models.runs import PipelineRun
from apps.ml.models.versions import ModelVersion


class Promotion(models.Model):
    """A decision about the champion, by whom and why. The newest row of a world counts. Append-only."""

    class Action(models.TextChoices):
        PROMOTE = "promote"
        ROLLBACK = "rollback"

    world = models.CharField(max_length=7, choices=World)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotions")
    previous = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=8, choices=Action)
    decided_by = models.CharField(max_length=150, help_text="The user name, or system.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=400)
    decided_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["world", "-id"], name="promotion_newest")]
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="promotion_has_reason")]

    def __str__(self) -> str:
        return f"{self.kind} to version {self.version_id}"


class PolicyRevision(models.Model):
    """What an operator changed in the policy of a world; the newest row of a world counts. Append-only."""

    world = models.CharField(max_length=7, choices=World)
    changes = models.JSONField(help_text="Dotted name → value, of all that differs from params.yaml.")
    decided_by = models.CharField(max_length=150, help_text="The user name.")
    reason = models.CharField(max_length=400)
    decided_at = models.DateTimeField()

    class Meta:
        verbose_name = "policy"
        verbose_name_plural = "policies"
        indexes = [models.Index(fields=["world", "-id"], name="policyrevision_newest")]
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="policyrevision_has_reason")]

    def __str__(self) -> str:
        return f"policy of {self.decided_at:%Y-%m-%d %H:%M} ({self.world})"


class RetrainingDecision(models.Model):
    """Whether a world was retrained, and why.

    The same “no” again, for the same cause, is counted on its row, so that the table grows only when something happens.
    """

    class RetrainingAnswer(models.TextChoices):
        RUN = "run", "a run was queued"
        NO = "no", "no"

    world = models.CharField(max_length=7, choices=World)
    answer = models.CharField(max_length=3, choices=RetrainingAnswer)
    cause = models.CharField(max_length=200, help_text="What decided it; a “no” for another cause has its own row.")
    reason = models.TextField(help_text="In one sentence, with the latest numbers.")
    triggers = models.JSONField(help_text="[{name, is_due, value, bound, reason}], as of the latest time.")
    run = models.OneToOneField(
        PipelineRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="retraining_decision"
    )
    times = models.PositiveIntegerField(default=1, help_text="How often it was decided in a row.")
    decided_at = models.DateTimeField(help_text="The first time.")
    latest_at = models.DateTimeField(help_text="The latest time.")

    class Meta:
        indexes = [models.Index(fields=["world", "-id"], name="retrainingdecision_newest")]

    def __str__(self) -> str:
        return f"{self.get_answer_display()}: {self.cause}"


class ServedWorld(models.Model):
    """The world that the pages show first; a single row, chosen by the operator."""

    world = models.CharField(max_length=7, choices=World, default=World.SANDBOX)
    chosen_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="servedworld_one_row")]

    def __str__(self) -> str:
        return self.world


class DriftReport(models.Model):
    """Drift of data, forecasts and scores, checked once a day for the champion of a world.

    `features`, `predictions` and `concept` are the fields of `forecasting.drift.DriftTest`.
    """

    world = models.CharField(max_length=7, choices=World)
    day = models.DateField()
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="drift_reports")
    data_snapshot = models.BigIntegerField(help_text="The data snapshot that was checked.")
    is_drifted = models.BooleanField(help_text="Whether any test found drift.")
    score = models.FloatField(help_text="Largest statistic over its threshold: 1 and more is drift.")
    features = models.JSONField(help_text="Recent matches against those that the model was trained on.")
    predictions = models.JSONField(help_text="Published forecasts against those of the evaluation.")
    concept = models.JSONField(help_text="Log loss of graded forecasts against what was expected.")
    page = models.BinaryField(help_text="The report of Evidently, gzip; empty once it is old, or without Evidently.")
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["world", "day", "version"], name="driftreport_identity_unique")]
        indexes = [models.Index(fields=["world", "-computed_at"], name="driftreport_latest")]

    def __str__(self) -> str:
        return f"drift of {self.day} ({self.world})"
