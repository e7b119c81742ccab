"""REST of teams: the list, the search by name, and one team."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.catalogue import CatalogueViewSet, world_of
from apps.api.rest.pagination import SlugPageQuery
from apps.api.rest.parameters import OneOfField, QuerySerializer, TextField, WorldParameterField
from apps.api.rest.problems import MEDIA_TYPE, NotFoundProblem
from apps.api.rest.serializers import ListedTeamSerializer, ProblemSerializer
from apps.matches import selectors as matches
from apps.matches.models import Competition, Team


class TeamListQuery(SlugPageQuery):
    """Which teams: all of a world, or those that a text names."""

    q = TextField(
        required=False,
        help_text="Such as man utd: the 20 teams that the text names, the best first, without regard to accents and "
        "case. Full, short and common names and names in sources are compared.",
        error_messages={"blank": "It must be a part of a name."},
    )
    world = WorldParameterField()
    region = TextField(required=False, allow_blank=True, help_text="Only those of this country, by its name.")
    ordering = OneOfField(("slug", "-slug"), default="slug", help_text="By slug, forwards or backwards; not with `q`.")


class TeamViewSet(CatalogueViewSet):
    """Clubs and national teams."""

    serializer_class = ListedTeamSerializer

    @extend_schema(
        operation_id="teams",
        summary="Teams of a world, or those that a text names",
        parameters=[TeamListQuery],
        responses={200: ListedTeamSerializer(many=True), **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return one page of teams, or the teams that a text names."""
        query = TeamListQuery.parse(request)
        world = world_of(query)
        if "q" in query:
            named = matches.search_teams(query["q"], world, region=query.get("region", ""))
            shape: dict[str, Any] = {"next": None, "previous": None}
            return Response(shape | {"results": self.get_serializer(named, many=True).data})
        of_world = Competition.objects.filter(region=OuterRef("region"), world=world)
        found = Team.objects.filter(Exists(of_world)).select_related("region")
        if query.get("region"):
            found = found.filter(region__name=query["region"])
        return self.page_of(found, request, query)

    @extend_schema(
        operation_id="team",
        summary="One team",
        parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH, description="Slug of the team.")],
        responses={
            200: ListedTeamSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="There is no such team."),
        },
    )
    def retrieve(self, request: Request, slug: str) -> Response:
        """Return one team."""
        QuerySerializer.parse(request)
        team = Team.objects.select_related("region").filter(slug=slug).first()
        if team is None:
            raise NotFoundProblem("unknown-team", f"There is no team with the slug {slug[:160]}.")
        return Response(self.get_serializer(team).data)
