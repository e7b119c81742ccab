"""A whole stack on folders and ports of its own, whose processes are killed, frozen and interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from spai.stack import environment, guards, launch, temporary
from spai.stack.supervision import Supervisor

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[2]
# The sandbox does not run here, see below.
TIMEOUT = 1800.0
"""Seconds after which what must happen counts as stuck."""
PROCESSES = ["postgres", "redis", "mlflow", "web", "admin", "push", "beat"]
PROCESSES += ["worker-scrape", "worker-ml", "worker-forecast", "worker-jobs", "worker-webhooks", "worker-default"]


class Running:
    """A stack, spoken to as a person would: by its commands."""

    def __init__(self, var: Path) -> None:
        # Nothing of the tests' own servers and nothing of a stack in use; the file `.env` is not read.
        self.environment = temporary.without_stack(os.environ) | {"SPAI_VAR_DIR": str(var), "SPAI_ENV_FILE": ""}
        # Nothing may happen by itself while rows are counted and processes are killed.
        self.environment |= {"SPAI_SANDBOX": "false", "SPAI_PROFILE": "smoke"}
        self.var = var

    @property
    def stack(self) -> environment.Stack:
        return environment.load(self.environment)

    def command(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", "stack", *words],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        process = self.command(*words)
        output, _ = process.communicate(timeout=2 * TIMEOUT)
        return process.returncode, output

    def up(self) -> str:
        code, output = self.run("up")
        assert code == 0, output
        return output

    def status(self) -> dict[str, dict[str, object]]:
        return {row["name"]: row for row in json.loads(self.run("status", "--json")[1])}

    def processes(self) -> dict[str, psutil.Process]:
        return {name: psutil.Process(info["pid"]) for name, info in Supervisor(self.stack).states().items()}

    def left(self) -> list[psutil.Process]:
        return launch.marked_processes(str(self.var))

    def parts_left(self) -> set[str]:
        found = set()
        for process in self.left():
            # It may end while it is looked at.
            with contextlib.suppress(psutil.Error, OSError):
                found.add(process.environ().get("SPAI_PROCESS", ""))
        return found

    def wait_until_well(self, **restarts: int) -> dict[str, dict[str, object]]:
        """Wait until all processes are healthy, and those that are named have been restarted so often at least."""
        end = time.monotonic() + TIMEOUT
        while True:
            status = self.status()
            enough = all(status[name]["restarts"] >= number for name, number in restarts.items() if name in status)
            if status and enough and all(row["healthy"] for row in status.values()):
                return status
            assert time.monotonic() < end, status
            time.sleep(0.5)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    stack = Running(tmp_path_factory.mktemp("stack"))
    try:
        stack.up()
        yield stack
    finally:
        code, output = stack.run("down")
    assert code == 0, output
    assert stack.left() == []


@pytest.fixture
def fresh(tmp_path):
    stack = Running(tmp_path)
    yield stack
    stack.run("down")
    assert stack.left() == []


def wait_for(what):
    end = time.monotonic() + TIMEOUT
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("process", [*PROCESSES, "monitor"])
def test_a_killed_process_is_started_again_and_status_says_so(running, process):
    before = running.wait_until_well()[process]["restarts"]
    victim = running.processes()[process]
    victim.kill()
    wait_for(lambda: not victim.is_running())
    after = running.wait_until_well(**{process: before + 1})
    assert after[process]["restarts"] == before + 1
    assert "ended unexpectedly" in after[process]["latest_end_reason"]
    assert running.processes()[process].pid != victim.pid
    if process != "monitor":
        assert "(terminated by SIGKILL)" in after[process]["latest_end_reason"]
    assert f"{process} ended unexpectedly" in (running.var / "log" / "monitor.log").read_text()


def test_the_other_processes_go_on_when_postgresql_was_killed(running):
    before = {name: row["restarts"] for name, row in running.wait_until_well().items()}
    running.processes()["postgres"].kill()
    found = running.wait_until_well(postgres=before["postgres"] + 1)
    after = {name: row["restarts"] for name, row in found.items()}
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"postgres": 1}


def test_a_killed_child_of_the_web_process_is_replaced(running):
    running.wait_until_well()
    children = running.processes()["web"].children(recursive=True)
    workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())] or children
    workers[0].kill()
    # Each worker has a queue of connections. That of the killed one ends with its last thread, when it can be reaped.
    wait_for(lambda: not workers[0].is_running())
    address = running.stack.address("web")
    for _ in range(20):
        with urllib.request.urlopen(f"{address}/livez", timeout=TIMEOUT) as answer:
            assert answer.status == 200
        time.sleep(0.1)


def test_a_frozen_process_is_noticed_and_restarted(running):
    running.wait_until_well()
    before = running.status()["push"]["restarts"]
    frozen = running.processes()["push"]
    # The monitor believes in a process only after it has answered once.
    time.sleep(8)
    frozen.send_signal(signal.SIGSTOP)
    wait_for(lambda: not frozen.is_running())
    after = running.wait_until_well(push=before + 1)
    assert after["push"]["restarts"] == before + 1
    assert "no longer did its work" in after["push"]["latest_end_reason"]


def test_a_second_start_finds_the_first(running):
    processes = running.processes()
    output = running.up()
    assert "already runs" in output
    assert running.processes() == processes


def test_the_password_is_shown_once_and_kept_in_a_private_file(running):
    secret = (running.var / "admin-password").read_text().strip()
    assert (running.var / "admin-password").stat().st_mode & 0o777 == 0o600
    assert (running.var / "stack.env").stat().st_mode & 0o777 == 0o600
    output = running.up()
    assert str(running.var / "admin-password") in output
    assert secret not in output


def test_two_commands_at_once_do_not_meet(running):
    with guards.alone(running.stack):
        code, output = running.run("up")
    assert code == 1
    assert "Another command is already starting or stopping this stack" in output
    running.wait_until_well()


def test_after_the_supervisor_was_killed_the_next_start_heals(fresh):
    fresh.up()
    supervisor = psutil.Process(Supervisor(fresh.stack).call("getPID"))
    database = fresh.stack.own["DATABASE_URL"]
    supervisor.kill()
    supervisor.wait(TIMEOUT)
    assert fresh.run("status")[0] == 1
    fresh.up()
    fresh.wait_until_well()
    assert fresh.stack.own["DATABASE_URL"] == database


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_start_leaves_no_process(fresh, end):
    command = fresh.command("up")
    try:
        wait_for(lambda: "push" in fresh.parts_left())
    finally:
        command.send_signal(end)
        output, _ = command.communicate(timeout=TIMEOUT)
    # A command that was killed itself cannot tidy up; the monitor does that for it.
    wait_for(lambda: fresh.left() == [])
    assert command.returncode != 0
    if end != signal.SIGKILL:
        assert "everything that was started has been stopped" in output


def test_a_process_that_cannot_start_is_named_with_its_log_and_a_next_step(fresh):
    fresh.environment["DATABASE_URL"] = "postgresql://nobody:wrong@127.0.0.1:1/none"
    code, output = fresh.run("up")
    assert code == 1
    assert "DATABASE_URL names a server that does not answer" in output
    assert fresh.left() == []
