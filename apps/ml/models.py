"""Model versions, the pipeline runs that made them, their predictions and their scores.

`Promotion`, `Comparison`, `PolicyRevision`, `FeatureCatalogue`, `Prediction`, `ShadowForecast`, `Score`, `LedgerDay`
and `LedgerLeaf` are facts: append-only, enforced by PostgreSQL (migrations 0002, 0003, 0008 and 0009), which also
refuses a prediction of a match that has kicked off, and one of a day whose ledger is closed. Retention may delete
replaced predictions (migration 0012).
"""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from apps.matches.models import Match, Season, World
from apps.ml.pipeline.files import NO_ODDS

PROBABILITY = [MinValueValidator(0.0), MaxValueValidator(1.0)]


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

    world = models.CharField(max_length=7, choices=World)
    status = models.CharField(max_length=11, choices=RunStatus, default=RunStatus.QUEUED)
    as_of = models.DateTimeField(help_text="Facts known before it, fixtures after it.")
    profile = models.CharField(max_length=12)
    params = models.JSONField(default=dict, help_text="params.yaml as the run used it.")
    overrides = models.JSONField(
        default=dict, blank=True, help_text="{dotted name: value}: what was chosen in place of params.yaml."
    )
    notes = models.TextField(max_length=4000, blank=True)
    tags = models.JSONField(default=list, blank=True, help_text="Words to find it by.")
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

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def is_over(self) -> bool:
        """Whether the run has ended for good."""
        return self.status not in (self.RunStatus.QUEUED, self.RunStatus.RUNNING, self.RunStatus.INTERRUPTED)


class StageLog(models.Model):
    """The latest lines that one stage of a run wrote."""

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="stage_logs")
    stage = models.CharField(max_length=60)
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "stage"], name="stagelog_unique")]

    def __str__(self) -> str:
        return f"log of {self.stage} in run {self.run_id}"


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
    inputs = models.CharField(max_length=40, default=NO_ODDS, help_text="What the model may look at.")
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


class DriftReport(models.Model):
    """Drift of data, forecasts and scores, looked at once a day for the champion of a world.

    `features`, `predictions` and `concept` are the fields of `forecasting.drift.DriftTest`.
    """

    world = models.CharField(max_length=7, choices=World)
    day = models.DateField()
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="drift_reports")
    data_snapshot = models.BigIntegerField(help_text="The data snapshot that was looked at.")
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


class ServedWorld(models.Model):
    """The world that the pages show first; a single row, chosen by the operator."""

    world = models.CharField(max_length=7, choices=World, default=World.SANDBOX)
    chosen_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="servedworld_one_row")]

    def __str__(self) -> str:
        return self.world


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


class Prediction(models.Model):
    """A published forecast. Append-only; the database refuses one after the kick-off."""

    match = models.ForeignKey(Match, on_delete=models.PROTECT, related_name="predictions")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="predictions")
    data_snapshot = models.BigIntegerField()
    as_of = models.DateTimeField()
    published_at = models.DateTimeField()
    kickoff_at = models.DateTimeField(help_text="The kick-off as it was known then.")
    p_home = models.FloatField(validators=PROBABILITY)
    p_draw = models.FloatField(validators=PROBABILITY)
    p_away = models.FloatField(validators=PROBABILITY)
    home_expected_goals = models.FloatField()
    away_expected_goals = models.FloatField()
    rho = models.FloatField(
        default=0.0, db_default=0.0, help_text="Dixon-Coles correction of low scores in the scoreline grid."
    )
    base_home = models.FloatField(help_text="Base rate of the competition at the same moment, the plain alternative.")
    base_draw = models.FloatField()
    base_away = models.FloatField()
    features_sha256 = models.CharField(
        max_length=64, help_text="Of the features it was made from; when they differ, a new one is due."
    )
    contributions = models.JSONField(default=dict, help_text="Group of features → log-odds, home against away.")
    degraded = models.CharField(
        max_length=40, blank=True, help_text="Which step of the fallback ladder; empty for the champion."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["match", "version", "data_snapshot"], name="prediction_identity_unique"),
            models.CheckConstraint(
                condition=Q(p_home__gte=0, p_draw__gte=0, p_away__gte=0)
                & Q(p_home__lte=1 + 1e-9 - F("p_draw") - F("p_away"))
                & Q(p_home__gte=1 - 1e-9 - F("p_draw") - F("p_away")),
                name="prediction_sums_to_one",
            ),
            models.CheckConstraint(condition=Q(published_at__lt=F("kickoff_at")), name="prediction_before_kickoff"),
            models.CheckConstraint(condition=Q(as_of__lte=F("published_at")), name="prediction_as_of_not_later"),
        ]
        indexes = [
            models.Index(fields=["match", "-published_at"], name="prediction_latest"),
            models.Index(fields=["published_at"], name="prediction_by_publication"),
        ]

    def __str__(self) -> str:
        return f"prediction of match {self.match_id}: {self.p_home:.2f} {self.p_draw:.2f} {self.p_away:.2f}"

    @property
    def probabilities(self) -> tuple[float, float, float]:
        """Home, draw, away."""
        return self.p_home, self.p_draw, self.p_away


class ShadowForecast(models.Model):
    """What another version would have published in place of a prediction of the champion. Append-only.

    It was made from the same facts as of the same moment, is never shown as a forecast, and is graded with the score of
    its prediction. The database leaves out one that comes after the kick-off.
    """

    prediction = models.ForeignKey(Prediction, on_delete=models.PROTECT, related_name="shadows", db_index=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="shadows")
    p_home = models.FloatField(validators=PROBABILITY)
    p_draw = models.FloatField(validators=PROBABILITY)
    p_away = models.FloatField(validators=PROBABILITY)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prediction", "version"], name="shadowforecast_identity_unique"),
            models.CheckConstraint(
                condition=Q(p_home__gte=0, p_draw__gte=0, p_away__gte=0)
                & Q(p_home__lte=1 + 1e-9 - F("p_draw") - F("p_away"))
                & Q(p_home__gte=1 - 1e-9 - F("p_draw") - F("p_away")),
                name="shadowforecast_sums_to_one",
            ),
        ]

    def __str__(self) -> str:
        return f"shadow of prediction {self.prediction_id} by version {self.version_id}"


class Score(models.Model):
    """The score of a prediction for one revision of the result; the newest revision counts. Append-only."""

    prediction = models.ForeignKey(Prediction, on_delete=models.PROTECT, related_name="scores")
    match = models.ForeignKey(Match, on_delete=models.PROTECT, related_name="scores")
    world = models.CharField(max_length=7, choices=World)
    revision = models.PositiveIntegerField(help_text="Revision of the match's result.")
    outcome = models.PositiveSmallIntegerField(help_text="0 home, 1 draw, 2 away.")
    log_loss = models.FloatField(help_text="In nats.")
    rps = models.FloatField(help_text="Divided by 2: 0 to 1.")
    brier = models.FloatField(help_text="Summed over three classes.")
    base_log_loss = models.FloatField(help_text="Of the base rates that the prediction carries.")
    base_rps = models.FloatField()
    market_log_loss = models.FloatField(null=True, help_text="Of the de-vigged closing prices, where there are any.")
    market_rps = models.FloatField(null=True)
    settled_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prediction", "revision"], name="score_identity_unique"),
            models.CheckConstraint(condition=Q(outcome__lte=2), name="score_outcome_of_three"),
        ]
        indexes = [models.Index(fields=["world", "-settled_at"], name="score_by_world")]

    def __str__(self) -> str:
        return f"score of prediction {self.prediction_id}"


class SeasonForecast(models.Model):
    """Simulated final tables of a season by one version; the latest one of each day is kept."""

    season = models.ForeignKey(Season, on_delete=models.CASCADE, related_name="forecasts")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="season_forecasts")
    data_snapshot = models.BigIntegerField()
    as_of = models.DateTimeField(help_text="It used facts known before this moment.")
    simulations = models.PositiveIntegerField(help_text="Simulated seasons.")
    doubt = models.FloatField(help_text="Standard deviation of the shock of a club, in log-odds.")
    played = models.PositiveIntegerField(help_text="Matches that count already.")
    remaining = models.PositiveIntegerField(help_text="Matches that were simulated.")
    undated = models.PositiveIntegerField(help_text="Of those, the ones that no source has listed yet.")
    is_whole = models.BooleanField(help_text="Whether these are all matches to the end of the season.")
    table = models.JSONField(help_text="{lines: [{name, places, from_end}], clubs: [{team, points, places, …}]}.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["season", "version", "data_snapshot"], name="seasonforecast_identity_unique"
            ),
            models.CheckConstraint(condition=Q(undated__lte=F("remaining")), name="seasonforecast_undated_remain"),
        ]
        indexes = [models.Index(fields=["season", "-as_of"], name="seasonforecast_latest")]

    def __str__(self) -> str:
        return f"forecast of season {self.season_id} as of {self.as_of:%Y-%m-%d}"


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
