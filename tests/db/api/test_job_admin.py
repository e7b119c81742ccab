"""Prediction jobs and webhooks in the admin: what is shown, and what an operator can decide."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.api import services
from apps.api.models import PredictionJob, Webhook, WebhookDelivery
from apps.matches.models import AuditEntry
from tests.db.api.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(key) -> PredictionJob:
    return services.submit_job(api_key=key, kind="what_if_set", parameters={"items": ["in no list"]}, now=NOW).job


@pytest.fixture
def hook(key, settings) -> Webhook:
    settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.1"]
    return services.create_webhook(api_key=key, url="http://127.0.0.1:9/", topics=["match.changed"], now=NOW)


def page(admin, model: str, *row: int) -> str:
    response = admin.get(reverse(f"admin:api_{model}_{'change' if row else 'changelist'}", args=row))
    assert response.status_code == 200
    return response.content.decode()


def act(admin, model: str, action: str, row: int) -> None:
    response = admin.post(reverse(f"admin:api_{model}_{action}", args=[row]), {"_form_submitted": "on"})
    assert response.status_code == 200


def test_a_job_is_shown_with_its_state_progress_and_error(admin, job):
    error = {"kind": "no-champion", "detail": "No model makes forecasts yet."}
    PredictionJob.objects.filter(pk=job.pk).update(state="failed", done=1000, total=50_000, error=error)
    listed = page(admin, "predictionjob")
    assert "1,000 of 50,000" in listed
    assert "Failed" in listed
    assert "No model makes forecasts yet." in page(admin, "predictionjob", job.pk)


def test_a_job_is_cancelled_and_retried_where_that_is_offered(admin, job):
    assert "retry/" not in page(admin, "predictionjob", job.pk)
    act(admin, "predictionjob", "cancel", job.pk)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert "cancel/" not in page(admin, "predictionjob", job.pk)
    act(admin, "predictionjob", "retry", job.pk)
    job.refresh_from_db()
    assert job.state == "queued"
    entries = AuditEntry.objects.filter(by="admin").order_by("pk").values_list("action", "before", "after")
    assert list(entries) == [("cancelled a job", "Queued", "cancelled"), ("retried a job", "Cancelled", "queued")]


def test_a_webhook_that_was_switched_off_says_why_and_is_switched_on_again(admin, hook):
    Webhook.objects.update(is_active=False, disabled_reason="The receiver answered 410 Gone.")
    for shown in (page(admin, "webhook"), page(admin, "webhook", hook.pk)):
        assert "The receiver answered 410 Gone." in shown
        assert hook.secret not in shown
    act(admin, "webhook", "switch_on", hook.pk)
    hook.refresh_from_db()
    assert (hook.is_active, hook.disabled_reason) == (True, "")
    act(admin, "webhook", "switch_off", hook.pk)
    hook.refresh_from_db()
    assert not hook.is_active


def test_a_dead_message_is_sent_again(admin, hook):
    delivery = services.ping(webhook=hook, now=NOW)
    WebhookDelivery.objects.update(state="dead", attempts=8, next_attempt_at=None, latest_error="no answer")
    assert "no answer" in page(admin, "webhookdelivery")
    assert hook.secret not in page(admin, "webhookdelivery", delivery.pk)
    act(admin, "webhookdelivery", "replay", delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("pending", 0)


@pytest.mark.parametrize(
    ("model", "action"),
    [("predictionjob", "cancel"), ("predictionjob", "retry"), ("webhook", "switch_on"), ("webhookdelivery", "replay")],
)
def test_only_who_may_change_them_decides(admin_process, client, django_user_model, job, hook, model, action):
    row = {"predictionjob": job.pk, "webhook": hook.pk}.get(model) or services.ping(webhook=hook, now=NOW).pk
    client.force_login(django_user_model.objects.create_user("reader", is_staff=True))
    address = reverse(f"admin:api_{model}_{action}", args=[row])
    assert client.post(address, {"_form_submitted": "on"}).status_code == 403
