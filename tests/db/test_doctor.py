"""`manage.py spai doctor`: every part is checked, whatever does not run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest
import redis
from django.db import connection
from django.utils import timezone

from apps.matches.models import Event
from spai import doctor
from spai.stack import environment, temporary
from spai.stack.environment import BASE, Stack
from tests.database import database_url


def stack_of(tmp_path, **overrides: str) -> Stack:
    return Stack(var=tmp_path, own={}, overrides=overrides, maintenance={})


def by_name(findings) -> dict[str, doctor.Finding]:
    return {each.about: each for each in findings}


def test_a_machine_on_which_nothing_runs_is_examined_to_the_end(tmp_path):
    """Without any settings or server, in a process of its own as manage.py starts it."""
    bare = temporary.without_stack(os.environ) | {"SPAI_VAR_DIR": str(tmp_path), "SPAI_ENV_FILE": ""}
    command = [sys.executable, "manage.py", "spai", "doctor", "--json"]
    done = subprocess.run(command, cwd=BASE, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["is_well"] is False
    said = {each["about"]: each for each in found["findings"]}
    assert said["packages"]["is_well"]
    assert not said["postgres"]["is_well"]
    assert "make up" in said["postgres"]["advice"]
    assert "SECRET_KEY is not set" in said["settings"]["said"]
    assert not done.stderr


def test_a_command_without_settings_says_what_is_missing_in_one_line(tmp_path):
    bare = temporary.without_stack(os.environ) | {"SPAI_VAR_DIR": str(tmp_path), "SPAI_ENV_FILE": ""}
    command = [sys.executable, "manage.py", "spai", "compare"]
    done = subprocess.run(command, cwd=BASE, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("SECRET_KEY is not set. `make up` starts everything")
    assert len(done.stderr.splitlines()) == 1


def test_servers_that_do_not_answer_are_named_with_what_to_do(tmp_path):
    nowhere = {
        "DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
        "SPAI_WEB_URL": "http://127.0.0.1:1",
    }
    stack = stack_of(tmp_path, **nowhere)
    found = [*doctor._postgres(nowhere["DATABASE_URL"]), *doctor._redis(stack), *doctor._workers(stack)]
    found += [*doctor._mlflow(stack), *doctor._site(stack, "web")]
    assert [each.about for each in found if each.is_fault] == ["postgres", "redis", "workers", "mlflow", "web"]
    assert all(each.advice for each in found)


def test_secrets_that_others_can_read_are_named_with_the_command_that_closes_them(tmp_path):
    stack = stack_of(tmp_path)
    tmp_path.chmod(0o700)
    stack.env_file.write_text("A='1'\n")
    stack.env_file.chmod(0o644)
    found = by_name(doctor._files(stack))["secrets"]
    assert found.is_fault
    assert f"chmod 600 {stack.env_file}" in found.advice
    stack.env_file.chmod(0o600)
    assert by_name(doctor._files(stack))["secrets"].is_well


def test_a_full_disk_is_a_fault(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 10**9, "total": 10**11})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: usage)
    disk = by_name(doctor._files(stack_of(tmp_path)))["disk"]
    assert disk.is_fault
    assert disk.said.startswith("1.0 of 100 GB are free")


def test_another_version_of_a_package_than_the_locks_is_a_fault(monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda name: "0.0.1")
    (found,) = doctor._packages()
    assert found.is_fault
    assert "0.0.1 instead of" in found.said


def test_a_check_that_fails_itself_is_a_finding(tmp_path):
    def broken():
        raise RuntimeError("a bug")
        yield

    (found,) = doctor._guarded("part", broken)
    assert found.is_fault
    assert found.said == "could not be checked: RuntimeError: a bug"


@pytest.mark.django_db
def test_the_servers_of_this_machine_are_well(tmp_path, settings):
    found = by_name(doctor._postgres(database_url()))
    assert found["postgres"].is_well
    assert found["clock"].is_well
    stack = stack_of(tmp_path, REDIS_URL=settings.REDIS_URL)
    assert by_name(doctor._redis(stack))["redis"].is_well


@pytest.mark.django_db
def test_a_queue_without_a_worker_is_a_fault(tmp_path, settings, monkeypatch):
    def inspect(**_):
        return SimpleNamespace(active_queues=lambda: {"forecast@x": [{"name": "forecast"}]})

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete("ml")  # other tests leave messages
    control = SimpleNamespace(inspect=inspect)
    monkeypatch.setattr(doctor.health, "bare_celery", lambda broker: SimpleNamespace(control=control))
    found = by_name(doctor._workers(stack_of(tmp_path, REDIS_URL=settings.REDIS_URL)))
    queues = {f"queue {queue}" for queue in doctor.QUEUES}
    assert {name for name, each in found.items() if each.is_fault} == queues - {"queue forecast"}
    assert found["queue ml"].said == "no worker takes its messages, 0 wait"


@pytest.mark.django_db
def test_the_tables_are_examined(tmp_path):
    found = by_name(doctor._django(stack_of(tmp_path), has_database=True))
    assert found["settings"].is_well
    assert found["migrations"].is_well
    assert found["events"].is_well
    assert found["prediction jobs"].is_well
    assert "champion of sandbox" in found
    assert not found["champion of sandbox"].is_fault
    assert any(name.startswith("source ") for name in found)


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_named(tmp_path):
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations WHERE app = 'api') "
            "RETURNING name"
        )
        (name,) = cursor.fetchone()
    found = by_name(doctor._django(stack_of(tmp_path), has_database=True))
    assert found["migrations"].is_fault
    assert f"api {name[:4]}" in found["migrations"].said
    assert "events" not in found


@pytest.mark.django_db
def test_events_that_nobody_numbers_are_a_fault():
    now = timezone.now()
    Event.objects.create(topic="run.changed", key="1", payload={}, created_at=now - timedelta(minutes=2))
    assert by_name(doctor._events(now))["events"].is_fault


@pytest.mark.django_db
def test_an_event_of_the_future_shows_a_wrong_clock():
    now = timezone.now()
    Event.objects.create(topic="run.changed", key="1", payload={}, created_at=now + timedelta(hours=1))
    assert "still to come" in by_name(doctor._events(now))["clock"].said


def test_the_stack_that_was_started_once_and_does_not_run_is_named(tmp_path):
    stack = Stack(var=tmp_path, own={"SECRET_KEY": "x"}, overrides={}, maintenance={})
    (found,) = doctor._stack(stack)
    assert (found.about, found.advice) == ("stack", "`make up` starts it.")
    assert list(doctor._stack(environment.load({"SPAI_VAR_DIR": str(tmp_path / "never")}))) == []
