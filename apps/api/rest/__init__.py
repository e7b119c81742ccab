"""The REST API: viewsets, serializers, filters, authentication by API keys, and errors as problem details."""

from apps.api.rest.authentication import ApiKeyAuthentication, HasScope
from apps.api.rest.features import FeaturesView
from apps.api.rest.forecasts import CompetitionViewSet, WhatIfViewSet
from apps.api.rest.matches import MatchViewSet
from apps.api.rest.parameters import QuerySerializer, WholeNumberField
from apps.api.rest.prediction_jobs import (
    RESULT_RENDERERS,
    PredictionJobViewSet,
    idempotency_key_of,
    job_body_limit,
)
from apps.api.rest.problems import MEDIA_TYPE, Problem, exception_handler, is_api, problem, problem_response
from apps.api.rest.search import TeamSearchViewSet
from apps.api.rest.serializers import ProblemSerializer
from apps.api.rest.webhooks import WebhookViewSet

__all__ = [
    "MEDIA_TYPE",
    "RESULT_RENDERERS",
    "ApiKeyAuthentication",
    "CompetitionViewSet",
    "FeaturesView",
    "HasScope",
    "MatchViewSet",
    "PredictionJobViewSet",
    "Problem",
    "ProblemSerializer",
    "QuerySerializer",
    "TeamSearchViewSet",
    "WebhookViewSet",
    "WhatIfViewSet",
    "WholeNumberField",
    "exception_handler",
    "idempotency_key_of",
    "is_api",
    "job_body_limit",
    "problem",
    "problem_response",
]
