"""REST of the push feed, for programs that poll instead of keeping a connection open."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from apps.api import services
from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.parameters import QuerySerializer, TextField, WholeNumberField
from apps.api.rest.problems import MEDIA_TYPE, Problem
from apps.api.rest.serializers import ProblemSerializer
from apps.matches import feed
from apps.matches.models import Topic, World

LARGEST_PAGE: Final = 1000
FULL_PAGE_SECONDS: Final = 3600
"""How long a full page may be cached: events do not change, and none comes between them."""


class EventsQuery(QuerySerializer):
    """Which events, and after which number."""

    after = WholeNumberField(
        default=0,
        min_value=0,
        max_value=feed.LARGEST_NUMBER,
        reason="It must be the number of an event, a whole number from 0.",
        help_text="Events after this number; without it from the oldest that is kept.",
    )
    limit = WholeNumberField(
        default=100,
        min_value=1,
        max_value=LARGEST_PAGE,
        reason=f"It must be a whole number from 1 to {LARGEST_PAGE}.",
        help_text=f"Events on a page, 1 to {LARGEST_PAGE}.",
    )
    match = TextField(required=False, help_text="Ids of matches, with commas between.")
    competition = TextField(required=False, help_text="Slugs of competitions, with commas between.")
    team = TextField(required=False, help_text="Slugs of teams, with commas between.")
    topic = TextField(required=False, help_text=f"Topics, with commas between: {', '.join(Topic.values)}.")
    world = TextField(required=False, help_text=f"Worlds, with commas between: {', '.join(World.values)}.")


class EventSerializer(serializers.Serializer[dict[str, Any]]):
    """Something that happened; fetch the new state over REST."""

    number = serializers.IntegerField(help_text="Gap-free, in the order in which events became known.")
    topic = serializers.ChoiceField(choices=Topic.choices, help_text="What happened.")
    key = serializers.CharField(help_text="What it happened to: a match, a world, a run, a source or a day.")
    world = serializers.ChoiceField(choices=World.choices, allow_null=True)
    match = serializers.IntegerField(allow_null=True)
    competition = serializers.SlugField(allow_null=True)
    teams = serializers.ListField(child=serializers.SlugField(), help_text="Home and away; empty without a match.")
    payload = serializers.DictField(help_text="What else is known, by topic; see /api/asyncapi.json.")
    created_at = serializers.DateTimeField()


class EventPageSerializer(serializers.Serializer[dict[str, Any]]):
    """A page of events."""

    results = EventSerializer(many=True)
    number = serializers.IntegerField(
        help_text="Everything up to this number has been received; `next` continues after it."
    )
    newest = serializers.IntegerField(help_text="Number of the newest event, of all.")
    oldest = serializers.IntegerField(help_text="Number of the oldest event that is kept.")
    is_reset = serializers.BooleanField(
        help_text="Whether events between `after` and `oldest` are no longer kept; fetch the state again then."
    )
    has_more = serializers.BooleanField(help_text="Whether `next` has events now; otherwise ask again later.")
    next = serializers.URLField()


class EventsView(APIView):
    """Events after a number."""

    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="events",
        summary="Events after a number",
        description="For programs that poll. A websocket and a stream of Server-Sent Events send the same at once: see "
        "`/api/asyncapi.json`.",
        parameters=[EventsQuery],
        responses={
            200: EventPageSerializer,
            **BAD_INPUT,
            (409, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="No event has the number `after` yet."),
        },
    )
    def get(self, request: Request) -> Response:
        """Return a page of events in the order of their numbers."""
        wanted = EventsQuery.parse(request)
        after, limit = wanted.pop("after"), wanted.pop("limit")
        try:
            subscription = feed.Subscription.parse(wanted)
        except feed.SubscriptionError as error:
            raise ValidationError({error.field: [str(error)]}) from error
        newest, oldest = feed.newest_event_number(), feed.oldest_event_number()
        if after > newest:
            detail = f"There is no event with the number {after} yet: the newest is {newest}."
            raise Problem(409, "future-number", detail, members={"newest": newest})
        found = feed.events_after(after, limit=limit + 1, subscriptions=[subscription])
        events, has_more = found[:limit], len(found) > limit
        number = max([after, *(event.number or 0 for event in events[-1:]), *([] if has_more else [newest])])
        is_reset = after + 1 < oldest
        body = {
            "results": services.messages_of(events),
            "number": number,
            "newest": newest,
            "oldest": oldest,
            "is_reset": is_reset,
            "has_more": has_more,
            "next": replace_query_param(request.build_absolute_uri(), "after", number),
        }
        seconds = FULL_PAGE_SECONDS if has_more and not is_reset else 1
        return Response(body, headers={"Cache-Control": f"max-age={seconds}"})
