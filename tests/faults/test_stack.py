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

from spai.stack import environment, launch, lifecycle
from spai.stack.supervision import Supervisor

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
# The sandbox does not run here, see below.
PARTS = ["postgres", "redis", "mlflow", "web", "office", "push", "beat"]
PARTS += ["worker-scrape", "worker-ml", "worker-forecast", "worker-default"]
OF_THE_TESTS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE", "SPAI_FACE")


class Running:
    """A stack, spoken to as a person would: by its commands."""

    def __init__(self, var: Path) -> None:
        self.environment = {name: value for name, value in os.environ.items() if name not in OF_THE_TESTS}
        # Nothing may happen by itself while rows are counted and processes are killed.
        self.environment |= {"SPAI_VAR_DIR": str(var), "SPAI_SANDBOX": "false", "SPAI_PROFILE": "smoke"}
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
        output, _ = process.communicate(timeout=400)
        return process.returncode, output

    def up(self) -> str:
        code, output = self.run("up")
        assert code == 0, output
        return output

    def status(self) -> dict[str, dict[str, object]]:
        return {row["name"]: row for row in json.loads(self.run("status", "--json")[1])}

    def processes(self) -> dict[str, psutil.Process]:
        return {name: psutil.Process(info["pid"]) for name, info in Supervisor(self.stack).processes().items()}

    def left(self) -> list[psutil.Process]:
        return launch.leftovers(str(self.var))

    def parts_left(self) -> set[str]:
        found = set()
        for process in self.left():
            # It may end while it is looked at.
            with contextlib.suppress(psutil.Error, OSError):
                found.add(process.environ().get("SPAI_PART", ""))
        return found

    def wait_until_well(self, seconds: float = 120) -> dict[str, dict[str, object]]:
        end = time.monotonic() + seconds
        while True:
            status = self.status()
            if status and all(row["healthy"] for row in status.values()):
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


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("part", [*PARTS, "watch"])
def test_a_killed_part_is_started_again_and_status_says_so(running, part):
    before = running.wait_until_well()[part]["restarts"]
    victim = running.processes()[part]
    victim.kill()
    wait_for(lambda: not victim.is_running())
    after = running.wait_until_well()
    assert after[part]["restarts"] == before + 1
    assert "ended unexpectedly" in after[part]["latest_end_reason"]
    assert running.processes()[part].pid != victim.pid
    if part != "watch":
        assert "(terminated by SIGKILL)" in after[part]["latest_end_reason"]
    assert f"{part} ended unexpectedly" in (running.var / "log" / "watch.log").read_text()


def test_the_other_parts_go_on_when_postgresql_was_killed(running):
    before = {name: row["restarts"] for name, row in running.wait_until_well().items()}
    running.processes()["postgres"].kill()
    time.sleep(1)
    after = {name: row["restarts"] for name, row in running.wait_until_well().items()}
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"postgres": 1}


def test_a_killed_child_of_the_web_process_is_replaced(running):
    running.wait_until_well()
    children = running.processes()["web"].children(recursive=True)
    workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())] or children
    workers[0].kill()
    wait_for(lambda: not workers[0].is_running() or workers[0].status() == psutil.STATUS_ZOMBIE)
    address = running.stack.address("web")
    for _ in range(20):
        with urllib.request.urlopen(f"{address}/livez", timeout=20) as answer:
            assert answer.status == 200
        time.sleep(0.1)


def test_a_frozen_part_is_noticed_and_restarted(running):
    running.wait_until_well()
    before = running.status()["push"]["restarts"]
    frozen = running.processes()["push"]
    # The watch believes in a part only after it has answered once.
    time.sleep(8)
    frozen.send_signal(signal.SIGSTOP)
    wait_for(lambda: not frozen.is_running(), seconds=120)
    after = running.wait_until_well()
    assert after["push"]["restarts"] == before + 1
    assert "no longer did its work" in after["push"]["latest_end_reason"]


def test_a_second_start_finds_the_first(running):
    processes = running.processes()
    began = time.monotonic()
    output = running.up()
    assert "already runs" in output
    assert time.monotonic() - began < 30
    assert running.processes() == processes


def test_the_password_is_shown_once_and_kept_in_a_private_file(running):
    secret = (running.var / "admin-password").read_text().strip()
    assert (running.var / "admin-password").stat().st_mode & 0o777 == 0o600
    assert (running.var / "stack.env").stat().st_mode & 0o777 == 0o600
    output = running.up()
    assert str(running.var / "admin-password") in output
    assert secret not in output


def test_two_commands_at_once_do_not_meet(running):
    with lifecycle.alone(running.stack):
        code, output = running.run("up")
    assert code == 1
    assert "Another command is already starting or stopping this stack" in output
    running.wait_until_well()


def test_after_the_supervisor_was_killed_the_next_start_heals(fresh):
    fresh.up()
    supervisor = psutil.Process(Supervisor(fresh.stack).ask("getPID"))
    database = fresh.stack.own["DATABASE_URL"]
    supervisor.kill()
    supervisor.wait(10)
    assert fresh.run("status")[0] == 1
    fresh.up()
    fresh.wait_until_well()
    assert fresh.stack.own["DATABASE_URL"] == database


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_start_leaves_no_process(fresh, end):
    command = fresh.command("up")
    try:
        wait_for(lambda: "push" in fresh.parts_left(), seconds=200)
    finally:
        command.send_signal(end)
        output, _ = command.communicate(timeout=120)
    # A command that was killed itself cannot tidy up; the watch does that for it.
    wait_for(lambda: fresh.left() == [], seconds=90)
    assert command.returncode != 0
    if end != signal.SIGKILL:
        assert "everything that was started has been ended" in output


def test_a_part_that_cannot_start_is_named_with_its_log_and_a_next_step(fresh):
    fresh.environment["DATABASE_URL"] = "postgresql://nobody:wrong@127.0.0.1:1/none"
    code, output = fresh.run("up")
    assert code == 1
    assert "DATABASE_URL names a server that does not answer" in output
    assert fresh.left() == []
