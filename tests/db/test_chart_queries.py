"""The statements by which a cluster counts what waits for a worker count exactly that."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.api.models import PredictionJob, Webhook, WebhookDelivery
from apps.api.services import create_key
from apps.scraping.models import ScrapeRun
from apps.scraping.services import ensure_sources, request_run, source_named

pytestmark = pytest.mark.django_db

QUERIES = yaml.safe_load((settings.BASE_DIR / "helm" / "files" / "queues.yaml").read_text(encoding="utf-8"))


def waiting(queue: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(QUERIES[queue])
        ((count,),) = cursor.fetchall()
    return count


@pytest.mark.parametrize("queue", QUERIES)
def test_nothing_waits_at_first(queue):
    assert waiting(queue) == 0


def test_as_many_scrapers_have_work_as_sources_have_open_runs():
    now = timezone.now()
    ensure_sources(now=now)
    for scope in ("results", "fixtures"):
        request_run(source=source_named("sandbox"), scope=scope, by="ada", now=now)
    assert waiting("scrape") == 1
    request_run(source=source_named("sandbox-files"), scope="backfill", by="ada", now=now)
    assert waiting("scrape") == 2
    ScrapeRun.objects.update(finished_at=now, outcome="stored")
    assert waiting("scrape") == 0


def test_a_job_waits_until_it_has_ended():
    now = timezone.now()
    key = create_key(name="feed", scopes=["read", "jobs"], created_by="ada", now=now).row
    job = PredictionJob.objects.create(api_key=key, kind="graded_forecasts", parameters={}, created_at=now)
    for state in PredictionJob.JobState:
        PredictionJob.objects.filter(pk=job.pk).update(state=state)
        job.refresh_from_db()
        assert waiting("jobs") == (not job.is_over), state


def test_a_message_waits_from_its_time_on_until_it_is_over():
    now = timezone.now()
    key = create_key(name="feed", scopes=["read"], created_by="ada", now=now).row
    webhook = Webhook.objects.create(
        api_key=key, url="https://a.example/", topics=["match.finished"], latest_number=0, created_at=now
    )
    for number, (state, at) in enumerate(
        [
            ("pending", now - timedelta(seconds=1)),
            ("pending", now + timedelta(hours=1)),
            ("delivered", None),
            ("dead", None),
        ]
    ):
        WebhookDelivery.objects.create(
            webhook=webhook, event_number=number, message={}, state=state, next_attempt_at=at, created_at=now
        )
    assert waiting("webhooks") == 1
