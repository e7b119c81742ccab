"""Actions on API keys, prediction jobs, webhooks and alerts."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from apps.api import services as api
from apps.api.models import Alert, ApiKey, Webhook
from apps.matches.models import AuditEntry
from tests.db.audited_actions.cases import case


def key(room, **more: Any) -> ApiKey:
    values = {"name": "feed", "created_by": "ann", "scopes": ["read", "jobs"], "now": room.now}
    return api.create_key(**(values | more)).row


@case("api.apikey.add")
def _(room):
    form = {"name": "Bob's programs", "scopes": ["read"], "expires_at_0": "", "expires_at_1": "", "source": ""}
    response = room.browser.post(reverse("admin:api_apikey_add"), form)
    made = ApiKey.objects.get()
    token = response.context["token"]
    assert not AuditEntry.objects.filter(after__contains=token[14:]).exists()
    return made


@case("api.apikey.revoke")
def _(room):
    made = key(room)
    room.do(ApiKey, "revoke", made)
    return made


@case("api.predictionjob.cancel")
def _(room):
    job = api.submit_job(api_key=key(room), kind="what_if_set", parameters={}, now=room.now).job
    room.do(type(job), "cancel", job)
    return job


@case("api.predictionjob.retry")
def _(room):
    job = api.submit_job(api_key=key(room), kind="what_if_set", parameters={}, now=room.now).job
    api.cancel_job(job=job, now=room.now)
    room.do(type(job), "retry", job)
    return job


def webhook(room) -> Webhook:
    room.settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.1"]
    return api.create_webhook(api_key=key(room), url="http://127.0.0.1:9/", topics=["match.changed"], now=room.now)


@case("api.webhook.switch_off")
def _(room):
    hook = webhook(room)
    room.do(Webhook, "switch_off", hook)
    return hook


@case("api.webhook.switch_on")
def _(room):
    hook = webhook(room)
    Webhook.objects.update(is_active=False)
    room.do(Webhook, "switch_on", hook)
    return hook


@case("api.webhookdelivery.replay")
def _(room):
    delivery = api.ping(webhook=webhook(room), now=room.now)
    room.do(type(delivery), "replay", delivery)
    return delivery


@case("api.alert.acknowledge")
def _(room):
    alert = Alert.objects.create(
        name="QueueLong",
        labels={},
        severity="warning",
        state="firing",
        summary="long",
        value=9,
        began_at=room.now,
        seen_at=room.now,
    )
    room.do(Alert, "acknowledge", alert, note="I look after it")
    return alert
