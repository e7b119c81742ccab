"""Registered versions with their files, and what was compared between them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from apps.matches.models import World
from apps.ml.models.runs import PipelineRun
from apps.ml.pipeline.files import NO_ODDS


class FeatureCatalogue(models.Model):
    """Descriptions of all features of a run; equal catalogues share a row. Append-only."""

    sha256 = models.CharField(max_length=64, primary_key=True, help_text="Of the rows as canonical JSON.")
    features = models.JSONField(help_text="[{name, family, side, scope, window, unit, meaning, inputs}].")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"catalogue {self.sha256[:12]}"


class ModelVersion(models.Model):
    """A registered version with the bundle that is served, equal to the artifact in MLflow."""

    world = models.CharField(max_length=7, choices=World)
    number = models.PositiveIntegerField(help_text="The version in the MLflow registry.")
    mlflow_run_id = models.CharField(max_length=64)
    estimator = models.CharField(max_length=40, help_text="Name in the registry of estimators.")
    inputs = models.CharField(max_length=40, default=NO_ODDS, help_text="The inputs of the model.")
    profile = models.CharField(max_length=12)
    key = models.CharField(max_length=64, help_text="sha256 of data, params and code: the same three give one version.")
    data_sha256 = models.CharField(max_length=64)
    params_sha256 = models.CharField(max_length=64)
    sources_sha256 = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        help_text="Of the code that its numbers depend on; older ones have none.",
    )
    code_revision = models.CharField(max_length=80)
    data_snapshot = models.BigIntegerField(help_text="The data snapshot that was exported.")
    as_of = models.DateTimeField()
    rows = models.PositiveIntegerField(help_text="Matches that it was trained on.")
    trained_from = models.DateField()
    trained_to = models.DateField()
    metrics = models.JSONField(help_text="metrics.json of its evaluation.")
    gates = models.JSONField(help_text="[{name, passed, value, bound, reason}].")
    bundle = models.BinaryField(help_text="The served files, zipped.")
    bundle_sha256 = models.CharField(max_length=64)
    files_deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="When retention deleted its bundle, report and MLflow run; it cannot serve."
    )
    declined_at = models.DateTimeField(
        null=True, blank=True, help_text="When a person decided that it does not take over; null where nobody did."
    )
    catalogue = models.ForeignKey(
        FeatureCatalogue,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="versions",
        help_text="What its features mean; none for versions that are older than the catalogues.",
    )
    columns = models.JSONField(default=list, blank=True, help_text="Names of the features that the model reads.")
    pipeline_run = models.ForeignKey(
        PipelineRun, on_delete=models.PROTECT, null=True, blank=True, related_name="versions"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["world", "number"], name="version_world_number_unique"),
            # A version whose files were deleted can be made again, with another number.
            models.UniqueConstraint(
                fields=["world", "key"], condition=Q(files_deleted_at__isnull=True), name="version_world_key_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"model {self.number} ({self.world})"

    @property
    def passed_gates(self) -> bool:
        """Whether all gates passed."""
        return all(gate["passed"] for gate in self.gates)

    @property
    def is_labelled(self) -> bool:
        """Whether the model uses prices."""
        return self.inputs != NO_ODDS


class EvaluationArtifacts(models.Model):
    """Files of a version that are stored but not served: forecasts for later comparisons, and the report."""

    version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, related_name="evaluation_artifacts")
    forecasts = models.BinaryField(help_text="Its calibrated out-of-sample forecasts, parquet.")
    forecasts_sha256 = models.CharField(max_length=64)
    report = models.BinaryField(help_text="report.html of its evaluation, gzip.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"evaluation artifacts of version {self.version_id}"


class FeatureSnapshot(models.Model):
    """A serialized `FeatureState`, keyed by the data snapshot that it has observed."""

    world = models.CharField(max_length=7, choices=World)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="feature_snapshots")
    data_snapshot = models.BigIntegerField()
    state = models.BinaryField()
    state_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "data_snapshot"], name="featuresnapshot_version_data_unique")
        ]

    def __str__(self) -> str:
        return f"features at data snapshot {self.data_snapshot}"


class Comparison(models.Model):
    """A candidate compared with a champion on the same matches. The newest row of a pair counts. Append-only."""

    class Verdict(models.TextChoices):
        CHALLENGER = "challenger", "may take over"
        CANDIDATE = "candidate", "stays a candidate"

    world = models.CharField(max_length=7, choices=World)
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="comparisons")
    champion = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10, choices=Verdict)
    reason = models.TextField(help_text="The verdict in one sentence.")
    criteria = models.JSONField(
        help_text="[{name, candidate, champion, difference, low, high, bound, passed, reason}]."
    )
    n = models.PositiveIntegerField(help_text="Matches that both forecast out of sample.")
    rules = models.JSONField(help_text="Section `compare` of the parameters, as it was applied.")
    key = models.CharField(max_length=64, help_text="sha256 of both versions' files and the rules.")
    decided_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["candidate", "champion", "-id"], name="comparison_newest")]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="comparison_has_reason"),
            models.CheckConstraint(condition=~Q(candidate=F("champion")), name="comparison_of_two"),
        ]

    def __str__(self) -> str:
        return f"version {self.candidate_id} against version {self.champion_id}"

    @property
    def failed(self) -> list[dict[str, object]]:
        """Criteria that were not met."""
        return [criterion for criterion in self.criteria if not criterion["passed"]]
