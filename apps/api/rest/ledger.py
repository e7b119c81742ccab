"""REST of the ledger: its days, their leaves, and the proof that a forecast is one of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.catalogue import world_of
from apps.api.rest.parameters import QuerySerializer, WholeNumberField, WorldParameterField
from apps.api.rest.problems import MEDIA_TYPE, NotFoundProblem
from apps.api.rest.serializers import ProblemSerializer
from apps.matches.models import World
from apps.ml import selectors as ml_selectors
from apps.ml.models import LedgerDay, Prediction

DAYS_ON_PAGE: Final = 366
LEAVES_ON_PAGE: Final = 1000
CLOSED: Final = {"Cache-Control": "max-age=86400"}
"""What is closed never changes."""
OPEN: Final = {"Cache-Control": "no-cache"}
"""The list of days grows, and the operator may choose another world for requests that name none."""

_day = OpenApiParameter("day", date, OpenApiParameter.PATH, description="A day in UTC, such as 2026-11-29.")
_not_closed = {
    (404, MEDIA_TYPE): OpenApiResponse(
        ProblemSerializer, description="There is no such day, it is not closed yet, or its leaves were deleted."
    )
}


class LedgerQuery(QuerySerializer):
    """Which ledger."""

    world = WorldParameterField()


class LedgerListQuery(LedgerQuery):
    """Which ledger, and which days of it."""

    before = serializers.DateField(
        required=False, help_text="Only days before this one, such as 2026-11-29; `next` of a page has it."
    )


class LedgerLeavesQuery(LedgerQuery):
    """Which ledger, and which leaves of a day."""

    position = WholeNumberField(
        default=0,
        min_value=0,
        max_value=2**31 - 1,
        reason="It must be the position of a leaf, a whole number from 0.",
        help_text="Position of the first leaf.",
    )


class LedgerDaySerializer(serializers.ModelSerializer[LedgerDay]):
    """The entry of a day."""

    class Meta:
        model = LedgerDay
        fields = ["world", "day", "forecasts", "root", "previous", "hash", "closed_at"]


class LedgerListSerializer(serializers.Serializer[dict[str, Any]]):
    """Closed days, newest first."""

    results = LedgerDaySerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The days before these.")


class LedgerLeavesSerializer(serializers.Serializer[dict[str, Any]]):
    """Leaves of a day, each as the text that was hashed: canonical JSON."""

    results = serializers.ListField(child=serializers.CharField())
    next = serializers.URLField(allow_null=True)


class InclusionProofSerializer(serializers.Serializer[Any]):
    """Proof that a forecast is in the tree of its day (RFC 9162, section 2.1.3)."""

    leaf = serializers.CharField(help_text="The forecast as the text that was hashed: canonical JSON.")
    position = serializers.IntegerField(help_text="Of the leaf in the tree, from 0.")
    path = serializers.ListField(child=serializers.CharField(), help_text="Hashes of the neighbours up to the root.")
    entry = LedgerDaySerializer()


class LedgerViewSet(viewsets.ViewSet):
    """The ledger of published forecasts, a Merkle tree for each day."""

    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="ledger",
        summary="Closed days of the ledger",
        parameters=[LedgerListQuery],
        responses={200: LedgerListSerializer, **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return the closed days, newest first."""
        query = LedgerListQuery.parse(request)
        days = ml_selectors.ledger_days(world_of(query))
        if "before" in query:
            days = days.filter(day__lt=query["before"])
        found = list(days[: DAYS_ON_PAGE + 1])
        page = found[:DAYS_ON_PAGE]
        address = request.build_absolute_uri()
        link = replace_query_param(address, "before", page[-1].day.isoformat()) if len(found) > len(page) else None
        return Response({"results": LedgerDaySerializer(page, many=True).data, "next": link}, headers=OPEN)

    @extend_schema(
        operation_id="ledger_day",
        summary="One day of the ledger",
        parameters=[_day, LedgerQuery],
        responses={200: LedgerDaySerializer, **BAD_INPUT, **_not_closed},
    )
    def retrieve(self, request: Request, day: date) -> Response:
        """Return the entry of a day."""
        query = LedgerQuery.parse(request)
        return Response(LedgerDaySerializer(_entry(query, day)).data, headers=_caching(query))

    @extend_schema(
        operation_id="ledger_leaves",
        summary="The leaves of a day, from which anyone can compute its root",
        parameters=[_day, LedgerLeavesQuery],
        responses={200: LedgerLeavesSerializer, **BAD_INPUT, **_not_closed},
    )
    def leaves(self, request: Request, day: date) -> Response:
        """Return leaves in the order of the tree."""
        query = LedgerLeavesQuery.parse(request)
        first = query["position"]
        entry = _entry(query, day)
        page = ml_selectors.ledger_leaves(entry, after=first, limit=LEAVES_ON_PAGE)
        if not page and first < entry.forecasts:
            raise _leaves_deleted(day)
        end = first + len(page)
        more = page and end < entry.forecasts
        link = replace_query_param(request.build_absolute_uri(), "position", end) if more else None
        return Response({"results": page, "next": link}, headers=_caching(query))


class InclusionProofViewSet(viewsets.ViewSet):
    """Proofs of published forecasts."""

    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="prediction_proof",
        summary="Proof that a forecast is in the ledger",
        description="`clients/python/spai_client/verify.py` checks it with nothing but Python.",
        parameters=[OpenApiParameter("prediction_id", int, OpenApiParameter.PATH, description="Id of the forecast.")],
        responses={
            200: InclusionProofSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(
                ProblemSerializer,
                description="There is no such forecast, its day is not closed yet, or its leaf was deleted.",
            ),
        },
    )
    def retrieve(self, request: Request, prediction_id: int) -> Response:
        """Return the proof of a forecast."""
        QuerySerializer.parse(request)
        proof = ml_selectors.inclusion_proof(prediction_id)
        if proof is None:
            forecasts = Prediction.objects.filter(pk=prediction_id)
            found = forecasts.values_list("published_at", "version__world").first()
            if found is None:
                raise NotFoundProblem("unknown-prediction", "There is no forecast with this id.")
            day, world = found[0].astimezone(UTC).date(), World(found[1])
            is_deleted = world is World.SANDBOX and ml_selectors.ledger_day(world, day) is not None
            raise _leaves_deleted(day) if is_deleted else _not_closed_yet(day)
        return Response(InclusionProofSerializer(proof).data, headers=CLOSED)


def _caching(query: dict[str, Any]) -> dict[str, str]:
    """Return how long the answer to a query about a closed day may be cached."""
    return CLOSED if query.get("world") else OPEN


def _entry(query: dict[str, Any], day: date) -> LedgerDay:
    entry = ml_selectors.ledger_day(world_of(query), day)
    if entry is None:
        raise _not_closed_yet(day)
    return entry


def _leaves_deleted(day: date) -> NotFoundProblem:
    detail = f"Retention has deleted the leaves of {day}, a day of the simulated world. Its entry still has the root."
    return NotFoundProblem("ledger-leaves-deleted", detail)


def _not_closed_yet(day: date) -> NotFoundProblem:
    if day < datetime.now(UTC).date():
        return NotFoundProblem("no-ledger-day", f"The ledger has no closed day {day}.")
    detail = f"The ledger of {day} is not closed yet; it is from half an hour after the end of the day (UTC)."
    return NotFoundProblem("ledger-not-closed", detail)
