"""REST of the search for teams."""

from __future__ import annotations

from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.parameters import QuerySerializer, TextField, WorldParameterField
from apps.api.rest.serializers import FoundTeamsSerializer
from apps.matches import selectors as matches
from apps.matches.models import World
from apps.ml.selectors import served_world

_NO_NAME: Final = dict.fromkeys(("required", "blank"), "It must be a part of a name.")


class TeamSearchQuery(QuerySerializer):
    """A text that names a team."""

    q = TextField(help_text="Such as man utd.", error_messages=_NO_NAME)
    world = WorldParameterField()


class TeamSearchViewSet(viewsets.ViewSet):
    """Teams by their names."""

    @extend_schema(
        operation_id="teams",
        summary="The teams that a text names",
        description="Full, short and common names and names in sources, without regard to accents and case.",
        parameters=[TeamSearchQuery],
        responses={200: FoundTeamsSerializer, **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return the teams of a world that a text names, the best first."""
        query = TeamSearchQuery.parse(request)
        found = matches.search_teams(query["q"], World(query.get("world") or served_world()))
        return Response(FoundTeamsSerializer({"results": found}).data, headers={"Cache-Control": "no-cache"})
