"""REST of webhooks."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from apps.api import services
from apps.api.authentication import HasScope
from apps.api.models import Webhook, WebhookDelivery
from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.bodies import BodySerializer, JsonParser, ShortListField
from apps.api.rest.parameters import QuerySerializer, WholeNumberField
from apps.api.rest.prediction_jobs import JOBS_SCOPE, KEY_REFUSALS, key_of_request, refusal
from apps.api.rest.problems import MEDIA_TYPE, Problem
from apps.matches.models import Competition, Team, World
from apps.matches.public_addresses import LONGEST, AddressRefusedError

_LARGEST_ID: Final = 2**63 - 1

_HOW: Final = """
Each event that the webhook asks for is sent as a POST with a JSON body: `type` (the topic), `timestamp` and `data`. A
response from 200 to 299 within 10 seconds accepts it; redirects are not followed. Anything else is tried again after 5
seconds, 1, 5 and 30 minutes, 2, 8 and 24 hours; then the message is kept as dead, and can be replayed. A webhook that
accepts nothing for three days is switched off (`disabled_reason`); `PATCH` with `is_active: true` switches it on again.

Requests are signed as [Standard Webhooks](https://www.standardwebhooks.com) has it, and its libraries verify them with
the `secret`, which only the response to this request shows. `webhook-id` is the same for each attempt: a message may
come twice, and not in the order of events. The address must be https and public.
"""


class WebhookFields(BodySerializer):
    """What a webhook sends, and where."""

    url = serializers.CharField(max_length=LONGEST, help_text="Public, https.")
    topics = ShortListField(
        child=serializers.ChoiceField(
            choices=list(services.TOPICS),
            error_messages={"invalid_choice": f"It must be one of {', '.join(services.TOPICS)}."},
        ),
        allow_empty=False,
        max_length=len(services.TOPICS),
    )
    world = serializers.ChoiceField(
        choices=World.choices,
        required=False,
        allow_blank=True,
        help_text="Only events of this world; of both by default.",
        error_messages={"invalid_choice": f"It must be one of {', '.join(World.values)}."},
    )
    competition = serializers.CharField(
        required=False, allow_blank=True, max_length=160, help_text="Slug: only events of its matches."
    )
    team = serializers.CharField(
        required=False, allow_blank=True, max_length=160, help_text="Slug: only events of its matches."
    )
    match = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=_LARGEST_ID, help_text="Id: only events of this match."
    )

    def validate_topics(self, topics: list[str]) -> list[str]:
        return list(dict.fromkeys(topics))

    def validate_competition(self, slug: str) -> str:
        if slug and not Competition.objects.filter(slug=slug).exists():
            raise ValidationError("There is no competition with this slug.")
        return slug

    def validate_team(self, slug: str) -> str:
        if slug and not Team.objects.filter(slug=slug).exists():
            raise ValidationError("There is no team with this slug.")
        return slug

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "match" in attrs:
            attrs["match_id"] = attrs.pop("match")
        return attrs


class WebhookChange(WebhookFields):
    """What changes of a webhook; the rest stays."""

    is_active = serializers.BooleanField(required=False, help_text="False to switch it off, true to switch it on.")


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A webhook."""

    id = serializers.UUIDField(source="uuid")
    topics = serializers.ListField(child=serializers.CharField())
    match = serializers.IntegerField(source="match_id", allow_null=True)
    disabled_reason = serializers.CharField(help_text="Why SPAI switched it off; empty otherwise.")

    class Meta:
        model = Webhook
        fields = [
            *("id", "url", "topics", "world", "competition", "team", "match"),
            *("is_active", "disabled_reason", "failing_since", "created_at"),
        ]


class NewWebhookSerializer(WebhookSerializer):
    """A new webhook with its secret, which cannot be shown again."""

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]


class WebhookListSerializer(serializers.Serializer[dict[str, Any]]):
    """All webhooks of a key, the newest first."""

    results = WebhookSerializer(many=True)


class WebhookDeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """A message and how its attempts went."""

    event_number = serializers.IntegerField(allow_null=True, help_text="Null for pings and jobs.")
    type = serializers.CharField(source="message.type")
    latest_status = serializers.IntegerField(allow_null=True, help_text="HTTP status of the latest attempt.")

    class Meta:
        model = WebhookDelivery
        fields = [
            *("id", "event_number", "type", "state", "attempts", "next_attempt_at"),
            *("latest_status", "latest_error", "created_at", "finished_at"),
        ]


class DeliveryPageSerializer(serializers.Serializer[dict[str, Any]]):
    """A page of messages, the newest first."""

    next = serializers.URLField(allow_null=True)
    results = WebhookDeliverySerializer(many=True)


class DeliveryPageQuery(QuerySerializer):
    """Which messages."""

    state = serializers.ChoiceField(
        choices=WebhookDelivery.DeliveryState.choices,
        required=False,
        error_messages={"invalid_choice": f"It must be one of {', '.join(WebhookDelivery.DeliveryState.values)}."},
    )
    cursor = WholeNumberField(
        required=False,
        min_value=1,
        max_value=_LARGEST_ID,
        reason="It must come from `next` of a page.",
        help_text="From `next` of a page.",
    )
    page_size = WholeNumberField(
        default=50, min_value=1, max_value=200, reason="It must be a whole number from 1 to 200.", help_text="1 to 200."
    )


_ID: Final = OpenApiParameter("webhook_id", UUID, OpenApiParameter.PATH)
_DELIVERY: Final = OpenApiParameter("delivery_id", int, OpenApiParameter.PATH)
_COMMON: Final = {**BAD_INPUT, **KEY_REFUSALS, (404, MEDIA_TYPE): refusal("The key has no such webhook.")}


class WebhookViewSet(viewsets.ViewSet):
    """Webhooks; a key sees its own."""

    permission_classes = [HasScope(JOBS_SCOPE)]  # type: ignore[list-item]  # one that makes itself
    parser_classes = [JsonParser]

    @extend_schema(
        operation_id="webhook_create",
        summary="Create a webhook",
        description=_HOW,
        request=WebhookFields,
        responses={
            201: NewWebhookSerializer,
            **BAD_INPUT,
            **KEY_REFUSALS,
            (409, MEDIA_TYPE): refusal("The key has too many webhooks."),
        },
    )
    def create(self, request: Request) -> Response:
        """Create a webhook and show its secret."""
        QuerySerializer.parse(request)
        fields = WebhookFields.read(request.data)
        try:
            webhook = services.create_webhook(api_key=key_of_request(request), now=timezone.now(), **fields)
        except AddressRefusedError as error:
            raise ValidationError({"url": str(error)}) from error
        except services.TooManyWebhooksError as error:
            raise Problem(409, "too-many-webhooks", str(error)) from error
        response = _answer(NewWebhookSerializer(webhook), status=201)
        response["Location"] = request.build_absolute_uri(reverse("webhook", args=[webhook.uuid]))
        return response

    @extend_schema(
        operation_id="webhook_list",
        summary="The webhooks of the key",
        responses={200: WebhookListSerializer, **BAD_INPUT, **KEY_REFUSALS},
    )
    def list(self, request: Request) -> Response:
        """Return all webhooks; a key has at most 20."""
        QuerySerializer.parse(request)
        webhooks = Webhook.objects.filter(api_key=key_of_request(request)).order_by("-pk")
        return _answer(WebhookListSerializer({"results": webhooks}))

    @extend_schema(
        operation_id="webhook", summary="One webhook", parameters=[_ID], responses={200: WebhookSerializer, **_COMMON}
    )
    def retrieve(self, request: Request, webhook_id: UUID) -> Response:
        """Return a webhook without its secret."""
        QuerySerializer.parse(request)
        return _answer(WebhookSerializer(_webhook(request, webhook_id)))

    @extend_schema(
        operation_id="webhook_change",
        summary="Change a webhook",
        description="One that is switched on again gets the events from now on, and the messages that waited.",
        request=WebhookChange(partial=True),
        parameters=[_ID],
        responses={200: WebhookSerializer, **_COMMON},
    )
    def partial_update(self, request: Request, webhook_id: UUID) -> Response:
        """Change what the body names."""
        QuerySerializer.parse(request)
        webhook = _webhook(request, webhook_id)
        fields = WebhookChange.read(request.data, partial=True)
        try:
            services.change_webhook(webhook=webhook, **fields)
        except AddressRefusedError as error:
            raise ValidationError({"url": str(error)}) from error
        return _answer(WebhookSerializer(webhook))

    @extend_schema(
        operation_id="webhook_delete",
        summary="Delete a webhook with its messages",
        parameters=[_ID],
        responses={204: None, **_COMMON},
    )
    def destroy(self, request: Request, webhook_id: UUID) -> Response:
        """Delete a webhook."""
        QuerySerializer.parse(request)
        _webhook(request, webhook_id).delete()
        return Response(status=204)

    @extend_schema(
        operation_id="webhook_ping",
        summary="Send a test message to a webhook",
        request=None,
        parameters=[_ID],
        responses={202: WebhookDeliverySerializer, **_COMMON},
    )
    def ping(self, request: Request, webhook_id: UUID) -> Response:
        """Queue a ping."""
        QuerySerializer.parse(request)
        delivery = services.ping(webhook=_webhook(request, webhook_id), now=timezone.now())
        return _answer(WebhookDeliverySerializer(delivery), status=202)

    @extend_schema(
        operation_id="webhook_deliveries",
        summary="The messages of a webhook",
        parameters=[_ID, DeliveryPageQuery],
        responses={200: DeliveryPageSerializer, **_COMMON},
    )
    def deliveries(self, request: Request, webhook_id: UUID) -> Response:
        """Return a page of messages, the newest first."""
        query = DeliveryPageQuery.parse(request)
        rows = WebhookDelivery.objects.filter(webhook=_webhook(request, webhook_id)).order_by("-pk")
        if "state" in query:
            rows = rows.filter(state=query["state"])
        if "cursor" in query:
            rows = rows.filter(pk__lt=query["cursor"])
        size = query["page_size"]
        found = list(rows[: size + 1])
        following = None
        if len(found) > size:
            following = replace_query_param(request.build_absolute_uri(), "cursor", str(found[size - 1].pk))
        return _answer(DeliveryPageSerializer({"next": following, "results": found[:size]}))

    @extend_schema(
        operation_id="webhook_replay",
        summary="Send a message again",
        request=None,
        parameters=[_ID, _DELIVERY],
        responses={202: WebhookDeliverySerializer, **_COMMON},
    )
    def replay(self, request: Request, webhook_id: UUID, delivery_id: int) -> Response:
        """Queue a message again, from its first attempt on."""
        QuerySerializer.parse(request)
        rows = WebhookDelivery.objects.filter(webhook=_webhook(request, webhook_id))
        delivery = rows.filter(pk=delivery_id).first() if delivery_id <= _LARGEST_ID else None
        if delivery is None:
            raise NotFound("This webhook has no such message.")
        services.replay(delivery=delivery, now=timezone.now())
        delivery.refresh_from_db()
        return _answer(WebhookDeliverySerializer(delivery), status=202)


def _webhook(request: Request, webhook_id: UUID) -> Webhook:
    found = Webhook.objects.filter(api_key=key_of_request(request), uuid=webhook_id).first()
    if found is None:
        raise NotFound("This API key has no such webhook.")
    return found


def _answer(serializer: serializers.BaseSerializer[Any], *, status: int = 200) -> Response:
    return Response(serializer.data, status=status, headers={"Cache-Control": "no-store"})
