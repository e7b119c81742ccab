"""REST of batches: forecasts of up to 10,000 matches and pairings in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import orjson
from django.db.models import BigIntegerField
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.api import services
from apps.api.authentication import may_predict
from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.bodies import JsonParser
from apps.api.rest.formats import FormatNegotiation
from apps.api.rest.parameters import OneOfField, QuerySerializer
from apps.api.rest.predictions import ForecastRowSerializer
from apps.api.rest.problems import MEDIA_TYPE, kind_urn
from apps.api.rest.serializers import ProblemSerializer

BATCH_PATH: Final = "/api/v1/predictions/batch/"
MOST_ITEMS: Final = 10_000
BYTES_LIMIT: Final = 4 * 1024 * 1024
"""Largest size of a body, in bytes: 10,000 pairings of long slugs."""
LONGEST_SLUG: Final = 160
BATCH_COST: Final = 50
"""As how many requests a batch counts, however many items it has: about what a full one takes of a processor's time."""

NDJSON: Final = "application/x-ndjson"
_OPTIONS: Final = orjson.OPT_UTC_Z

_PAIRING: Final[dict[str, dict[str, Any]]] = {
    "home": {"type": "string", "description": "Slug of the home team."},
    "away": {"type": "string", "description": "Slug of the away team, of the same world."},
    "competition": {"type": "string", "description": "Slug; the home team's league by default."},
    "date": {
        "type": "string",
        "format": "date",
        "description": "The day, at most a year ahead; the next Saturday by default.",
    },
    "neutral": {"type": "boolean", "default": False, "description": "Whether the venue is neutral."},
}
"""Members of a pairing."""


@extend_schema_field(
    {
        "oneOf": [
            {"type": "integer", "minimum": 0, "maximum": BigIntegerField.MAX_BIGINT, "description": "Id of a match."},
            {
                "type": "object",
                "properties": _PAIRING,
                "required": ["home", "away"],
                "additionalProperties": False,
                "description": "Two teams that could meet.",
            },
        ]
    }
)
class ItemField(serializers.JSONField):
    """The id of a match, or a pairing."""


class BatchSerializer(serializers.Serializer[dict[str, Any]]):
    """What to forecast."""

    items = serializers.ListField(
        child=ItemField(), min_length=1, max_length=MOST_ITEMS, help_text="Ids of matches, and pairings."
    )


class ItemErrorSerializer(serializers.Serializer[dict[str, str]]):
    """Why an item has no forecast."""

    type = serializers.CharField(help_text="A urn that names the kind of problem.")
    parameter = serializers.CharField(allow_null=True, help_text="The member of the item that is wrong; null for none.")
    detail = serializers.CharField()


class BatchAnswerSerializer(serializers.Serializer[dict[str, Any]]):
    """The answer to one item: a forecast or an error."""

    item = serializers.IntegerField(help_text="Place in `items`, from 0.")
    forecast = ForecastRowSerializer(allow_null=True)
    error = ItemErrorSerializer(allow_null=True)


class BatchAnswersSerializer(serializers.Serializer[dict[str, Any]]):
    """The answers in the order of the items."""

    results = BatchAnswerSerializer(many=True)


class NdjsonRenderer(BaseRenderer):
    """Lines of JSON; the view writes them itself."""

    media_type = NDJSON
    format = "ndjson"


class BatchQuery(QuerySerializer):
    """The form of the answers."""

    format = OneOfField(("json", NdjsonRenderer.format), required=False, help_text="Wins over `Accept`.")


class BatchView(APIView):
    """Forecasts of many matches."""

    permission_classes = [may_predict]  # type: ignore[list-item]  # one that makes itself
    request_cost = BATCH_COST
    parser_classes = [JsonParser]
    renderer_classes = [JSONRenderer, NdjsonRenderer]
    content_negotiation_class = FormatNegotiation
    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="predictions_batch",
        summary="Forecasts of many matches and pairings in one call",
        description=(
            f"Up to {MOST_ITEMS:,} items: ids of matches, or pairings of two teams. Each has a forecast or an error, "
            "in the order of the items; equal items have equal answers. A match has its latest forecast that was "
            "published before kick-off; a coming fixture without one, and a pairing, one that is made now and not "
            f"stored. With `Accept: {NDJSON}` each answer is on its own line."
        ),
        parameters=[BatchQuery],
        request=BatchSerializer,
        responses={
            (200, "application/json"): BatchAnswersSerializer,
            (200, NDJSON): BatchAnswerSerializer,
            **BAD_INPUT,
            (413, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="The body exceeds 4 MiB."),
            (415, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="The body is not application/json."),
        },
        examples=[
            OpenApiExample(
                "A match and a pairing",
                value={"items": [182734, {"home": "arsenal", "away": "chelsea", "date": "2026-12-05"}]},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Answer each item."""
        BatchQuery.parse(request)
        answers = services.forecast_batch(_items(request.data), now=timezone.now())
        headers = {"Cache-Control": "no-store", "Vary": "Accept"}
        if request.accepted_renderer.format == NdjsonRenderer.format:
            lines = (b"".join(line + b"\n" for line in part) for part in _written(answers))
            return StreamingHttpResponse(lines, content_type=NDJSON, headers=headers)
        parts = b",".join(b",".join(part) for part in _written(answers))
        return HttpResponse(b'{"results":[' + parts + b"]}", content_type="application/json", headers=headers)

    def handle_exception(self, exc: Exception) -> Any:
        """Return a problem, which is JSON whatever format was requested."""
        response = super().handle_exception(exc)
        self.request.accepted_renderer, self.request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return response


def _written(answers: Iterator[Sequence[services.Answer]]) -> Iterator[list[bytes]]:
    """Yield the answers as JSON, slice by slice."""
    place = 0
    for part in answers:
        yield [orjson.dumps(_shape(place + n, answer), option=_OPTIONS) for n, answer in enumerate(part)]
        place += len(part)


def _shape(place: int, answer: services.Answer) -> dict[str, Any]:
    if not isinstance(answer, services.ItemError):
        return {"item": place, "forecast": answer, "error": None}
    error = {"type": kind_urn(answer.kind), "parameter": answer.about or None, "detail": answer.detail}
    return {"item": place, "forecast": None, "error": error}


def _items(body: Any) -> list[services.Item]:
    """Return the items of a body; one that is neither an id nor a pairing becomes its error.

    Raises
    ------
    ValidationError
        When the body as a whole has another form.
    """
    if not isinstance(body, dict):
        raise ValidationError("The body must be a JSON object with the member items.")
    unknown = sorted(set(body) - {"items"})
    if unknown:
        raise ValidationError({name[:40]: "There is no such member; the only one is items." for name in unknown[:5]})
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise ValidationError({"items": "It must be a list of ids of matches and of pairings, and not empty."})
    if len(items) > MOST_ITEMS:
        raise ValidationError(
            {"items": f"It has {len(items):,} items; at most {MOST_ITEMS:,} are answered in one call. Send several."}
        )
    return [_item(item) for item in items]


def _item(item: Any) -> services.Item:
    if type(item) is int:
        return item if 0 <= item <= BigIntegerField.MAX_BIGINT else _wrong("It is no id of a match.", "match")
    if not isinstance(item, dict):
        return _wrong("It must be the id of a match, such as 182734, or an object with home and away.")
    unknown = [name for name in item if name not in _PAIRING]
    if unknown:
        return _wrong(f"There is no such member; the members are {', '.join(_PAIRING)}.", unknown[0][:40])
    for name in ("home", "away"):
        if not _is_slug(item.get(name)):
            return _wrong("It must be the slug of a team.", name)
    competition = item.get("competition")
    if competition is not None and not _is_slug(competition):
        return _wrong("It must be the slug of a competition.", "competition")
    neutral = item.get("neutral")
    if neutral is not None and not isinstance(neutral, bool):
        return _wrong("It must be true or false.", "neutral")
    day = item.get("date")
    try:
        day = None if day is None else date.fromisoformat(day)
    except (TypeError, ValueError):
        return _wrong("It must be a day such as 2026-11-28.", "date")
    return services.Pairing(item["home"], item["away"], competition or "", day, bool(neutral))


def _is_slug(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_SLUG and "\x00" not in value


def _wrong(detail: str, about: str = "") -> services.ItemError:
    return services.ItemError("bad-item", detail, about)


def batch_body_limit(environ: Mapping[str, Any]) -> int | None:
    """Return how many bytes the body of a batch may have, by its WSGI environ; None for requests of other views."""
    return BYTES_LIMIT if environ["PATH_INFO"] == BATCH_PATH else None
