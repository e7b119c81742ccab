"""A database of the version before keeps its rows, its timetable and its permissions under the new names."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django_celery_beat.models import IntervalSchedule, PeriodicTask

pytestmark = pytest.mark.django_db

BEFORE = [("scraping", "0004_delays_that_are_waited_out")]
AFTER = [("scraping", "0005_plain_names")]
NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)


def migrate(targets):
    with connection.cursor() as cursor:
        # Deferred foreign keys of new rows would forbid to alter their tables in this transaction.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


def old_permissions():
    return Permission.objects.filter(content_type__app_label="scraping", codename__endswith="_lane")


def test_rows_timetable_and_permissions_survive_the_renames_and_their_way_back():
    apps = migrate(BEFORE)
    source = apps.get_model("scraping", "Source").objects.create(name="old", reader="openfootball")
    apps.get_model("scraping", "Lane").objects.create(
        host="a.example", state="open", open_until=NOW + timedelta(hours=1), requests=7
    )
    runs = apps.get_model("scraping", "ScrapeRun").objects
    window = {"source": source, "window_start": date(2026, 11, 1), "window_end": NOW.date(), "requested_at": NOW}
    chains = {"http://a.example/": {"pages": 2, "leads_on": False}}
    failed = {"http://a.example/x": {"outcome": "timeout", "reason": "no answer"}}
    runs.create(scope="reparse", met=chains, requested_by="ann", **window)
    runs.create(scope="results", met=failed, requested_by="ann", **window)
    every = IntervalSchedule.objects.create(every=5, period="minutes")
    PeriodicTask.objects.create(name="own", task="scraping.visit_due", interval=every, kwargs='{"source": "old"}')
    names = set(old_permissions().values_list("codename", flat=True))
    assert names == {"add_lane", "change_lane", "delete_lane", "view_lane"}

    apps = migrate(AFTER)
    host = apps.get_model("scraping", "HostState").objects.get()
    assert (host.host, host.state, host.requests) == ("a.example", "open", 7)
    runs = apps.get_model("scraping", "ScrapeRun").objects
    assert runs.values_list("failed_urls", "stored_chains").get(scope="reparse") == ({}, chains)
    assert runs.values_list("failed_urls", "stored_chains").get(scope="results") == (failed, {})
    assert PeriodicTask.objects.get().task == "scraping.request_scheduled_run"
    assert not old_permissions().exists()

    apps = migrate(BEFORE)
    runs = apps.get_model("scraping", "ScrapeRun").objects
    assert runs.values_list("met", flat=True).get(scope="reparse") == chains
    assert apps.get_model("scraping", "Lane").objects.get().requests == 7
