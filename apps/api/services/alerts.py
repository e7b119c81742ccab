"""Alerts of SPAI itself: evaluated once a minute from the metrics, stored as rows, sent by mail and webhook.

Messages are rows too, written in the transaction that changes the alerts. A sender claims one before it sends it. If
it dies before the end, the message counts as failed and is not sent again, because it may have arrived. An alert that
continues to fire is sent again after `REPEAT`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q
from prometheus_client import Metric

from apps.api.alerting import RULES, SERVICE_LEVELS, AlertRule, MetricsSnapshot, ServiceLevelPoint, Threshold
from apps.api.metrics import COUNTED
from apps.api.models import Alert, AlertMessage, PredictionJob, ServiceLevelCount
from apps.api.services.webhook_requests import send
from apps.api.services.webhooks import signature
from apps.matches.locks import Lock, try_lock
from apps.matches.models import World
from apps.matches.services import record_action
from apps.ml import selectors as ml_selectors
from apps.scraping import selectors as scraping_selectors

logger = logging.getLogger(__name__)

State = Alert.AlertState
Sending = AlertMessage.MessageState

REPEAT: Final = timedelta(hours=4)
"""Time after which an alert that still fires and that nobody has acknowledged is sent again."""

GAP: Final = timedelta(minutes=5)
"""Time without an evaluation after which a condition that had not held for long enough starts again."""

LONGEST_WINDOW: Final = timedelta(hours=6)

WAITS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120))
"""Times until the next attempt after each failed one; there is one attempt more than times."""

SENDING_LIMIT: Final = timedelta(minutes=10)
"""Time after which a message that is being sent has lost its sender."""

COUNTS_KEPT: Final = timedelta(days=1)
MESSAGES_KEPT: Final = timedelta(days=30)
ALERTS_KEPT: Final = timedelta(days=90)

FAULTS_OF_THE_SITE: Final = ("internal-error", "worker-died")
"""Kinds of errors of a prediction job that its client could not have avoided."""


@dataclass(frozen=True, slots=True)
class AlertsReport:
    """Alerts that began to fire, that fire now and that were resolved, and messages that were sent or not."""

    fired: int = 0
    firing: int = 0
    resolved: int = 0
    sent: int = 0
    unsent: int = 0
    busy: bool = False


def watch(
    *,
    read: Callable[[], Iterable[Metric]],
    clock: Callable[[], datetime],
    rules: Sequence[AlertRule] = RULES,
) -> AlertsReport:
    """Evaluate all alerts over the metrics of this moment, and send the messages that are due.

    Of two processes that do so at once, one does nothing.

    Parameters
    ----------
    read : callable
        Returns all metrics; called after the service levels of the tables were counted.
    clock : callable
    rules : sequence of AlertRule
    """
    with try_lock(Lock.ALERTS) as ours:
        if not ours:
            return AlertsReport(busy=True)
        now = clock()
        with transaction.atomic():
            _count(_minute(now))
        # Outside of a transaction: what cannot be read is left out.
        snapshot = MetricsSnapshot.of(read(), at=now)
        with transaction.atomic():
            fired, firing, resolved = _evaluate(_with_history(snapshot), rules)
            _write_messages([*firing, *resolved], now=now)
            _delete_old(now)
        sent, unsent = _send_due(clock)
    return AlertsReport(len(fired), len(firing), len(resolved), sent, unsent)


@transaction.atomic
def acknowledge_alert(*, alert: Alert, by: str, note: str, now: datetime) -> bool:
    """Note that a person takes care of a firing alert, so that it is not sent again; return False for any other."""
    firing = Alert.objects.filter(pk=alert.pk, state=State.FIRING, acknowledged_at__isnull=True)
    is_done = bool(firing.update(acknowledged_at=now, acknowledged_by=by, note=note))
    if is_done:
        record_action(by=by, action="acknowledged an alert", about=alert, after=alert.summary, reason=note, now=now)
    return is_done


# ── Service levels ───────────────────────────────────────────────────────────────────────────────────────────────────
def _minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


def _count(minute: datetime) -> None:
    """Count the events of the tables since the latest count, once for each minute."""
    rows = ServiceLevelCount.objects.filter(slo__in=COUNTED).order_by("slo", "-at").distinct("slo")
    latest = {row.slo: row for row in rows}
    for name in COUNTED:
        before = latest.get(name)
        if before is None:
            ServiceLevelCount.objects.create(slo=name, at=minute, bad=0, total=0)
        elif before.at < minute:
            bad, total = _COUNTERS[name](max(before.at, minute - LONGEST_WINDOW), minute)
            ServiceLevelCount.objects.create(slo=name, at=minute, bad=before.bad + bad, total=before.total + total)


def _stale_sources(since: datetime, until: datetime) -> tuple[int, int]:
    condition = next(rule.condition for rule in RULES if rule.name == "SourceStale")
    assert isinstance(condition, Threshold)
    limit = until - timedelta(seconds=condition.above)
    complete = [at for _, at in scraping_selectors.freshness()]
    return sum(at < limit for at in complete), len(complete)


def _failed_jobs(since: datetime, until: datetime) -> tuple[int, int]:
    job = PredictionJob.JobState
    ended = PredictionJob.objects.filter(
        state__in=(job.SUCCEEDED, job.FAILED), finished_at__gt=since, finished_at__lte=until
    )
    failed = ended.filter(state=job.FAILED, error__kind__in=FAULTS_OF_THE_SITE)
    return failed.count(), ended.count()


def _without_forecast(since: datetime, until: datetime) -> tuple[int, int]:
    first = {world: at for world in World if (at := ml_selectors.first_promotion_at(world))}
    return ml_selectors.forecasts_at_kickoff(since, until, champions_since=first)


_COUNTERS: Final[dict[str, Callable[[datetime, datetime], tuple[int, int]]]] = {
    "freshness": _stale_sources,
    "job-completion": _failed_jobs,
    "forecast-before-kick-off": _without_forecast,
}


def _with_history(snapshot: MetricsSnapshot) -> MetricsSnapshot:
    """Store the counts of the service levels that processes count, and return the snapshot with all counts."""
    points = {level.name: level.point(snapshot) for level in SERVICE_LEVELS if level.name not in COUNTED}
    ServiceLevelCount.objects.bulk_create(
        (
            ServiceLevelCount(slo=name, at=_minute(snapshot.at), bad=point.bad, total=point.total)
            for name, point in points.items()
        ),
        ignore_conflicts=True,
    )
    history: dict[str, list[ServiceLevelPoint]] = {}
    since = ServiceLevelCount.objects.filter(at__gte=snapshot.at - LONGEST_WINDOW).order_by("at")
    for slo, at, bad, total in since.values_list("slo", "at", "bad", "total"):
        history.setdefault(slo, []).append(ServiceLevelPoint(at, bad, total))
    return MetricsSnapshot(snapshot.at, snapshot.samples, history)


# ── Alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _evaluate(snapshot: MetricsSnapshot, rules: Sequence[AlertRule]) -> tuple[list[Alert], list[Alert], list[Alert]]:
    """Write what holds now into the rows of the alerts; return those that began to fire, that fire, that ended."""
    now = snapshot.at
    present = {
        (row.name, tuple(sorted(row.labels.items()))): row
        for row in Alert.objects.select_for_update().exclude(state=State.RESOLVED)
    }
    fired, firing, resolved = [], [], []
    unknown = {rule.name for rule in rules if not rule.is_known(snapshot)}
    for rule in rules:
        for labels, value in rule.found(snapshot).items():
            row = present.pop((rule.name, labels), None) or Alert(name=rule.name, labels=dict(labels), began_at=now)
            if row.state == State.PENDING and row.seen_at and now - row.seen_at > GAP:
                row.began_at = now
            row.severity, row.seen_at, row.value = rule.severity, now, value
            row.summary = rule.summary_of(row.labels, value)
            if row.state == State.PENDING and now - row.began_at >= rule.hold:
                row.state, row.fired_at = State.FIRING, now
                fired.append(row)
            row.save()
            if row.state == State.FIRING:
                firing.append(row)
    for row in present.values():
        if row.name in unknown:
            continue
        if row.state == State.PENDING:
            row.delete()
        else:
            row.state, row.resolved_at = State.RESOLVED, now
            row.save()
            resolved.append(row)
    return fired, firing, resolved


def _delete_old(now: datetime) -> None:
    ServiceLevelCount.objects.filter(at__lt=now - COUNTS_KEPT).delete()
    AlertMessage.objects.filter(created_at__lt=now - MESSAGES_KEPT).delete()
    Alert.objects.filter(state=State.RESOLVED, resolved_at__lt=now - ALERTS_KEPT).delete()


# ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _write_messages(alerts: Sequence[Alert], *, now: datetime) -> None:
    """Write one message for each channel about the alerts of which none was sent yet, or not recently."""
    channels = [
        channel
        for channel, address in (
            (AlertMessage.Channel.EMAIL, settings.SPAI_ALERT_EMAILS),
            (AlertMessage.Channel.WEBHOOK, settings.SPAI_ALERT_WEBHOOK_URL),
        )
        if address
    ]
    without_message = [row for row in alerts if _needs_message(row, now)]
    if not channels or not without_message:
        return
    contents: dict[str, Any] = {
        AlertMessage.Channel.EMAIL: "\n\n".join(map(_text_of, without_message)),
        AlertMessage.Channel.WEBHOOK: _body_of(without_message),
    }
    for channel in channels:
        AlertMessage.objects.create(
            channel=channel,
            subject=_subject_of(without_message),
            content=contents[channel],
            next_attempt_at=now,
            created_at=now,
        )
    Alert.objects.filter(pk__in=[row.pk for row in without_message]).update(told_at=now)


def _needs_message(row: Alert, now: datetime) -> bool:
    if row.state == State.RESOLVED:
        # Without a message that it fired, none is sent that it ended.
        return row.told_at is not None
    if row.told_at is None:
        return True
    return row.acknowledged_at is None and row.told_at <= now - REPEAT


def _subject_of(alerts: Sequence[Alert]) -> str:
    names = {state: ", ".join(sorted({row.name for row in alerts if row.state == state})) for state in State}
    parts = [names[State.FIRING], f"resolved: {names[State.RESOLVED]}" if names[State.RESOLVED] else ""]
    subject = f"[SPAI] {'; '.join(part for part in parts if part)}"
    return subject if len(subject) <= 200 else f"{subject[:199]}…"


def _page_of(row: Alert) -> str:
    return f"{settings.SPAI_ADMIN_URL}/admin/api/alert/{row.pk}/change/"


def _runbook_of(row: Alert) -> str:
    return next((rule.runbook for rule in RULES if rule.name == row.name), "")


def _text_of(row: Alert) -> str:
    if row.state == State.RESOLVED:
        return f"Resolved at {row.resolved_at:%Y-%m-%d %H:%M} UTC: {row.name}. {row.summary}"
    return (
        f"{row.severity.capitalize()} since {row.began_at:%Y-%m-%d %H:%M} UTC: {row.name}. {row.summary}\n"
        f"What to do: {_runbook_of(row)}, shown at {_page_of(row)}"
    )


def _body_of(alerts: Sequence[Alert]) -> dict[str, Any]:
    """Return the message in the form of Alertmanager's webhooks, version 4, which many receivers can read."""

    def as_alert(row: Alert) -> dict[str, Any]:
        return {
            "status": row.state,
            "labels": {"alertname": row.name, "severity": row.severity} | row.labels,
            "annotations": {"summary": row.summary, "runbook": _runbook_of(row)},
            "startsAt": _moment(row.began_at),
            "endsAt": _moment(row.resolved_at) if row.resolved_at else "0001-01-01T00:00:00Z",
            "generatorURL": _page_of(row),
            "fingerprint": f"{row.pk:016x}",
        }

    is_firing = any(row.state == State.FIRING for row in alerts)
    return {
        "version": "4",
        "groupKey": "spai",
        "truncatedAlerts": 0,
        "status": State.FIRING if is_firing else State.RESOLVED,
        "receiver": "spai",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": f"{settings.SPAI_ADMIN_URL}/admin/",
        "alerts": [as_alert(row) for row in alerts],
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _send_due(clock: Callable[[], datetime]) -> tuple[int, int]:
    """Send the messages that are due, each at most once in a round; return how many were sent, and how many not."""
    now = clock()
    AlertMessage.objects.filter(state=Sending.SENDING, next_attempt_at__lte=now).update(
        state=Sending.FAILED,
        finished_at=now,
        latest_error="Its sender died while it sent the message, which may have arrived.",
    )
    sent = unsent = 0
    while message := _claimed(now):
        error = _SENDERS[message.channel](message, clock())
        _note(message, error, now=clock())
        sent, unsent = sent + (not error), unsent + bool(error)
    return sent, unsent


@transaction.atomic
def _claimed(now: datetime) -> AlertMessage | None:
    """Return a message that is due, as being sent by this process."""
    due = AlertMessage.objects.select_for_update(skip_locked=True).filter(
        Q(next_attempt_at__lte=now), state=Sending.PENDING
    )
    message = due.order_by("next_attempt_at", "pk").first()
    if message is not None:
        AlertMessage.objects.filter(pk=message.pk).update(
            state=Sending.SENDING, attempts=F("attempts") + 1, next_attempt_at=now + SENDING_LIMIT
        )
        message.attempts += 1
    return message


def _note(message: AlertMessage, error: str, *, now: datetime) -> None:
    """Write how an attempt ended, and when the next one is due."""
    fields: dict[str, Any] = {"state": Sending.SENT, "finished_at": now, "next_attempt_at": None}
    if error:
        logger.warning("%s was not sent by %s: %s", message, message.channel, error)
        fields |= {"state": Sending.FAILED}
        if message.attempts <= len(WAITS):
            fields = {"state": Sending.PENDING, "next_attempt_at": now + WAITS[message.attempts - 1]}
    AlertMessage.objects.filter(pk=message.pk).update(latest_error=error[:300], **fields)


def _send_mail(message: AlertMessage, now: datetime) -> str:
    """Send a message as a mail; return why it was not sent, empty when it was."""
    mail = EmailMessage(message.subject, f"{message.content}\n", to=settings.SPAI_ALERT_EMAILS)
    try:
        mail.send()
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _send_request(message: AlertMessage, now: datetime) -> str:
    """Send a message to the operator's webhook; return why it was not accepted, empty when it was."""
    body, url = orjson.dumps(message.content), settings.SPAI_ALERT_WEBHOOK_URL
    headers = {"webhook-id": f"alert_{message.pk}", "webhook-timestamp": str(int(now.timestamp()))}
    if secret := settings.SPAI_ALERT_WEBHOOK_SECRET:
        headers["webhook-signature"] = signature(
            secret, message_id=headers["webhook-id"], timestamp=int(now.timestamp()), body=body
        )
    # The operator has chosen the address, which may be inside the network.
    outcome = send(url, body, headers=headers, allowed=[urlsplit(url).hostname or ""])
    return "" if outcome.is_accepted else outcome.error


_SENDERS: Final[dict[str, Callable[[AlertMessage, datetime], str]]] = {
    AlertMessage.Channel.EMAIL: _send_mail,
    AlertMessage.Channel.WEBHOOK: _send_request,
}
