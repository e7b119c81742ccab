"""Webhooks: addresses that get a signed request for each event, as the Standard Webhooks specification has it.

A delivery is a row, made from a numbered event of the push feed or by the end of a job. Each attempt moves the time of
the next one first, so that no two processes send the same message at once; when a process dies meanwhile, the message
is sent again. A receiver knows it by its `webhook-id`, which stays the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import random
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import zip_longest
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Max, Min, Q, QuerySet

from apps.api.models import ApiKey, PredictionJob, Webhook, WebhookDelivery
from apps.api.services.live import messages_of
from apps.api.services.webhook_requests import Outcome, send
from apps.matches.events import start_tasks_after_commit
from apps.matches.feed import Subscription
from apps.matches.models import Event, Topic
from apps.matches.public_addresses import addresses_in_time, checked_target

logger = logging.getLogger(__name__)

State = WebhookDelivery.DeliveryState

JOB_FINISHED: Final = "prediction_job.finished"
PING: Final = "ping"
TOPICS: Final = (*Topic.values, JOB_FINISHED)
"""What a webhook can ask for: the topics of the push feed, and the end of a job of its key."""

WAITS: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 60, 5 * 60, 30 * 60, 2 * 3600, 8 * 3600, 24 * 3600))
"""Time until the next attempt after each failed one; the one after the last of them is the last attempt."""

JITTER: Final = 0.1
"""Largest part by which a wait is longer, so that attempts after an outage do not come together."""

LEASE: Final = timedelta(minutes=2)
"""Time after which the attempt of a process that died is made again."""

FAILING_LIMIT: Final = timedelta(days=3)
"""Time without a success after which a webhook is switched off."""

EVENTS_AT_ONCE: Final = 500
AT_ONCE: Final = 16
"""Requests under way at the same time; also the most webhooks of one round, whose first messages go first."""
OF_ONE: Final = 8
"""Messages to one webhook in one round."""

SLICE: Final = timedelta(seconds=20)
"""Time after which a round ends, so that the worker's other tasks have a turn."""

WEBHOOKS_LIMIT: Final = 20
"""Webhooks of one API key."""

LOOK_UP_SECONDS: Final = 2.0
"""Longest look-up of a name in an address: a request waits for it, and a stranger may run the server of the name."""


class TooManyWebhooksError(Exception):
    """The key has as many webhooks as it may have."""


@dataclass(frozen=True, slots=True)
class DeliveriesReport:
    """Messages made from events, and how their attempts ended."""

    made: int
    delivered: int
    failed: int


def create_webhook(*, api_key: ApiKey, url: str, topics: Sequence[str], now: datetime, **filters: Any) -> Webhook:
    """Create a webhook for the events from now on; its `secret` is shown to the client this once.

    Raises
    ------
    AddressRefusedError
        When SPAI must not connect to the address.
    TooManyWebhooksError
        When the key has `WEBHOOKS_LIMIT` webhooks.
    """
    check_url(url)
    with transaction.atomic():
        # Of two simultaneous requests of a key the second waits here for the first.
        ApiKey.objects.select_for_update(no_key=True).get(pk=api_key.pk)
        if Webhook.objects.filter(api_key=api_key).count() >= WEBHOOKS_LIMIT:
            raise TooManyWebhooksError(f"This API key has {WEBHOOKS_LIMIT} webhooks. Delete one that is not needed.")
        return Webhook.objects.create(
            api_key=api_key,
            url=url,
            topics=list(topics),
            secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
            latest_number=_newest_number(),
            created_at=now,
            **filters,
        )


def change_webhook(*, webhook: Webhook, **fields: Any) -> None:
    """Change a webhook; one that is switched on again gets the events from now on, and the messages that wait.

    Raises
    ------
    AddressRefusedError
        When SPAI must not connect to the address.
    """
    if "url" in fields:
        check_url(fields["url"])
    if fields.get("is_active") and not webhook.is_active:
        fields |= {"disabled_reason": "", "failing_since": None, "latest_number": _newest_number()}
    Webhook.objects.filter(pk=webhook.pk).update(**fields)
    webhook.refresh_from_db()


def check_url(url: str) -> None:
    """Check that SPAI may connect to an address.

    Raises
    ------
    AddressRefusedError
        With the reason, when it must not.
    """
    look_up = partial(addresses_in_time, seconds=LOOK_UP_SECONDS)
    checked_target(url, allowed=settings.SPAI_WEBHOOK_HOSTS, look_up=look_up)


def ping(*, webhook: Webhook, now: datetime) -> WebhookDelivery:
    """Send a test message to a webhook."""
    return _deliver(webhook, PING, {"webhook": str(webhook.uuid)}, now=now)


def replay(*, delivery: WebhookDelivery, now: datetime) -> None:
    """Send a message again, from the first attempt on, whether it was accepted, given up or waits."""
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        state=State.PENDING, attempts=0, next_attempt_at=now, finished_at=None
    )
    with transaction.atomic():
        _wake_up()


def announce_job(job: PredictionJob, *, now: datetime) -> None:
    """Tell the webhooks of a job's key that it ended, in the transaction that ends it."""
    data = {"id": str(job.uuid), "kind": job.kind, "state": job.state, "error": job.error}
    for webhook in Webhook.objects.filter(api_key=job.api_key_id, is_active=True, topics__contains=[JOB_FINISHED]):
        _deliver(webhook, JOB_FINISHED, data, now=now)


def deliver_due(*, clock: Callable[[], datetime], is_stopping: Callable[[], bool] = lambda: False) -> DeliveriesReport:
    """Make messages of new events, and send those that are due, for about `SLICE`."""
    end = clock() + SLICE
    made = sum(_made_from_events(pk, clock()) for pk in _in_force(clock()).values_list("pk", flat=True))
    delivered = failed = 0
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while not is_stopping() and clock() < end and (due := _claimed(clock())):
            # Only the requests run in threads: they use no database.
            outcomes = list(threads.map(_attempt, due))
            for delivery, outcome in zip(due, outcomes, strict=True):
                _note(delivery, outcome, now=clock())
            delivered += sum(outcome.is_accepted for outcome in outcomes)
            failed += sum(not outcome.is_accepted for outcome in outcomes)
    return DeliveriesReport(made, delivered, failed)


def delivered_until(*, now: datetime) -> int | None:
    """Return the event number up to which each webhook in force has its messages; None without a webhook."""
    return _in_force(now).aggregate(oldest=Min("latest_number"))["oldest"]


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: version 1, HMAC-SHA256 over id, timestamp and body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _in_force(now: datetime) -> QuerySet[Webhook]:
    """Return the active webhooks of keys that are neither expired nor revoked."""
    has_not_expired = Q(api_key__expires_at__isnull=True) | Q(api_key__expires_at__gt=now)
    return Webhook.objects.filter(has_not_expired, is_active=True, api_key__revoked_at__isnull=True).order_by("pk")


def _newest_number() -> int:
    return Event.objects.aggregate(newest=Max("number"))["newest"] or 0


@transaction.atomic
def _made_from_events(pk: int, now: datetime) -> int:
    """Make messages of the events that a webhook has not seen yet; return how many."""
    webhook = Webhook.objects.select_for_update(skip_locked=True).filter(pk=pk, is_active=True).first()
    if webhook is None:
        return 0
    events = list(Event.objects.filter(number__gt=webhook.latest_number).order_by("number")[:EVENTS_AT_ONCE])
    if not events:
        return 0
    wanted = _subscription_of(webhook)
    covered = [event for event in events if wanted.covers(event)]
    made = WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            webhook=webhook,
            event_number=event.number,
            message=_message(event.topic, data, event.created_at),
            next_attempt_at=now,
            created_at=now,
        )
        for event, data in zip(covered, messages_of(covered), strict=True)
    )
    Webhook.objects.filter(pk=pk).update(latest_number=events[-1].number)
    return len(made)


def _subscription_of(webhook: Webhook) -> Subscription:
    filters = {name: getattr(webhook, name) for name in ("world", "competition", "team")}
    filters["match"] = "" if webhook.match_id is None else str(webhook.match_id)
    given = {name: frozenset([value]) for name, value in filters.items() if value}
    return Subscription(topic=frozenset(webhook.topics), **given)


def _deliver(webhook: Webhook, topic: str, data: dict[str, Any], *, now: datetime) -> WebhookDelivery:
    """Make one message that is due at once, and wake a worker up after the transaction."""
    with transaction.atomic():
        _wake_up()
        return WebhookDelivery.objects.create(
            webhook=webhook, message=_message(topic, data, now), next_attempt_at=now, created_at=now
        )


def _wake_up() -> None:
    start_tasks_after_commit("webhook_due")


def _message(topic: str, data: dict[str, Any], at: datetime) -> dict[str, Any]:
    return {"type": topic, "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z"), "data": data}


@transaction.atomic
def _claimed(now: datetime) -> list[WebhookDelivery]:
    """Return messages that are due, after moving their next attempt to a time at which this process is done."""
    queues: list[list[WebhookDelivery]] = []
    pending = WebhookDelivery.objects.filter(state=State.PENDING, next_attempt_at__lte=now)
    # Those first that have waited longest, so that webhooks that do not answer hold up the others least.
    waiting = _in_force(now).filter(deliveries__in=pending).annotate(oldest=Min("deliveries__next_attempt_at"))
    for pk in waiting.order_by("oldest").values_list("pk", flat=True)[:AT_ONCE]:
        rows = pending.filter(webhook=pk).select_for_update(skip_locked=True, of=("self",)).select_related("webhook")
        queues.append(list(rows.order_by("next_attempt_at", "pk")[:OF_ONE]))
    # The first message of each before the second of any: those of one that does not answer would take all threads.
    due = [delivery for turn in zip_longest(*queues) for delivery in turn if delivery is not None]
    WebhookDelivery.objects.filter(pk__in=[row.pk for row in due]).update(next_attempt_at=now + LEASE)
    return due


def _attempt(delivery: WebhookDelivery) -> Outcome:
    """Send one message, signed at this moment."""
    webhook = delivery.webhook
    body = orjson.dumps(delivery.message)
    message_id, timestamp = f"msg_{webhook.uuid.hex}_{delivery.pk}", int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhook.secret, message_id=message_id, timestamp=timestamp, body=body),
    }
    return send(webhook.url, body, headers=headers, allowed=settings.SPAI_WEBHOOK_HOSTS)


@transaction.atomic
def _note(delivery: WebhookDelivery, outcome: Outcome, *, now: datetime) -> None:
    """Write how an attempt ended, and when the next one is due."""
    webhook, attempts = delivery.webhook, delivery.attempts + 1
    fields: dict[str, Any]
    if outcome.is_accepted or attempts > len(WAITS):
        ended = State.DELIVERED if outcome.is_accepted else State.DEAD
        fields = {"state": ended, "finished_at": now, "next_attempt_at": None}
    else:
        fields = {"next_attempt_at": now + WAITS[attempts - 1] * (1.0 + random.random() * JITTER)}
    # The webhook may have been deleted meanwhile, with its messages.
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        attempts=attempts, latest_status=outcome.status, latest_error=outcome.error, **fields
    )
    if outcome.is_accepted:
        Webhook.objects.filter(pk=webhook.pk, failing_since__isnull=False).update(failing_since=None)
        return
    Webhook.objects.filter(pk=webhook.pk, failing_since__isnull=True).update(failing_since=now)
    if outcome.is_gone:
        _switch_off(webhook, "The receiver answered 410 Gone.")
    else:
        days = FAILING_LIMIT // timedelta(days=1)
        if Webhook.objects.filter(pk=webhook.pk, failing_since__lte=now - FAILING_LIMIT).exists():
            _switch_off(webhook, f"No message was accepted for {days} days; the latest error: {outcome.error}")


def _switch_off(webhook: Webhook, reason: str) -> None:
    if Webhook.objects.filter(pk=webhook.pk, is_active=True).update(is_active=False, disabled_reason=reason[:200]):
        logger.warning("%s is switched off: %s", webhook, reason)
