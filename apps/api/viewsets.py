"""The REST API: parse → one selector or service → render."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.dateparse import parse_date
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_view,
)
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import selectors, services
from apps.api.auth import ApiKeyAuthentication, HasScope
from apps.api.feed import BodyError, read_body
from apps.api.filters import MatchFilter, MatchPages
from apps.api.models import ApiKey, Scope, Upload
from apps.api.problems import MEDIA_TYPE, NoForecastYet, Problem, Unknown, problem
from apps.api.serializers import (
    MatchLineSerializer,
    MatchSerializer,
    OddsLineSerializer,
    PredictionSerializer,
    ProblemSerializer,
    PushAccountSerializer,
    PushProblemSerializer,
    SeasonForecastSerializer,
    UploadSerializer,
    WhatIfSerializer,
)
from apps.matches import selectors as matches
from apps.matches.models import Competition, Match, Team
from apps.matches.services import WorldConflictError
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services

LARGEST_ID = 2**63 - 1

_wrong = {(400, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="A parameter is wrong; `errors` names it.")}
_unknown = {(404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="There is no such match.")}
_none_yet = {
    (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="No such match, or no forecast of it yet.")
}
_id = OpenApiParameter("id", int, OpenApiParameter.PATH, description="Id of the match.")


@extend_schema_view(
    list=extend_schema(
        summary="Matches in the order of kick-off",
        responses={200: MatchSerializer(many=True), **_wrong},
    ),
    retrieve=extend_schema(
        summary="One match", parameters=[_id], responses={200: MatchSerializer, **_wrong, **_unknown}
    ),
)
class MatchViewSet(viewsets.ReadOnlyModelViewSet[Match]):
    """Matches, with the latest published forecast of each."""

    # Reads are open to everybody, and an answer that depends on no session may be shared by caches.
    authentication_classes: list[Any] = []
    serializer_class = MatchSerializer
    pagination_class = MatchPages
    filterset_class = MatchFilter
    http_method_names = ["get", "head", "options"]
    known_parameters = frozenset({*MatchFilter.base_filters, "cursor", "page_size"})

    def get_queryset(self) -> QuerySet[Match]:
        """Return every match with what its shape names."""
        return matches.matches()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page of matches; a parameter that means nothing here is refused, not ignored."""
        unknown = sorted(set(request.query_params) - self.known_parameters)
        if unknown:
            known = ", ".join(sorted(self.known_parameters))
            raise ValidationError(dict.fromkeys(unknown, f"There is no such parameter; there are {known}."))
        return super().list(request, *args, **kwargs)

    def get_object(self) -> Match:
        """Return the match that the address names; an id that is no whole number is refused."""
        value = str(self.kwargs["pk"])
        if not value.isascii() or not value.isdigit() or len(value) > 19 or int(value) > LARGEST_ID:
            raise ValidationError({"id": "It must be a whole number."})
        return super().get_object()

    @extend_schema(
        summary="The latest forecast of one match",
        parameters=[_id],
        responses={200: PredictionSerializer, **_wrong, **_none_yet},
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def prediction(self, request: Request, pk: str | None = None) -> Response:
        """Answer with the forecast published latest before kick-off; of a fixture without one, one made now."""
        match, now = self.get_object(), timezone.now()
        try:
            published = ml_selectors.latest_predictions([match.pk]).get(match.pk)
            seen = services.outlook_of(match, published, now=now)
        except ml_services.NoForecastError as error:
            raise NoForecastYet(str(error)) from error
        return Response(PredictionSerializer(services.forecast_shape(match, seen, now=now)).data)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Name the content by an ETag and answer 304 to who has it; caches ask again each time."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code != 200:
            return response
        patch_cache_control(response, no_cache=True)
        response.add_post_render_callback(lambda rendered: _conditional(request, rendered))
        return response


def _conditional(request: Request, response: Response) -> HttpResponse | None:
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response["ETag"] = etag
    return get_conditional_response(request._request, etag=etag, response=response)


class CompetitionViewSet(viewsets.ViewSet):
    """Competitions: how their seasons may end."""

    authentication_classes: list[Any] = []

    @extend_schema(
        operation_id="season_forecast",
        summary="How a season may end",
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="Slug of the competition."),
            OpenApiParameter("season", str, description="Such as 2026-27; the newest by default."),
        ],
        responses={
            200: SeasonForecastSerializer,
            **_wrong,
            (404, MEDIA_TYPE): OpenApiResponse(
                ProblemSerializer, description="No such competition or season, or it was not simulated."
            ),
        },
    )
    def season_forecast(self, request: Request, slug: str) -> Response:
        """Answer with the latest simulation of a season."""
        _refuse_unknown(request, {"season"})
        competition = Competition.objects.select_related("region").filter(slug=slug).first()
        if competition is None:
            raise Unknown("unknown-competition", f"There is no competition with the slug {slug[:160]}.")
        asked = request.query_params.get("season", "")
        seasons = matches.seasons(competition)
        season = (seasons.filter(label=asked) if asked else seasons).first()
        if season is None:
            raise Unknown("unknown-season", f"{competition.name} has no such season.")
        end = selectors.season_end(season)
        if end is None:
            raise NoForecastYet("This season was not simulated: it is over, a cup, or waits for a champion.")
        forecast = end.forecast
        shape = {
            "competition": competition,
            "season": season.label,
            "lines": end.lines,
            "clubs": [row | {"team": team} for team, row in end.clubs],
            "model": services.model_shape(forecast.version),
        } | {
            name: getattr(forecast, name)
            for name in (
                "simulations",
                "doubt",
                "played",
                "remaining",
                "undated",
                "is_whole",
                "data_snapshot",
                "as_of",
            )
        }
        return Response(SeasonForecastSerializer(shape).data, headers={"Cache-Control": "no-cache"})


class WhatIfViewSet(viewsets.ViewSet):
    """Matches that nobody plays."""

    authentication_classes: list[Any] = []
    known_parameters = frozenset({"home", "away", "date", "competition", "neutral"})

    @extend_schema(
        operation_id="what_if",
        summary="The forecast of any two teams on a day to come",
        description=(
            "From what is known now: the teams are as strong as they are today. Nothing is stored. Past matches have "
            "forecasts of their own, published before their kick-off."
        ),
        parameters=[
            OpenApiParameter("home", str, required=True, description="Slug of the home team."),
            OpenApiParameter("away", str, required=True, description="Slug of the away team, of the same world."),
            OpenApiParameter("date", date, description="The day, at most a year ahead; the next Saturday by default."),
            OpenApiParameter("competition", str, description="Slug; the home team's league by default."),
            OpenApiParameter("neutral", bool, description="Whether nobody is at home; false by default."),
        ],
        responses={
            200: WhatIfSerializer,
            **_wrong,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="No such team, or no champion yet."),
            (422, MEDIA_TYPE): OpenApiResponse(
                ProblemSerializer,
                description=(
                    "They cannot meet: same-team, two-worlds, no-league, other-competition; or nothing can be said of "
                    "the day: past, too-far."
                ),
            ),
        },
    )
    def retrieve(self, request: Request) -> Response:
        """Answer with the forecast of a match of two teams."""
        _refuse_unknown(request, self.known_parameters)
        now = timezone.now()
        asked = request.query_params
        try:
            question = services.ask(
                home_team=_team_of(request, "home"),
                away_team=_team_of(request, "away"),
                day=_day_of(asked["date"]) if "date" in asked else ml_services.next_saturday(now),
                competition=asked.get("competition", ""),
                is_neutral=_truth_of(request, "neutral"),
                now=now,
            )
            seen = services.outlook_of_imagined(question.match, now=now)
        except ml_services.QuestionRefusedError as error:
            raise Problem(422, error.kind, str(error), members={"parameter": error.about}) from error
        except ml_services.NoForecastError as error:
            raise NoForecastYet(str(error)) from error
        match = question.match
        shape = services.forecast_shape(match, seen, now=now) | {
            "home_team": match.home_team,
            "away_team": match.away_team,
            "season": match.season,
            "is_neutral": match.is_neutral,
            "notes": question.notes,
        }
        return Response(WhatIfSerializer(shape).data, headers={"Cache-Control": "no-store"})


def _refuse_unknown(request: Request, known: Collection[str]) -> None:
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        told = ", ".join(sorted(known))
        raise ValidationError(dict.fromkeys(unknown, f"There is no such parameter; there are {told}."))


def _team_of(request: Request, name: str) -> Team:
    slug = request.query_params.get(name, "")
    if not slug:
        raise ValidationError({name: "It must be the slug of a team."})
    found = Team.objects.select_related("region").filter(slug=slug.replace("\x00", "")).first()
    if found is None:
        raise Unknown("unknown-team", f"There is no team with the slug {slug[:160]}.")
    return found


def _day_of(text: str) -> date:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise ValidationError({"date": "It must be a day such as 2026-11-28."})
    return day


def _truth_of(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false")
    if text not in ("true", "false"):
        raise ValidationError({name: "It must be true or false."})
    return text == "true"


NDJSON = "application/x-ndjson"
_LINES = frozenset({NDJSON, "application/ndjson", "application/jsonl"})
_LONGEST_KEY = 200

_HOW_TO_PUSH = """
Send fixtures, results and odds, one JSON object a line, to the office's address, with an API key of the scope `ingest`:

```
curl http://127.0.0.1:8001/api/v1/ingest/ \\
  -H "Authorization: Bearer $SPAI_KEY" -H "Content-Type: application/x-ndjson" \\
  -H "Idempotency-Key: $(uuidgen)" --data-binary @matches.ndjson
```

**Lines.** All good lines of a body are stored in one ingest; each refused line is listed with its number, the field
that is wrong and the reason. What a line does not tell is never erased, and a line that tells what is known changes
nothing. A body belongs to one world. It may be packed (`Content-Encoding: gzip`) and needs a `Content-Length`.

**Limits.** 64 MiB unpacked, 200,000 lines, 64 KiB a line, 5,000 different names. Beyond one of them nothing is stored.

**Once.** With an `Idempotency-Key` the same request within 48 hours gets the same answer again without work, marked
`Idempotency-Replayed: true`; another request under the same key is refused. One request of an API key runs at a time:
the next gets 409 with `Retry-After`.

**On and on.** A request stores all of its good lines or, when it breaks off, none. To send more lines than fit into
one, choose a UUID and send them in several requests with `?upload=UUID&from_line=N`, N being the number of the first
line of the body, from 1. After a broken connection `GET /api/v1/ingest/UUID/` tells the `next_line`; go on from there:

```
UPLOAD=$(uuidgen)
curl "$OFFICE/api/v1/ingest/?upload=$UPLOAD&from_line=1" ... --data-binary @<(head -n 5000 all.ndjson)
curl "$OFFICE/api/v1/ingest/$UPLOAD/" -H "Authorization: Bearer $SPAI_KEY"        # next_line: 5001
curl "$OFFICE/api/v1/ingest/?upload=$UPLOAD&from_line=5001" ... --data-binary @<(tail -n +5001 all.ndjson)
```
"""


def _refusal(description: str) -> OpenApiResponse:
    return OpenApiResponse(ProblemSerializer, description=description)


class IngestViewSet(viewsets.ViewSet):
    """Lines that a live feed pushes in."""

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [HasScope(Scope.INGEST)]  # type: ignore[list-item]  # one that makes itself

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Send away who calls another process than the office, before the key is looked at.

        A redirect would not do: clients drop the key when they follow one to another port.
        """
        if settings.SPAI_FACE != "office":
            address = f"{settings.SPAI_OFFICE_URL}{request.path}"
            raise Problem(
                421,
                "other-address",
                f"This process takes no lines. Send the same request to {address}.",
                members={"address": address},
            )
        super().initial(request, *args, **kwargs)

    @extend_schema(
        operation_id="ingest",
        summary="Push matches in",
        description=_HOW_TO_PUSH,
        request={
            NDJSON: PolymorphicProxySerializer(
                component_name="Line",
                serializers=[MatchLineSerializer, OddsLineSerializer],
                resource_type_field_name=None,
            )
        },
        parameters=[
            OpenApiParameter("upload", UUID, description="The upload that the lines belong to; a UUID of your choice."),
            OpenApiParameter("from_line", int, description="Number of the first line within the upload, from 1."),
            OpenApiParameter(
                "Idempotency-Key", str, OpenApiParameter.HEADER, description="At most 200 visible ASCII characters."
            ),
        ],
        responses={
            200: PushAccountSerializer,
            (400, MEDIA_TYPE): _refusal("A parameter or header is wrong, or the body broke off; nothing was stored."),
            (401, MEDIA_TYPE): _refusal("There is no key, or it may not be used now."),
            (403, MEDIA_TYPE): _refusal("The key lacks the scope, or may not write to the world of a line."),
            (408, MEDIA_TYPE): _refusal("The body did not come in time; nothing was stored."),
            (409, MEDIA_TYPE): OpenApiResponse(
                PushProblemSerializer, description="A request of the key is under way; or `next_line` is another."
            ),
            (411, MEDIA_TYPE): _refusal("Content-Length is missing."),
            (413, MEDIA_TYPE): _refusal("The body exceeds a limit; nothing was stored."),
            (415, MEDIA_TYPE): _refusal("The body is not NDJSON, or packed in an unknown way."),
            (421, MEDIA_TYPE): _refusal("This is not the office; `address` says where it is."),
            (422, MEDIA_TYPE): OpenApiResponse(
                PushProblemSerializer, description="No line could be used; or the body as a whole cannot be."
            ),
            (503, MEDIA_TYPE): _refusal("Other matches are being stored; try again after `Retry-After`."),
        },
    )
    def create(self, request: Request) -> Response:
        """Store the lines of the body."""
        assert isinstance(request.auth, ApiKey)
        upload, from_line = _upload_of(request)
        idempotency_key = _idempotency_key_of(request)
        if request.content_type.partition(";")[0].strip().lower() not in _LINES:
            raise Problem(415, "not-ndjson", f"Send one JSON object a line, with the header Content-Type: {NDJSON}.")
        try:
            with services.turn_of(request.auth):
                body = read_body(
                    request._request,
                    length=_length_of(request),
                    encoding=request.headers.get("Content-Encoding", "").strip().lower(),
                )
                answer = services.push(
                    body,
                    key=request.auth,
                    now=timezone.now(),
                    idempotency_key=idempotency_key,
                    upload=upload,
                    from_line=from_line,
                )
        except (BodyError, WorldConflictError, *services.REFUSALS) as error:
            raise _problem_of(error) from error
        return _answered(request, answer)

    @extend_schema(
        operation_id="upload",
        summary="How far an upload got",
        parameters=[OpenApiParameter("upload", UUID, OpenApiParameter.PATH, description="As you chose it.")],
        responses={
            200: UploadSerializer,
            (401, MEDIA_TYPE): _refusal("There is no key, or it may not be used now."),
            (403, MEDIA_TYPE): _refusal("The key lacks the scope."),
            (404, MEDIA_TYPE): _refusal("Nothing of this upload is stored; begin with line 1."),
            (421, MEDIA_TYPE): _refusal("This is not the office; `address` says where it is."),
        },
    )
    def retrieve(self, request: Request, upload: UUID) -> Response:
        """Answer with the line to go on with."""
        assert isinstance(request.auth, ApiKey)
        found = Upload.objects.filter(api_key=request.auth, uuid=upload).first()
        if found is None:
            raise NotFound("Nothing of this upload is stored; begin with line 1.")
        return Response(UploadSerializer(found).data, headers={"Cache-Control": "no-store"})


def _length_of(request: Request) -> int | None:
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() else None


def _upload_of(request: Request) -> tuple[UUID | None, int]:
    """Return the upload and the first line that the address names."""
    unknown = sorted(set(request.query_params) - {"upload", "from_line"})
    if unknown:
        raise ValidationError(dict.fromkeys(unknown, "There is no such parameter; there are from_line, upload."))
    named, first = request.query_params.get("upload"), request.query_params.get("from_line")
    if named is None:
        if first is not None:
            raise ValidationError({"from_line": "It means something with upload alone."})
        return None, 1
    try:
        upload = UUID(named)
    except ValueError as error:
        raise ValidationError({"upload": "It must be a UUID."}) from error
    if first is None:
        raise ValidationError({"from_line": "It must say which line of the upload the body begins with, from 1."})
    if not first.isascii() or not first.isdigit() or not 1 <= len(first) <= 15 or int(first) < 1:
        raise ValidationError({"from_line": "It must be a whole number, from 1."})
    return upload, int(first)


def _idempotency_key_of(request: Request) -> str:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not 1 <= len(key) <= _LONGEST_KEY or not all("!" <= character <= "~" for character in key):
        raise ValidationError({"Idempotency-Key": f"It must have 1 to {_LONGEST_KEY} visible ASCII characters."})
    return key


def _problem_of(error: Exception) -> Problem:
    """Return the problem that tells a client why nothing was stored."""
    detail = str(error)
    if isinstance(error, BodyError):
        return Problem(error.status, error.kind, detail)
    if isinstance(error, services.BusyError):
        status, kind = (409, "request-under-way") if error.is_own else (503, "busy")
        return Problem(status, kind, detail, wait=services.RETRY_AFTER)
    if isinstance(error, services.OutOfStepError):
        return Problem(409, "out-of-step", detail, members={"next_line": error.next_line})
    if isinstance(error, services.OtherRequestError):
        return Problem(422, "other-request", detail)
    if isinstance(error, services.WorldForbiddenError):
        return Problem(403, "world-forbidden", detail)
    if isinstance(error, services.TooManyNamesError):
        return Problem(422, "too-many-names", detail)
    return Problem(422, "mixed-worlds", f"{detail}. Nothing was stored.")


def _answered(request: Request, answer: services.Answer) -> Response:
    content, headers = answer.content, {"Cache-Control": "no-store"}
    if answer.is_replayed:
        headers["Idempotency-Replayed"] = "true"
    if answer.status == 200:
        return Response(content, headers=headers)
    told = problem(
        answer.status,
        f"None of the {content['refused']:,} lines could be used; each is listed with its reason.",
        instance=request.path,
        kind="no-usable-line",
    )
    return Response(told | content, status=answer.status, headers=headers, content_type=MEDIA_TYPE)
