"""A pipeline run on a whole stack whose servers go away, and which is ended and started, while it works."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psutil
import psycopg
import pytest

from spai.stack.supervision import Supervisor
from tests.faults.test_stack import Running, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

WITHOUT_REDIS = 60.0
"""Seconds for which the broker is away."""

COLUMNS = ("status", "attempts", "stages", "interruptions", "log", "metrics", "error", "heartbeat_at")


class Followed:
    """The pipeline run of a stack, read from its row."""

    def __init__(self, running: Running) -> None:
        self.running = running

    def row(self) -> dict[str, Any]:
        """Return the oldest run; nothing while there is none or the database is away."""
        try:
            with psycopg.connect(self.running.stack.value("DATABASE_URL"), connect_timeout=60) as connection:
                found = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM ml_pipelinerun ORDER BY id").fetchone()
        except psycopg.OperationalError:
            return {}
        return dict(zip(COLUMNS, found, strict=True)) if found else {}

    def is_in(self, *stages: str) -> bool:
        """Whether one of these stages is under way."""
        return any(stage["name"] in stages and stage["status"] == "running" for stage in self.row().get("stages", ()))

    def is_alive(self) -> bool:
        """Whether its executor has just written the row."""
        beat = self.row().get("heartbeat_at")
        return beat is not None and (datetime.now(UTC) - beat).total_seconds() < 30

    def is_over(self) -> bool:
        return self.row().get("status") in ("succeeded", "unchanged", "failed")


@contextlib.contextmanager
def held(running: Running) -> Iterator[None]:
    """Stop the stage that is under way where it is: on a quick machine the run would be over before the faults are."""
    stages = [
        process
        for process in running.processes()["worker-ml"].children(recursive=True)
        if "dvc" in process.cmdline() or any("dvc" in parent.cmdline() for parent in process.parents())
    ]
    assert stages
    for process in stages:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in stages:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


@pytest.fixture
def simulated(tmp_path):
    """A stack whose simulated world makes a first run by itself."""
    stack = Running(tmp_path)
    stack.environment["SPAI_SANDBOX"] = "true"
    stack.up()
    yield stack
    stack.run("down")
    assert stack.left() == []


def test_a_run_survives_its_servers_and_the_stack_and_ends_as_if_nothing_had_happened(simulated):
    run = Followed(simulated)
    supervisor = Supervisor(simulated.stack)
    wait_for(lambda: run.is_in("export", "validate_raw"))

    with held(simulated):
        supervisor.stop(["redis"], 30)
        end = time.monotonic() + WITHOUT_REDIS
        while time.monotonic() < end:
            assert run.is_alive(), "the run goes on without the broker"
            time.sleep(1)
        supervisor.start("redis")
        code, output = simulated.run("restart", "postgres")
        assert code == 0, output
        wait_for(lambda: "The connection to PostgreSQL was lost" in run.row().get("log", ""))
        wait_for(run.is_alive)

    wait_for(lambda: run.is_in("train", "calibrate", "evaluate", "explain", "report"))
    with held(simulated):
        code, output = simulated.run("down")
    assert code == 0, output
    assert "(sandbox world) is under way, in the stage" in output
    assert "resumes at the next `make up`" in output
    assert simulated.left() == []

    simulated.up()
    wait_for(run.is_over)
    row = run.row()
    assert (row["status"], row["attempts"], row["error"]) == ("succeeded", 1, {}), json.dumps(row, default=str)
    (noted,) = row["interruptions"]
    assert noted["kind"] == "stopped"
    assert "SIGTERM" in noted["cause"]
    assert row["metrics"]["best"]
    assert {stage["status"] for stage in row["stages"]} == {"done"}
    assert all(stage["seconds"] is not None for stage in row["stages"])


def test_a_run_whose_worker_is_killed_is_shown_as_interrupted_and_resumes(simulated):
    run = Followed(simulated)
    wait_for(lambda: run.is_in("preprocess", "validate_matches", "featurize"))
    address = f"{simulated.stack.address('web')}/models/"
    simulated.processes()["worker-ml"].kill()
    wait_for(lambda: "Interrupted, resumes" in _page(address))
    wait_for(run.is_over)
    row = run.row()
    assert (row["status"], row["attempts"]) == ("succeeded", 1)
    assert {noted["kind"] for noted in row["interruptions"]} <= {"died", "stopped"}


def _page(address: str) -> str:
    with urllib.request.urlopen(address, timeout=300) as answer:
        return answer.read().decode()
