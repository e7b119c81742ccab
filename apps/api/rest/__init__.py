"""The REST API: viewsets, serializers, filters, authentication by API keys, and errors as problem details."""

from apps.api.authentication import ApiKeyAuthentication, HasScope, key_of, may_predict, may_read
from apps.api.rest.batch import BATCH_PATH, BatchView, batch_body_limit
from apps.api.rest.caching import conditional
from apps.api.rest.closing_gap import ClosingGapViewSet
from apps.api.rest.competitions import CompetitionListViewSet, SeasonForecastViewSet, SeasonViewSet
from apps.api.rest.events import EventsView
from apps.api.rest.features import FeaturesView
from apps.api.rest.forecasts import CompetitionViewSet, WhatIfViewSet
from apps.api.rest.formats import FormatNegotiation
from apps.api.rest.ledger import InclusionProofViewSet, LedgerViewSet
from apps.api.rest.live_comparisons import LiveComparisonViewSet
from apps.api.rest.matches import PREDICTION_PATH, PREDICTION_VIEW, MatchViewSet
from apps.api.rest.models import ModelViewSet
from apps.api.rest.parameters import QuerySerializer, WholeNumberField
from apps.api.rest.prediction_jobs import (
    RESULT_RENDERERS,
    PredictionJobViewSet,
    idempotency_key_of,
    job_body_limit,
)
from apps.api.rest.predictions import PredictionViewSet, ScoreViewSet
from apps.api.rest.problems import MEDIA_TYPE, Problem, exception_handler, is_api, problem, problem_response
from apps.api.rest.response_cache import allow_caching
from apps.api.rest.root import RootView
from apps.api.rest.serializers import ProblemSerializer
from apps.api.rest.sources import BookmakerViewSet, SourceViewSet
from apps.api.rest.teams import TeamViewSet
from apps.api.rest.webhooks import WebhookViewSet

__all__ = [
    "BATCH_PATH",
    "MEDIA_TYPE",
    "PREDICTION_PATH",
    "PREDICTION_VIEW",
    "RESULT_RENDERERS",
    "ApiKeyAuthentication",
    "BatchView",
    "BookmakerViewSet",
    "ClosingGapViewSet",
    "CompetitionListViewSet",
    "CompetitionViewSet",
    "EventsView",
    "FeaturesView",
    "FormatNegotiation",
    "HasScope",
    "InclusionProofViewSet",
    "LedgerViewSet",
    "LiveComparisonViewSet",
    "MatchViewSet",
    "ModelViewSet",
    "PredictionJobViewSet",
    "PredictionViewSet",
    "Problem",
    "ProblemSerializer",
    "QuerySerializer",
    "RootView",
    "ScoreViewSet",
    "SeasonForecastViewSet",
    "SeasonViewSet",
    "SourceViewSet",
    "TeamViewSet",
    "WebhookViewSet",
    "WhatIfViewSet",
    "WholeNumberField",
    "allow_caching",
    "batch_body_limit",
    "conditional",
    "exception_handler",
    "idempotency_key_of",
    "is_api",
    "job_body_limit",
    "key_of",
    "may_predict",
    "may_read",
    "problem",
    "problem_response",
]
