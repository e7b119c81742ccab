"""Responses that several routes describe in the OpenAPI schema."""

from __future__ import annotations

from typing import Final

from drf_spectacular.utils import OpenApiResponse

from apps.api.rest.problems import MEDIA_TYPE
from apps.api.rest.serializers import ProblemSerializer

BAD_INPUT: Final = {(400, MEDIA_TYPE): OpenApiResponse(ProblemSerializer)}
