"""REST of tables, season forecasts and what-if matches."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import selectors, services
from apps.api.authentication import may_predict
from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.competitions import competition_named
from apps.api.rest.parameters import NamesField, QuerySerializer, TextField, TrueFalseField
from apps.api.rest.problems import MEDIA_TYPE, NoForecastProblem, NotFoundProblem, Problem
from apps.api.rest.serializers import (
    ProblemSerializer,
    SeasonForecastSerializer,
    TableSerializer,
    WhatIfSerializer,
)
from apps.matches import selectors as matches
from apps.matches.models import Season, Team
from apps.ml import services as ml_services

_NO_SLUG: Final = dict.fromkeys(("required", "blank"), "It must be the slug of a team.")


class SeasonForecastQuery(QuerySerializer):
    """Which season of a competition."""

    season = TextField(required=False, allow_blank=True, help_text="Such as 2026-27; the newest by default.")


class TableQuery(QuerySerializer):
    """Which season of a competition, and when."""

    season = TextField(required=False, allow_blank=True, help_text="Such as 2023-24; the newest by default.")
    as_of = serializers.DateTimeField(
        required=False,
        help_text="Facts known before this moment count; all by default.",
        error_messages={"invalid": "It must be a moment such as 2024-02-01T00:00:00Z."},
    )


class WhatIfQuery(QuerySerializer):
    """A match that is not a fixture."""

    home = TextField(help_text="Slug of the home team.", error_messages=_NO_SLUG)
    away = TextField(help_text="Slug of the away team, of the same world.", error_messages=_NO_SLUG)
    date = serializers.DateField(
        required=False,
        help_text="The day, at most a year ahead; the next Saturday by default.",
        error_messages={"invalid": "It must be a day such as 2026-11-28."},
    )
    competition = TextField(required=False, allow_blank=True, help_text="Slug; the home team's league by default.")
    neutral = TrueFalseField(default=False, help_text="Whether the venue is neutral.")
    include = NamesField(services.MEMBERS, help_text=f"Some of {', '.join(services.MEMBERS)}, separated by commas.")


class CompetitionViewSet(viewsets.ViewSet):
    """Tables and season forecasts of competitions."""

    @extend_schema(
        operation_id="season_forecast",
        summary="The forecast of a season",
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="Slug of the competition."),
            SeasonForecastQuery,
        ],
        responses={
            200: SeasonForecastSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(
                ProblemSerializer, description="No such competition or season, or no simulation of it."
            ),
        },
    )
    def season_forecast(self, request: Request, slug: str) -> Response:
        """Return the latest simulation of a season."""
        season = _season(slug, SeasonForecastQuery.parse(request).get("season"))
        end = selectors.season_end(season)
        if end is None:
            raise NoForecastProblem("This season has no simulation: it is over, a cup, or there is no champion yet.")
        forecast = end.forecast
        shape: dict[str, Any] = {
            "competition": season.competition,
            "season": season.label,
            "adjustments": matches.adjustments_of(season, forecast.as_of),
            "lines": end.lines,
            "clubs": [row | {"team": team} for team, row in end.clubs],
            "model": services.model_shape(forecast.version),
        }
        for name in ("simulations", "doubt", "played", "remaining", "undated", "is_whole", "data_snapshot", "as_of"):
            shape[name] = getattr(forecast, name)
        return Response(SeasonForecastSerializer(shape).data, headers={"Cache-Control": "no-cache"})

    @extend_schema(
        operation_id="table",
        summary="The table of a season, now or as of a moment",
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="Slug of the competition."),
            TableQuery,
        ],
        responses={
            200: TableSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="No such competition or season."),
        },
    )
    def table(self, request: Request, slug: str) -> Response:
        """Return the table of a season with its footnotes."""
        query = TableQuery.parse(request)
        season, as_of = _season(slug, query.get("season")), query.get("as_of")
        shape = {
            "competition": season.competition,
            "season": season.label,
            "as_of": as_of,
            "standings": matches.league_table(season, as_of),
            "adjustments": matches.adjustments_of(season, as_of),
            "awarded_results": matches.awarded_results_of(season, as_of),
            "awarded": matches.awarded_of(season, as_of),
        }
        serializer = TableSerializer(shape, context={"request": request})
        return Response(serializer.data, headers={"Cache-Control": "no-cache"})


class WhatIfViewSet(viewsets.ViewSet):
    """Forecasts of matches that are not fixtures."""

    permission_classes = [may_predict]  # type: ignore[list-item]  # one that makes itself
    request_cost = settings.SPAI_COMPUTED_COST

    @extend_schema(
        operation_id="what_if",
        summary="The forecast of a match of any two teams",
        description=(
            "The forecast uses what is known now: both teams keep their ratings of today. Nothing is stored. Past "
            "matches have their own forecasts, published before their kick-off."
        ),
        parameters=[WhatIfQuery],
        responses={
            200: WhatIfSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="No such team, or no champion yet."),
            (422, MEDIA_TYPE): OpenApiResponse(
                ProblemSerializer,
                description=(
                    "The teams cannot meet: same-team, two-worlds, no-league, other-competition; or the day cannot be "
                    "forecast: past, too-far."
                ),
            ),
        },
    )
    def retrieve(self, request: Request) -> Response:
        """Return the forecast of a match of two teams."""
        query, now = WhatIfQuery.parse(request), timezone.now()
        home, away = _teams(query["home"], query["away"])
        try:
            what_if = services.what_if_match(
                home_team=home,
                away_team=away,
                day=query.get("date") or ml_services.next_saturday(now),
                competition=query.get("competition", ""),
                is_neutral=query["neutral"],
                now=now,
            )
            details = services.what_if_details(what_if.match, now=now)
        except ml_services.WhatIfRefusedError as error:
            raise Problem(422, error.kind, str(error), members={"parameter": error.about}) from error
        except ml_services.NoForecastError as error:
            raise NoForecastProblem(str(error)) from error
        shape = services.forecast_shape(what_if.match, details, include=query.get("include", ()), now=now)
        for name in ("match", "published_at", "is_frozen", "live"):
            # Only stored forecasts have these.
            del shape[name]
        return Response(shape | {"notes": what_if.notes}, headers={"Cache-Control": "no-store"})


def _season(slug: str, label: str | None) -> Season:
    """Return a season of a competition by its label, or the newest."""
    competition = competition_named(slug)
    seasons = matches.seasons(competition)
    season = (seasons.filter(label=label) if label else seasons).first()
    if season is None:
        raise NotFoundProblem("unknown-season", f"{competition.name} has no such season.")
    return season


def _teams(*slugs: str) -> list[Team]:
    """Return the teams of some slugs."""
    found = selectors.teams_of_slugs(slugs)
    for slug in slugs:
        if slug not in found:
            raise NotFoundProblem("unknown-team", f"There is no team with the slug {slug[:160]}.")
    return [found[slug] for slug in slugs]
