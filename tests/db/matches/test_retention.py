"""What is deleted when it is old: periods, batches, and the oldest events of the push feed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from apps.matches import selectors, services
from apps.matches.models import Event, RetentionPeriod, RetentionRun
from apps.matches.retention import KINDS
from apps.matches.services import Deletion, Retention
from apps.matches.services import retention as service

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def events(monkeypatch, now):
    """A function that makes numbered events, the first one ten days old, each an hour younger than the one before."""
    monkeypatch.setattr(service, "EVENTS_IN_MEMORY", 2)
    RetentionPeriod.objects.create(kind="events", days=7)

    def make(count: int) -> None:
        Event.objects.bulk_create(
            Event(number=n, topic="match.changed", key="1", created_at=now - timedelta(days=10) + timedelta(hours=n))
            for n in range(1, count + 1)
        )

    return make


def numbers() -> list[int | None]:
    return list(Event.objects.order_by("number").values_list("number", flat=True))


# ── Periods ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_kind_is_kept_as_the_operator_decided_and_else_by_default(now):
    assert Retention(now).before("events") == now - timedelta(days=3)
    RetentionPeriod.objects.create(kind="events", days=2)
    RetentionPeriod.objects.create(kind="sandbox-forecasts", days=0)
    RetentionPeriod.objects.create(kind="workspaces", newest=9)
    run = Retention(now)
    assert run.before("events") == now - timedelta(days=2)
    assert run.before("sandbox-forecasts") is None
    assert (run.before("workspaces"), run.newest("workspaces")) == (now - timedelta(days=1), 9)


def test_pages_of_real_sources_are_kept_as_the_environment_says_unless_the_admin_says_otherwise(now, settings):
    settings.SPAI_KEEP = timedelta(days=30)
    assert Retention(now).before("pages") == now - timedelta(days=30)
    settings.SPAI_KEEP = None
    assert Retention(now).before("pages") is None
    RetentionPeriod.objects.create(kind="pages", days=5)
    assert Retention(now).before("pages") == now - timedelta(days=5)


def test_every_kind_has_a_row_in_the_admin_which_changes_its_period(admin, now):
    page = admin.get(reverse("admin:matches_retentionperiod_changelist")).content.decode()
    assert RetentionPeriod.objects.count() == len(KINDS)
    assert all(name in page for name in KINDS)
    admin.post(reverse("admin:matches_retentionperiod_change", args=["events"]), {"days": "4"})
    assert Retention(now).before("events") == now - timedelta(days=4)
    assert "4 days (changed)" in admin.get(reverse("admin:matches_retentionperiod_changelist")).content.decode()
    refused = admin.post(reverse("admin:matches_retentionperiod_change", args=["events"]), {"days": "-1"})
    assert refused.status_code == 200
    assert RetentionPeriod.objects.get(kind="events").days == 4


# ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_old_events_go_and_the_numbers_that_are_left_have_no_gap(events, now):
    events(100)
    Event.objects.create(number=None, topic="match.changed", key="1", created_at=now - timedelta(days=30))
    # Seven days back is the 72nd hour; the event of that hour is the first that stays.
    assert services.delete_events(Retention(now)) == Deletion(71)
    assert numbers() == [*range(72, 101), None]
    assert services.delete_events(Retention(now)) == Deletion()


def test_a_young_event_among_old_ones_ends_it(events, now):
    events(30)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE matches_event DISABLE TRIGGER numbered_once")
        cursor.execute("UPDATE matches_event SET created_at = %s WHERE number = 10", [now])
        cursor.execute("ALTER TABLE matches_event ENABLE TRIGGER numbered_once")
    services.delete_events(Retention(now))
    assert numbers() == list(range(10, 31))


def test_the_newest_stay_whatever_their_age_and_so_do_those_that_a_webhook_waits_for(events, now):
    events(20)
    assert services.delete_events(Retention(now), delivered_until=5) == Deletion(5)
    assert services.delete_events(Retention(now)) == Deletion(13)
    assert numbers() == [19, 20]


def test_postgresql_refuses_the_newest_event_and_a_young_one_even_to_the_role(events, now):
    events(3)
    Event.objects.create(number=4, topic="match.changed", key="1", created_at=now)
    for number in (4, 3):
        if number == 3:
            with connection.cursor() as cursor:
                cursor.execute("TRUNCATE matches_event")
            events(3)
        with pytest.raises(IntegrityError, match="append-only: DELETE refused"), services.as_retention():
            Event.objects.filter(number=number)._raw_delete("default")
    with pytest.raises(IntegrityError, match="append-only: DELETE refused"), transaction.atomic():
        Event.objects.filter(number=1)._raw_delete("default")


# ── Batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_run_that_is_stopped_between_two_batches_has_deleted_what_it_has_and_the_next_one_goes_on(
    events, now, monkeypatch
):
    monkeypatch.setattr(service, "BATCH", 10)
    events(100)
    looks = iter([False, False, True])
    run = Retention(now, is_stopping=lambda: next(looks))
    assert services.delete_events(run) == Deletion(20)
    assert numbers()[0] == 21
    assert services.delete_events(Retention(now)) == Deletion(51)


def test_rows_that_another_run_has_deleted_meanwhile_do_no_harm(events, now, monkeypatch):
    monkeypatch.setattr(service, "BATCH", 50)
    events(100)
    other = Retention(now)

    def first(batch: list[int]) -> Deletion:
        services.delete_events(other)
        return Deletion()

    old = Event.objects.filter(number__lte=71)
    assert Retention(now).rows(old, by_role=True, key="number", first=first) == Deletion()
    assert numbers()[0] == 72


def test_a_dry_run_counts_and_deletes_nothing(events, now, tmp_path):
    events(100)
    (tmp_path / "file").write_bytes(b"x" * 5000)
    run = Retention(now, is_dry=True)
    assert services.delete_events(run) == Deletion(71)
    assert run.paths([tmp_path / "file"]).bytes >= 5000
    assert Event.objects.count() == 100
    assert (tmp_path / "file").exists()


def test_without_the_role_nothing_is_deleted_and_the_remedy_is_named(events, now, monkeypatch):
    events(100)
    monkeypatch.setattr(service, "may_delete", lambda: False)
    with pytest.raises(services.RoleMissingError, match="CREATE ROLE spai_retention"):
        services.delete_events(Retention(now))
    assert Event.objects.count() == 100


# ── Reports ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def report(at, **fields) -> RetentionRun:
    return RetentionRun.objects.create(started_at=at, finished_at=at, requested_by="the timetable", **fields)


def test_old_reports_go_but_the_newest_stays(now):
    for days in (400, 300, 200):
        report(now - timedelta(days=days))
    assert services.delete_reports(Retention(now)) == Deletion(2)
    assert RetentionRun.objects.get().started_at == now - timedelta(days=200)


def test_the_sizes_are_those_of_the_latest_run_that_was_finished(now):
    assert selectors.disk_use() is None
    report(now - timedelta(hours=1), sizes={"logs": 5, "events": 700, "model copies": 0}, free_bytes=10**9)
    RetentionRun.objects.create(started_at=now, requested_by="ann")
    found = selectors.disk_use()
    assert [(part.name, part.bytes) for part in found.parts] == [("events", 700), ("logs", 5), ("model copies", 0)]
    assert [part.name for part in found.largest] == ["events", "logs"]
    assert (found.total, found.free) == (705, 10**9)


def test_a_run_is_shown_in_the_admin_with_what_it_deleted(admin, now):
    row = report(now, deleted={"events": {"rows": 1234, "files": 0, "bytes": 0}}, sizes={"events": 5_000_000})
    listed = admin.get(reverse("admin:matches_retentionrun_changelist")).content.decode()
    assert "1,234" in listed
    shown = admin.get(reverse("admin:matches_retentionrun_change", args=[row.pk])).content.decode()
    assert "events: 1,234 rows, 0 files" in shown
