"""Model versions, the pipeline runs that made them, their predictions and their scores.

`Promotion`, `Comparison`, `PolicyRevision`, `FeatureCatalogue`, `Prediction`, `ShadowForecast`, `Score`, `LedgerDay`
and `LedgerLeaf` are facts: append-only, enforced by PostgreSQL (migrations 0002, 0003, 0008 and 0009), which also
refuses a prediction of a match that has kicked off, and one of a day whose ledger is closed. Retention may delete
replaced predictions (migration 0012).
"""

from apps.ml.models.decisions import DriftReport, PolicyRevision, Promotion, RetrainingDecision, ServedWorld
from apps.ml.models.forecasts import Prediction, Score, SeasonForecast, SeasonInputs, ShadowForecast, Stakes
from apps.ml.models.ledger import LedgerDay, LedgerLeaf
from apps.ml.models.ratings import TeamRating
from apps.ml.models.record import BackTest, ClosingGap, RecordSummary
from apps.ml.models.runs import BackTestForecasts, PipelineRun, StageLog
from apps.ml.models.versions import Comparison, EvaluationArtifacts, FeatureCatalogue, FeatureSnapshot, ModelVersion

__all__ = [
    "BackTest",
    "BackTestForecasts",
    "ClosingGap",
    "Comparison",
    "DriftReport",
    "EvaluationArtifacts",
    "FeatureCatalogue",
    "FeatureSnapshot",
    "LedgerDay",
    "LedgerLeaf",
    "ModelVersion",
    "PipelineRun",
    "PolicyRevision",
    "Prediction",
    "Promotion",
    "RecordSummary",
    "RetrainingDecision",
    "Score",
    "SeasonForecast",
    "SeasonInputs",
    "ServedWorld",
    "ShadowForecast",
    "StageLog",
    "Stakes",
    "TeamRating",
]
