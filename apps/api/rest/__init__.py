"""The REST API: viewsets, serializers, filters, authentication by API keys, and errors as problem details."""

from apps.api.authentication import ApiKeyAuthentication, HasScope, key_of, may_predict, may_read
from apps.api.rest.features import FeaturesView
from apps.api.rest.forecasts import CompetitionViewSet, WhatIfViewSet
from apps.api.rest.matches import MatchViewSet
from apps.api.rest.parameters import QuerySerializer, WholeNumberField
from apps.api.rest.problems import MEDIA_TYPE, Problem, exception_handler, is_api, problem, problem_response
from apps.api.rest.search import TeamSearchViewSet
from apps.api.rest.serializers import ProblemSerializer

__all__ = [
    "MEDIA_TYPE",
    "ApiKeyAuthentication",
    "CompetitionViewSet",
    "FeaturesView",
    "HasScope",
    "MatchViewSet",
    "Problem",
    "ProblemSerializer",
    "QuerySerializer",
    "TeamSearchViewSet",
    "WhatIfViewSet",
    "WholeNumberField",
    "exception_handler",
    "is_api",
    "key_of",
    "may_predict",
    "may_read",
    "problem",
    "problem_response",
]
