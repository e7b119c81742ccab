"""Services that change models and predictions; import them from here."""

from apps.ml.policy import PolicyError
from apps.ml.services.automatic import fall_back_due, promote_due, why_not_by_itself
from apps.ml.services.back_tests import BackTestRound, back_test_due, queue_back_test
from apps.ml.services.champion import (
    PromotionRefusedError,
    choose_served_world,
    decline,
    mirror_aliases,
    promote,
    promote_first_champion,
    reconsider,
    rollback,
    why_not_champion,
)
from apps.ml.services.comparison import NothingToCompareError, compare, compare_due, why_not_compared
from apps.ml.services.drift import DriftRound, drift_due, measure_drift
from apps.ml.services.evaluation import NothingToEvaluateError, VersionEvaluation, evaluate
from apps.ml.services.forecasts import (
    FORECAST_WITHIN,
    ForecastNumbers,
    LiveForecast,
    NoForecastError,
    forecast,
    forecast_by,
    forecast_numbers,
    model_to_serve,
    predict_due,
    served_version,
    settle_due,
)
from apps.ml.services.given_results import matches_left, season_given
from apps.ml.services.ledger import LedgerReport, close_due
from apps.ml.services.policies import change_policy
from apps.ml.services.ratings import RatingsReport, rate_due
from apps.ml.services.record import RecordReport, summarize_due
from apps.ml.services.retraining import retrain_due
from apps.ml.services.run_decisions import (
    Cancellation,
    cancel_run,
    describe_run,
    retry_run,
    stages_to_retry,
    tags_of,
)
from apps.ml.services.runs import RunRefusedError, latest_midnight, queue_run, refuse_impossible, run_due
from apps.ml.services.seasons import SeasonRefusedError, lines_of, simulate_due, simulate_season
from apps.ml.services.shadows import ShadowReport, shadow_due
from apps.ml.services.what_if import (
    AHEAD,
    Meeting,
    WhatIfRefusedError,
    hypothetical_match,
    meeting,
    next_saturday,
    what_if,
)
from apps.ml.services.workspaces import read_params, read_stages
from apps.ml.serving import NotServedError, ServedModel, StillLoadingError

__all__ = [
    "AHEAD",
    "FORECAST_WITHIN",
    "BackTestRound",
    "Cancellation",
    "DriftRound",
    "ForecastNumbers",
    "LedgerReport",
    "LiveForecast",
    "Meeting",
    "NoForecastError",
    "NotServedError",
    "NothingToCompareError",
    "NothingToEvaluateError",
    "PolicyError",
    "PromotionRefusedError",
    "RatingsReport",
    "RecordReport",
    "RunRefusedError",
    "SeasonRefusedError",
    "ServedModel",
    "ShadowReport",
    "StillLoadingError",
    "VersionEvaluation",
    "WhatIfRefusedError",
    "back_test_due",
    "cancel_run",
    "change_policy",
    "choose_served_world",
    "close_due",
    "compare",
    "compare_due",
    "decline",
    "describe_run",
    "drift_due",
    "evaluate",
    "fall_back_due",
    "forecast",
    "forecast_by",
    "forecast_numbers",
    "hypothetical_match",
    "latest_midnight",
    "lines_of",
    "matches_left",
    "measure_drift",
    "meeting",
    "mirror_aliases",
    "model_to_serve",
    "next_saturday",
    "predict_due",
    "promote",
    "promote_due",
    "promote_first_champion",
    "queue_back_test",
    "queue_run",
    "rate_due",
    "read_params",
    "read_stages",
    "reconsider",
    "refuse_impossible",
    "retrain_due",
    "retry_run",
    "rollback",
    "run_due",
    "season_given",
    "served_version",
    "settle_due",
    "shadow_due",
    "simulate_due",
    "simulate_season",
    "stages_to_retry",
    "summarize_due",
    "tags_of",
    "what_if",
    "why_not_by_itself",
    "why_not_champion",
    "why_not_compared",
]
