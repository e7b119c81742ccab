"""One run of retention over all kinds: its report, its errors, the command, and the files of metrics."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from axes.models import AccessLog
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder
from django.template.loader import render_to_string
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from apps.api import services, tasks
from apps.api.models import PredictionJob, WebhookDelivery
from apps.api.services import metric_files, retention
from apps.matches import selectors
from apps.matches.locks import Lock
from apps.matches.models import Event, RetentionRun
from apps.matches.retention import KINDS
from apps.matches.services import Deletion, Retention
from apps.matches.services import retention as matches_retention
from apps.ml.models import DriftReport, RetrainingDecision
from spai.metrics import registries
from tests.database import locked_elsewhere
from tests.web.conftest import Builder

DAY = timedelta(days=1)


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture(autouse=True)
def _var(settings, tmp_path):
    settings.SPAI_VAR_DIR = tmp_path / "var"
    settings.SPAI_VAR_DIR.mkdir()


@pytest.fixture
def old_events(db, now, monkeypatch):
    monkeypatch.setattr(matches_retention, "EVENTS_IN_MEMORY", 1)
    Event.objects.bulk_create(
        Event(number=n, topic="match.changed", key="1", created_at=now - 30 * DAY) for n in range(1, 6)
    )


def apply(**options) -> retention.RetentionReport:
    return retention.apply_retention(requested_by="ann", **options)


def test_there_is_a_step_for_each_kind():
    assert set(retention.STEPS) == set(KINDS)


def test_the_timetable_deletes_nothing_in_the_first_week_after_the_upgrade(old_events, now):
    upgrade = MigrationRecorder.Migration.objects.filter(app="matches", name="0014_retention")
    upgrade.update(applied=now - 6 * DAY)
    tasks.apply_retention()
    assert Event.objects.count() == 5
    assert RetentionRun.objects.get().sizes["events"] > 0
    assert selectors.retention_begins_at(now) == now + DAY
    upgrade.update(applied=now - 8 * DAY)
    tasks.apply_retention()
    assert Event.objects.count() == 1
    assert selectors.retention_begins_at(now) is None


def test_a_run_deletes_reports_and_measures(old_events, settings):
    (settings.SPAI_VAR_DIR / "log").mkdir()
    (settings.SPAI_VAR_DIR / "log" / "web.log").write_bytes(b"x" * 50_000)
    report = apply()
    assert report.errors == {}
    assert report.deleted["events"] == Deletion(4)
    row = RetentionRun.objects.get()
    assert (row.requested_by, row.deleted) == ("ann", {"events": {"rows": 4, "files": 0, "bytes": 0}})
    assert row.finished_at >= row.started_at
    assert row.sizes["logs"] >= 50_000
    assert row.sizes["matches"] > 0
    assert row.free_bytes > 0


def test_a_dry_run_writes_nothing(old_events):
    report = apply(is_dry=True)
    assert report.deleted["events"] == Deletion(4)
    assert Event.objects.count() == 5
    assert not RetentionRun.objects.exists()


@pytest.mark.django_db
def test_two_runs_at_once_are_one():
    with locked_elsewhere(Lock.RETENTION):
        assert apply().busy
    assert not RetentionRun.objects.exists()


def test_a_kind_that_fails_stops_no_other_and_is_named(old_events, monkeypatch):
    def broken(run: Retention) -> Deletion:
        raise OSError("the disk is read-only")

    monkeypatch.setitem(retention.STEPS, "forecasts", broken)
    report = apply()
    assert report.errors == {"forecasts": "OSError: the disk is read-only"}
    assert report.deleted["events"] == Deletion(4)
    assert RetentionRun.objects.get().errors == report.errors


def test_a_run_that_is_killed_leaves_a_row_without_an_end_and_the_next_one_goes_on(old_events, monkeypatch):
    def killed(run: Retention) -> Deletion:
        raise KeyboardInterrupt

    monkeypatch.setitem(retention.STEPS, "forecasts", killed)
    with pytest.raises(KeyboardInterrupt):
        apply()
    assert RetentionRun.objects.get().finished_at is None
    assert selectors.disk_use() is None
    monkeypatch.setitem(retention.STEPS, "forecasts", lambda run: Deletion())
    assert apply().deleted["events"] == Deletion(4)


# ── What other programs and people leave ─────────────────────────────────────────────────────────────────────────────
def test_an_event_that_a_webhook_has_not_been_told_stays(old_events, make_key, settings):
    settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.1"]
    key = make_key().row
    hook = services.create_webhook(api_key=key, url="http://127.0.0.1:9/", topics=["match.changed"], now=timezone.now())
    type(hook).objects.update(latest_number=2)
    apply()
    assert [event.number for event in Event.objects.order_by("number")] == [3, 4, 5]
    services.revoke_key(key=key, by="ann", now=timezone.now())
    apply()
    assert [event.number for event in Event.objects.all()] == [5]


def test_messages_and_jobs_go_a_month_after_their_end_and_those_that_wait_stay(make_key, settings, now):
    settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.1"]
    key = make_key().row
    hook = services.create_webhook(api_key=key, url="http://127.0.0.1:9/", topics=["match.changed"], now=now)
    fields = {"webhook": hook, "message": {}, "created_at": now - 90 * DAY}
    for days in (31, 29):
        WebhookDelivery.objects.create(state="delivered", finished_at=now - days * DAY, **fields)
    WebhookDelivery.objects.create(next_attempt_at=now, **fields)
    job = {"api_key": key, "kind": "what_if_set", "parameters": {}, "created_at": now - 90 * DAY}
    for days in (31, 29):
        PredictionJob.objects.create(state="expired", expires_at=now - days * DAY, **job)
    PredictionJob.objects.create(**job)
    report = apply()
    assert (report.deleted["webhook-deliveries"], report.deleted["prediction-jobs"]) == (Deletion(1), Deletion(1))
    assert WebhookDelivery.objects.count() == PredictionJob.objects.count() == 2


@pytest.mark.django_db
def test_old_logins_and_expired_sessions_go(now):
    for days in (91, 89):
        row = AccessLog.objects.create(
            username="ann", ip_address="127.0.0.1", user_agent="", path_info="/", http_accept=""
        )
        AccessLog.objects.filter(pk=row.pk).update(attempt_time=now - days * DAY)
    for name, days in (("old", -1), ("young", 1)):
        Session.objects.create(session_key=name, session_data="", expire_date=now + days * DAY)
    assert apply().deleted["logins"] == Deletion(2)
    assert AccessLog.objects.count() == 1
    assert Session.objects.get().session_key == "young"


# ── Files of metrics ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def ended_pid() -> int:
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def count(folder: Path, kind: str, pid: object, value: float, *, days: float = 2, name: str = "spai_tries") -> Path:
    """Write the file of a process whose counter has a value."""
    path = folder / f"{kind}_{pid}.db"
    written = MmapedDict(str(path))
    written.write_value(mmap_key(name, f"{name}_total", ["world"], ["real"], "Tries."), value, 1.0)
    written.close()
    old = timezone.now().timestamp() - days * 86_400
    os.utime(path, (old, old))
    return path


def total(folder: Path) -> float:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))
    return registry.get_sample_value("spai_tries_total", {"world": "real"}) or 0.0


@pytest.fixture
def folder(tmp_path, settings) -> Path:
    made = tmp_path / "metrics"
    made.mkdir()
    settings.PROMETHEUS_MULTIPROC_DIR = str(made)
    return made


def merge(folder: Path, now, **options) -> Deletion:
    return metric_files.merge_ended(folder, Retention(now, **options), before=now - DAY)


@pytest.mark.django_db
def test_files_of_ended_processes_become_one_and_no_count_is_lost(folder, ended_pid, now):
    count(folder, "counter", ended_pid, 3)
    count(folder, "gauge_all", ended_pid, 7, name="spai_open")
    running = count(folder, "counter", os.getpid(), 4)
    before = total(folder)
    assert merge(folder, now, is_dry=True).files == 2
    assert merge(folder, now).files == 2
    assert total(folder) == before == 7
    assert {path.name for path in folder.iterdir()} == {"counter_ended.db", running.name}
    count(folder, "counter", ended_pid, 10)
    merge(folder, now)
    assert total(folder) == 17
    assert len(list(folder.iterdir())) == 2


@pytest.mark.django_db
def test_no_scrape_reads_while_files_are_merged(folder, ended_pid, now, monkeypatch):
    count(folder, "counter", ended_pid, 3)
    finish, tries = metric_files._finish, []

    def asks_for_the_lock(path: Path) -> None:
        with pytest.raises(BlockingIOError), metric_files.locked(path, fcntl.LOCK_SH | fcntl.LOCK_NB):
            pass
        tries.append(path)
        finish(path)

    monkeypatch.setattr(metric_files, "_finish", asks_for_the_lock)
    merge(folder, now)
    assert tries == [folder, folder]
    counted, _ = registries()
    with metric_files.locked(folder, fcntl.LOCK_SH):  # two scrapes do not wait for each other
        assert counted.get_sample_value("spai_tries_total", {"world": "real"}) == 3


@pytest.mark.django_db
def test_a_process_that_ended_today_keeps_its_file(folder, ended_pid, now):
    count(folder, "counter", ended_pid, 3, days=0.5)
    assert merge(folder, now) == Deletion()


@pytest.mark.django_db
@pytest.mark.parametrize("after", ["journal", "rename"])
def test_a_merge_that_was_cut_short_counts_nothing_twice(folder, ended_pid, now, monkeypatch, after):
    count(folder, "counter", ended_pid, 3)
    rename = Path.rename

    def dies(path: Path, target: Path) -> Path:
        if path.suffix == ".new" and path.stem == "counter_ended":
            if after == "rename":
                rename(path, target)
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", dies)
    with pytest.raises(KeyboardInterrupt):
        merge(folder, now)
    monkeypatch.undo()
    merge(folder, now)
    assert total(folder) == 3
    assert [path.name for path in folder.iterdir()] == ["counter_ended.db"]


# ── The command and the panel ────────────────────────────────────────────────────────────────────────────────────────
def command(*arguments: str) -> str:
    said = StringIO()
    call_command("retention", *arguments, stdout=said, stderr=StringIO())
    return said.getvalue()


def test_the_command_says_what_would_go_and_what_uses_the_disk(old_events):
    said = command("--dry-run")
    (line,) = (line for line in said.splitlines() if line.startswith("events "))
    assert line.split() == ["events", "3", "days", "4", "0", "-"]
    assert "would go" in said
    assert "on disk" in said
    document = json.loads(command("--dry-run", "--json"))
    assert document["is_dry_run"] is True
    assert document["deleted"]["events"] == {"rows": 4, "files": 0, "bytes": 0}
    assert set(document["deleted"]) == set(KINDS)
    assert Event.objects.count() == 5
    assert json.loads(command("--json"))["deleted"]["events"]["rows"] == 4
    assert Event.objects.count() == 1


def test_the_command_fails_where_a_kind_was_not_finished(old_events, monkeypatch):
    def broken(run: Retention) -> Deletion:
        raise OSError("the disk is read-only")

    monkeypatch.setitem(retention.STEPS, "forecasts", broken)
    with pytest.raises(CommandError, match="Not finished: forecasts"):
        command()


def test_the_panel_shows_the_largest_parts_and_what_was_not_deleted(db, admin_process, now):
    def panel() -> str:
        return render_to_string("admin/disk_panel.html", {"disk": selectors.disk_use()})

    assert "Not measured yet" in panel()
    sizes = {"events": 3_000_000_000, "logs": 2_000_000, "model copies": 0}
    RetentionRun.objects.create(
        started_at=now,
        finished_at=now,
        requested_by="ann",
        sizes=sizes,
        free_bytes=10**9,
        errors={"workspaces": "busy"},
    )
    shown = panel()
    assert "2.8\xa0GB" in shown
    assert "Logs" in shown
    assert "Model copies" not in shown
    assert "Not deleted: workspaces." in shown


def test_rows_of_plain_kinds_go_after_their_periods(db, now):
    version = Builder(now).version(1)
    for age in (600, 10):
        then = now - timedelta(days=age)
        nothing = {"measured": [], "n": 0, "note": "too few"}
        DriftReport.objects.create(
            world="sandbox",
            day=then.date(),
            version=version,
            data_snapshot=1,
            is_drifted=False,
            score=0.0,
            features=nothing,
            predictions=nothing,
            concept=nothing,
            page=b"",
            computed_at=then,
        )
        RetrainingDecision.objects.create(
            world="sandbox", answer="no", cause="no reason", reason="", triggers=[], decided_at=then, latest_at=then
        )
    report = apply()
    assert {name: report.deleted[name].rows for name in ("drift-reports", "retraining-decisions", "source-days")} == {
        "drift-reports": 1,
        "retraining-decisions": 1,
        "source-days": 0,
    }
