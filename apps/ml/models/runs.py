"""Runs of the pipeline."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.matches.models import World


class PipelineRun(models.Model):
    """One run of the DVC pipeline in its own workspace."""

    class RunStatus(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        INTERRUPTED = "interrupted", "Interrupted, resumes"
        SUCCEEDED = "succeeded"
        UNCHANGED = "unchanged"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class RunKind(models.TextChoices):
        TRAINING = "training"
        BACK_TEST = "back-test", "Back-test"

    world = models.CharField(max_length=7, choices=World)
    kind = models.CharField(
        max_length=9,
        choices=RunKind,
        default=RunKind.TRAINING,
        db_default=RunKind.TRAINING,
        help_text="Training makes versions; a back-test forecasts the latest finished seasons again.",
    )
    status = models.CharField(max_length=11, choices=RunStatus, default=RunStatus.QUEUED)
    as_of = models.DateTimeField(help_text="Facts known before it, fixtures after it.")
    profile = models.CharField(max_length=12)
    params = models.JSONField(default=dict, help_text="params.yaml as the run used it.")
    overrides = models.JSONField(
        default=dict, blank=True, help_text="{dotted name: value}: what was chosen in place of params.yaml."
    )
    notes = models.TextField(max_length=4000, blank=True)
    tags = models.JSONField(default=list, blank=True, help_text="Words by which the list of runs can be filtered.")
    back_test_of = models.ForeignKey(
        "ml.ModelVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="back_test_runs",
        db_index=False,  # a small table, which must not be locked by the migration
        help_text="Of a back-test: the version whose estimator and parameters it has.",
    )
    retry_of = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="retries",
        help_text="The run it repeats.",
    )
    first_stage = models.CharField(
        max_length=40, blank=True, help_text="Of a retry: the stages before it are those of the run it repeats."
    )
    requested_by = models.CharField(max_length=150, help_text="The user name, or system.")
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=150, blank=True, help_text="The user name.")
    heartbeat_at = models.DateTimeField(null=True, blank=True, help_text="Written every second while it runs.")
    executor = models.CharField(
        max_length=100, blank=True, help_text="The process that works on it; only this one may write the row."
    )
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="1 once it began, and 1 more for each crash of a stage. Interruptions do not count."
    )
    interruptions = models.JSONField(
        default=list, blank=True, help_text="[{at, stage, kind, cause}]: what stopped it before it resumed."
    )
    stages = models.JSONField(default=list, help_text="[{name, status, started_at, seconds}] in the order of the DAG.")
    log = models.TextField(blank=True, help_text="The latest lines of its output.")
    error = models.JSONField(default=dict, blank=True, help_text="Of a failed run: stage, rows, message, next step.")
    dvc_lock = models.TextField(blank=True)
    metrics = models.JSONField(default=dict, blank=True)
    code_revision = models.CharField(max_length=80, blank=True)
    trace = models.CharField(
        max_length=55, blank=True, db_default="", editable=False, help_text="traceparent of what requested it."
    )

    class Meta:
        indexes = [models.Index(fields=["world", "-created_at"], name="pipelinerun_by_world")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="back-test", back_test_of__isnull=False)
                | Q(kind="training", back_test_of__isnull=True),
                name="pipelinerun_back_test_has_version",
            )
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def is_back_test(self) -> bool:
        """Whether it makes no version, but forecasts the latest finished seasons with that of the champion."""
        return self.kind == self.RunKind.BACK_TEST

    @property
    def is_over(self) -> bool:
        """Whether the run has ended for good."""
        return self.status not in (self.RunStatus.QUEUED, self.RunStatus.RUNNING, self.RunStatus.INTERRUPTED)


class BackTestForecasts(models.Model):
    """What a back-test forecast of the latest finished seasons, kept as long as its run."""

    run = models.OneToOneField(PipelineRun, on_delete=models.CASCADE, primary_key=True, related_name="back_tested")
    forecasts = models.BinaryField(help_text="Calibrated out-of-sample forecasts of the tested seasons, parquet.")
    seasons = models.JSONField(help_text="{slug of a competition: season}: what was tested.")
    data_snapshot = models.BigIntegerField(help_text="The data snapshot that was exported.")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "forecasts of back-tests"

    def __str__(self) -> str:
        return f"forecasts of run {self.run_id}"


class StageLog(models.Model):
    """The latest lines that one stage of a run wrote."""

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="stage_logs")
    stage = models.CharField(max_length=60)
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "stage"], name="stagelog_unique")]

    def __str__(self) -> str:
        return f"log of {self.stage} in run {self.run_id}"
