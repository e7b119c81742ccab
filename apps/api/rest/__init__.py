"""The REST API: viewsets, serializers, filters, authentication by API keys, and errors as problem details."""

from apps.api.rest.authentication import ApiKeyAuthentication, HasScope
from apps.api.rest.events import EventsView
from apps.api.rest.features import FeaturesView
from apps.api.rest.forecasts import CompetitionViewSet, WhatIfViewSet
from apps.api.rest.ledger import InclusionProofViewSet, LedgerViewSet
from apps.api.rest.matches import MatchViewSet
from apps.api.rest.parameters import QuerySerializer, WholeNumberField
from apps.api.rest.problems import MEDIA_TYPE, Problem, exception_handler, is_api, problem, problem_response
from apps.api.rest.search import TeamSearchViewSet
from apps.api.rest.serializers import ProblemSerializer

__all__ = [
    "MEDIA_TYPE",
    "ApiKeyAuthentication",
    "CompetitionViewSet",
    "EventsView",
    "FeaturesView",
    "HasScope",
    "InclusionProofViewSet",
    "LedgerViewSet",
    "MatchViewSet",
    "Problem",
    "ProblemSerializer",
    "QuerySerializer",
    "TeamSearchViewSet",
    "WhatIfViewSet",
    "WholeNumberField",
    "exception_handler",
    "is_api",
    "problem",
    "problem_response",
]
