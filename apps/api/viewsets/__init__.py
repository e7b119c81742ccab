"""The REST API: parse → one selector or service → render."""

from apps.api.viewsets.features import FeaturesView
from apps.api.viewsets.intake import IngestViewSet
from apps.api.viewsets.matches import MatchViewSet
from apps.api.viewsets.outlooks import CompetitionViewSet, WhatIfViewSet

__all__ = ["CompetitionViewSet", "FeaturesView", "IngestViewSet", "MatchViewSet", "WhatIfViewSet"]
