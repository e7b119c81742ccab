"""The monitor: records every restart, and restarts a process that fails its health check for too long.

It is an event listener of supervisor, which notifies it of every process that ends. In between it runs the `alive`
check of each process.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from supervisor.childutils import get_headers, listener

from spai.stack import environment, health, launch
from spai.stack.environment import Stack, write_private
from spai.stack.guards import is_abandoned
from spai.stack.processes import KERNELS, Process
from spai.stack.supervision import MONITOR, Supervisor, is_up, processes_of, running_since

logger = logging.getLogger("spai.stack")

PAUSE = 5.0
"""Seconds between two rounds of checks, while any process is unhealthy or starts."""
PAUSE_IN_HEALTH = 15.0
"""Seconds until the next round when all processes are healthy; supervisor notices at once when one ends."""
PAUSE_AFTER_FAILURE = 60.0
"""Seconds until a process that supervisor has given up is started again."""
MAX_FAILURES = 6
"""Failed checks in a row, with the processes that it needs in health, after which an idle process is restarted."""
LEAST_WORK = 0.02
"""Share of one processor from which a process that fails its checks counts as slow, not as stuck."""
LONGEST_WORK = 3600.0
"""Seconds after which a process that works but fails its checks counts as stuck too: it is in an endless loop."""
LONGEST_ROUND = 120.0
"""Seconds within which a round of checks ends, even when several processes do not answer."""
LONGEST_START = 300.0
"""Seconds after its start in which the failures of a process that has not passed a check yet do not count."""


@dataclass
class RestartRecord:
    """The restarts of one process since the stack was started."""

    restarts: int = 0
    latest_end_at: str = ""
    reason: str = ""


class RestartLog:
    """The restarts of all processes, kept in a file that `status` reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.records = {name: RestartRecord(**fields) for name, fields in read_records(path).items()}

    def add(self, name: str, reason: str) -> None:
        """Record that a process ended although nobody had stopped it."""
        with self.lock:
            record = self.records.setdefault(name, RestartRecord())
            record.restarts += 1
            record.latest_end_at = datetime.now(UTC).isoformat(timespec="seconds")
            record.reason = reason
            write_private(
                self.path, json.dumps({name: asdict(record) for name, record in self.records.items()}, indent=1)
            )
        logger.warning("%s %s; it is started again (%d since the stack was started)", name, reason, record.restarts)


def read_records(path: Path) -> dict[str, dict[str, Any]]:
    """Return the recorded restarts by process, empty when there are none."""
    try:
        records: dict[str, dict[str, Any]] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return records


def records_file(stack: Stack) -> Path:
    """Return the file of the restarts since the stack was started."""
    return stack.run / "restarts.json"


def health_file(stack: Stack) -> Path:
    """Return the file that has, for each process, whether it passed the latest check; `/metrics` reads it."""
    return stack.run / "health.json"


def round_file(stack: Stack) -> Path:
    """Return the file whose modification time is the start of the latest round of checks."""
    return stack.run / "checked"


def check_monitor(stack: Stack) -> str:
    """Check the health of the monitor itself; return when its latest round began.

    Raises
    ------
    Unhealthy
        When that is too long ago, or the running monitor has not begun one.
    """
    file = round_file(stack)
    start = running_since(Supervisor(stack), MONITOR)
    latest = datetime.fromtimestamp(file.stat().st_mtime, UTC) if file.exists() else None
    if start is None or latest is None or latest < start:
        raise health.Unhealthy("has not checked the processes yet")
    age = (datetime.now(UTC) - latest).total_seconds()
    if age > LONGEST_ROUND:
        raise health.Unhealthy(f"has not checked the processes for {age:.0f} s")
    return f"checked all processes {age:.0f} s ago"


@dataclass
class FailedChecks:
    """The checks in a row that a process has failed."""

    since: float  # when the first of them failed, on the monotonic clock
    latest_at: float = 0.0
    count: int = 0
    idle_count: int = 0  # how many of the latest in a row found that it had not used the processor either
    work: float = 0.0  # processor time that it and its descendants had used at the latest check, in seconds


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its descendants have used, 0 when it does not exist."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0.0
    total = 0.0
    for process in tree:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


class Monitor:
    """Checks the processes in rounds and kills those that stay unhealthy; supervisor starts them again."""

    def __init__(self, stack: Stack, restarts: RestartLog) -> None:
        self.stack = stack
        self.restarts = restarts
        self.supervisor = Supervisor(stack)
        self.round_file = round_file(stack)
        self.failed: dict[str, FailedChecks] = {}
        self.passed: dict[str, int] = {}
        """The pid under which each process has passed a check."""
        self.health: dict[str, bool] = {}
        """Whether each process passed the latest check."""
        self.killed: set[str] = set()
        """Processes whose end was caused, and recorded, by this monitor."""
        self.processes: list[Process] = processes_of(stack)

    def check_all(self) -> bool:
        """Check every running process once; kill those that failed for too long. Return whether all are healthy."""
        self.round_file.touch()
        states = self.supervisor.states()
        unhealthy = set()
        for process in self.processes:
            state = states.get(process.name, {})
            if state.get("statename") == "FATAL" and time.time() - state["stop"] > PAUSE_AFTER_FAILURE:
                logger.error(
                    "%s cannot be started: %s; trying again. Its log: %s",
                    process.name,
                    state.get("spawnerr"),
                    state.get("logfile"),
                )
                self.supervisor.start(process.name)
            if not is_up(state):
                unhealthy.add(process.name)
                self.failed.pop(process.name, None)
                continue
            try:
                process.alive()
            except health.Unhealthy as reason:
                unhealthy.add(process.name)
                is_starting = (
                    self.passed.get(process.name) != state["pid"] and state["now"] - state["start"] < LONGEST_START
                )
                # The table lists what a process needs before the process itself, so that it has been checked by now.
                if unhealthy.isdisjoint(process.needs) and not is_starting:
                    self.count_failure(process, state["pid"], str(reason))
            else:
                self.failed.pop(process.name, None)
                self.passed[process.name] = state["pid"]
        self.note_health({process.name: process.name not in unhealthy for process in self.processes})
        return not unhealthy

    def note_health(self, found: dict[str, bool]) -> None:
        """Write the result of a round where it differs from the one before."""
        if found != self.health:
            write_private(health_file(self.stack), json.dumps(found))
            self.health = found

    def count_failure(self, process: Process, pid: int, reason: str) -> None:
        """Count a failed check; kill the process when it has failed for too long without working.

        A process that uses the processor is slow, as everything is on an overloaded machine: killing it would make it
        slower still. Only an endless loop keeps one at work for `LONGEST_WORK` without passing a check.
        """
        now, work = time.monotonic(), processor_seconds(pid)
        failed = self.failed.setdefault(process.name, FailedChecks(since=now))
        worked = work - failed.work >= LEAST_WORK * (now - failed.latest_at)
        # The first failure has no earlier one to compare with.
        failed.idle_count = 0 if worked and failed.count else failed.idle_count + 1
        failed.count, failed.latest_at, failed.work = failed.count + 1, now, work
        logger.warning(
            "%s: %s (%d failed checks, idle in the latest %d)", process.name, reason, failed.count, failed.idle_count
        )
        if failed.idle_count >= MAX_FAILURES or now - failed.since >= LONGEST_WORK:
            del self.failed[process.name]
            self.killed.add(process.name)
            self.restarts.add(process.name, f"no longer did its work ({reason}) and was killed")
            self.supervisor.kill(process.name)

    def handle_event(self, event: str, payload: str) -> None:
        """Record the unexpected end that an event of supervisor reports."""
        fields = get_headers(payload)
        name = fields["processname"]
        if name == MONITOR:
            return
        if event in ("PROCESS_STATE_EXITED", "PROCESS_STATE_BACKOFF"):
            if name in self.killed:
                self.killed.discard(name)
            else:
                self.restarts.add(name, f"ended unexpectedly{exit_reason(self.stack.logs / 'supervisor.log', name)}")
        elif event == "PROCESS_STATE_RUNNING" and fields["from_state"] == "STARTING":
            logger.info("%s runs, process %s", name, fields["pid"])


def record_own_restart(stack: Stack, supervisor: Supervisor, restarts: RestartLog) -> None:
    """Record that the same supervisor has started a monitor before: no other process could notice its end."""
    mark, pid = stack.run / "monitored-by", str(supervisor.call("getPID"))
    if mark.is_file() and mark.read_text() == pid:
        restarts.add(MONITOR, "ended unexpectedly")
    mark.write_text(pid)


def exit_reason(log: Path, name: str) -> str:
    """Return how the latest process `name` ended, in brackets, as supervisor's log has it; empty when it has not."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            reasons = re.findall(
                rf"exited: {re.escape(name)} \((.*?); not expected\)", file.read().decode(errors="replace")
            )
    except FileNotFoundError:
        return ""
    return f" ({reasons[-1]})" if reasons else ""


def check_in_rounds(monitor: Monitor) -> None:
    """Check for as long as this process lives."""
    are_healthy = False
    while True:
        time.sleep(PAUSE_IN_HEALTH if are_healthy else PAUSE)
        are_healthy = False
        if is_abandoned(monitor.stack):
            logger.error("the command that was starting the stack is gone; stopping what it had started")
            launch.end(launch.marked_processes(str(monitor.stack.var), KERNELS))
            monitor.supervisor.shutdown()
            return
        try:
            are_healthy = monitor.check_all()
        except OSError as error:
            logger.warning("supervisor does not answer: %s", error)
        except Exception:
            logger.exception("a round of checks failed")


def main() -> None:
    """Receive supervisor's events on the standard streams, and check the processes in a thread."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stack = environment.load()
    restarts = RestartLog(records_file(stack))
    monitor = Monitor(stack, restarts)
    record_own_restart(stack, monitor.supervisor, restarts)
    logger.info("monitoring %s", ", ".join(process.name for process in monitor.processes))
    threading.Thread(target=check_in_rounds, args=(monitor,), daemon=True).start()
    while True:
        headers, payload = listener.wait()
        try:
            monitor.handle_event(headers["eventname"], payload)
        finally:
            listener.ok()


if __name__ == "__main__":
    main()
