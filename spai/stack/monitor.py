"""Watches the processes while they run: writes down every restart, and restarts a process that no longer does its work.

An event listener of supervisor: it hears of every process that ends, and asks each running process for a little work.
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
from spai.stack.processes import KERNELS, Process
from spai.stack.supervision import MONITOR, Supervisor, is_up, processes_of, running_since

logger = logging.getLogger("spai.stack")

PAUSE = 5.0
"""Seconds between two rounds of questions."""
PAUSE_AFTER_FAILURE = 60.0
"""Seconds until a process that supervisor has given up is tried again."""
PATIENCE = 6
"""So many silent rounds in a row, with the processes it needs in health, and a process is restarted."""
LEAST_WORK = 0.02
"""Share of one processor from which on a silent process counts as slow, not as stuck: it is at work."""
LONGEST_WORK = 3600.0
"""Seconds for which a silent process that is at work is left alone; then it is in an endless loop."""
LONGEST_SILENCE = 120.0
"""Seconds within which a round of questions ends, even when several processes do not answer."""
LONGEST_START = 300.0
"""Seconds in which a process that was just started need not answer yet; once it has answered, it has no such excuse."""


@dataclass
class Record:
    """What became of one process since the stack was started."""

    restarts: int = 0
    latest_end_at: str = ""
    reason: str = ""


class Book:
    """The records of all processes, kept in a file that `status` reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.records = {name: Record(**fields) for name, fields in read_records(path).items()}

    def restart(self, process: str, reason: str) -> None:
        """Write down that `process` ended unasked, and why."""
        with self.lock:
            record = self.records.setdefault(process, Record())
            record.restarts += 1
            record.latest_end_at = datetime.now(UTC).isoformat(timespec="seconds")
            record.reason = reason
            write_private(
                self.path, json.dumps({name: asdict(record) for name, record in self.records.items()}, indent=1)
            )
        logger.warning("%s %s; it is started again (%d since the stack was started)", process, reason, record.restarts)


def read_records(path: Path) -> dict[str, dict[str, Any]]:
    """Return what the monitor has written down, by process; empty when there is nothing."""
    try:
        records: dict[str, dict[str, Any]] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return records


def records_file(stack: Stack) -> Path:
    """Return the file of the restarts since the stack was started."""
    return stack.run / "restarts.json"


def asked_file(stack: Stack) -> Path:
    """Return the file whose time is that of the latest round of questions."""
    return stack.run / "asked"


def asks(stack: Stack) -> str:
    """Return when the monitor asked all processes; its own health.

    Raises
    ------
    Unhealthy
        When the running monitor has not asked for a minute, or not yet.
    """
    file = asked_file(stack)
    start = running_since(Supervisor(stack), MONITOR)
    asked = datetime.fromtimestamp(file.stat().st_mtime, UTC) if file.exists() else None
    if start is None or asked is None or asked < start:
        raise health.Unhealthy("has not asked the processes yet")
    age = (datetime.now(UTC) - asked).total_seconds()
    if age > LONGEST_SILENCE:
        raise health.Unhealthy(f"has not asked the processes for {age:.0f} s")
    return f"asked all processes {age:.0f} s ago"


@dataclass
class Silence:
    """Rounds in a row in which a process did not answer.

    Attributes
    ----------
    since, latest_at : float
        The first and the latest of them, on the monotonic clock.
    rounds : int
    idle_rounds : int
        How many of the latest rounds in a row found that it had not used the processor either.
    work : float
        Processor time of its processes at the latest round, in seconds.
    """

    since: float
    latest_at: float = 0.0
    rounds: int = 0
    idle_rounds: int = 0
    work: float = 0.0


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its descendants have used, 0 when it is gone."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0.0
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


class Monitor:
    """Asks the processes in rounds; knows how often each has been silent."""

    def __init__(self, stack: Stack, book: Book) -> None:
        self.stack = stack
        self.book = book
        self.supervisor = Supervisor(stack)
        self.asked = asked_file(stack)
        self.silent: dict[str, Silence] = {}
        self.answered: dict[str, int] = {}
        """The process of each process that has answered."""
        self.expected: set[str] = set()
        self.processes: list[Process] = processes_of(stack)

    def round(self) -> None:
        """Ask every running process once; restart those that have been silent for too long."""
        self.asked.touch()
        states = self.supervisor.states()
        silent = set()
        for process in self.processes:
            info = states.get(process.name, {})
            if info.get("statename") == "FATAL" and time.time() - info["stop"] > PAUSE_AFTER_FAILURE:
                logger.error(
                    "%s cannot be started: %s; trying again. Its log: %s",
                    process.name,
                    info.get("spawnerr"),
                    info.get("logfile"),
                )
                self.supervisor.start(process.name)
            if not is_up(info):
                silent.add(process.name)
                self.silent.pop(process.name, None)
                continue
            try:
                process.alive()
            except health.Unhealthy as reason:
                silent.add(process.name)
                is_starting = (
                    self.answered.get(process.name) != info["pid"] and info["now"] - info["start"] < LONGEST_START
                )
                if silent.isdisjoint(process.needs) and not is_starting:
                    self.blame(process, info["pid"], str(reason))
            else:
                self.silent.pop(process.name, None)
                self.answered[process.name] = info["pid"]

    def blame(self, process: Process, pid: int, reason: str) -> None:
        """Count a silence of `process`; kill it when it has been silent for too long without doing anything.

        A process that uses the processor is slow, as everything is on a machine with too much to do: killing it would
        make it slower yet. Only an endless loop keeps a process at work for `LONGEST_WORK` without one answer.
        """
        now, work = time.monotonic(), processor_seconds(pid)
        silence = self.silent.setdefault(process.name, Silence(since=now))
        worked = work - silence.work >= LEAST_WORK * (now - silence.latest_at)
        # The first round has nothing to compare with.
        silence.idle_rounds = 0 if worked and silence.rounds else silence.idle_rounds + 1
        silence.rounds, silence.latest_at, silence.work = silence.rounds + 1, now, work
        logger.warning(
            "%s: %s (%d rounds, in the latest %d it did nothing)",
            process.name,
            reason,
            silence.rounds,
            silence.idle_rounds,
        )
        if silence.idle_rounds >= PATIENCE or now - silence.since >= LONGEST_WORK:
            del self.silent[process.name]
            self.expected.add(process.name)
            self.book.restart(process.name, f"no longer did its work ({reason}) and was killed")
            self.supervisor.kill(process.name)

    def heard(self, event: str, payload: str) -> None:
        """Take note of an event of supervisor."""
        fields = get_headers(payload)
        process = fields["processname"]
        if process == MONITOR:
            return
        if event in ("PROCESS_STATE_EXITED", "PROCESS_STATE_BACKOFF"):
            if process in self.expected:
                self.expected.discard(process)
            else:
                self.book.restart(process, f"ended unexpectedly{ending(self.stack.logs / 'supervisor.log', process)}")
        elif event == "PROCESS_STATE_RUNNING" and fields["from_state"] == "STARTING":
            logger.info("%s runs, process %s", process, fields["pid"])


def own_restart(stack: Stack, supervisor: Supervisor, book: Book) -> None:
    """Write down that this process itself was started again under the same supervisor; nobody else could hear that."""
    mark, pid = stack.run / "monitored-by", str(supervisor.ask("getPID"))
    if mark.is_file() and mark.read_text() == pid:
        book.restart(MONITOR, "ended unexpectedly")
    mark.write_text(pid)


def ending(log: Path, process: str) -> str:
    """Return how the latest process of `process` ended, as supervisor's log says, empty when it does not."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            told = re.findall(
                rf"exited: {re.escape(process)} \((.*?); not expected\)", file.read().decode(errors="replace")
            )
    except FileNotFoundError:
        return ""
    return f" ({told[-1]})" if told else ""


def abandoned(stack: Stack) -> bool:
    """Whether the command that was starting this stack died before it was done."""
    try:
        pid, created = (stack.run / "starting").read_text().split()
    except (FileNotFoundError, ValueError):
        return False
    try:
        return psutil.Process(int(pid)).create_time() != float(created)
    except psutil.NoSuchProcess:
        return True


def ask_in_rounds(monitor: Monitor) -> None:
    """Ask for as long as this process lives."""
    while True:
        time.sleep(PAUSE)
        if abandoned(monitor.stack):
            logger.error("the command that was starting the stack is gone; ending what it had started")
            launch.end(launch.leftovers(str(monitor.stack.var), KERNELS))
            monitor.supervisor.shutdown()
            return
        try:
            monitor.round()
        except OSError as error:
            logger.warning("supervisor does not answer: %s", error)
        except Exception:
            logger.exception("a round of questions failed")


def main() -> None:
    """Listen to supervisor on the standard streams, and ask the processes beside it."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stack = environment.load()
    book = Book(records_file(stack))
    monitor = Monitor(stack, book)
    own_restart(stack, monitor.supervisor, book)
    logger.info("watching %s", ", ".join(process.name for process in monitor.processes))
    threading.Thread(target=ask_in_rounds, args=(monitor,), daemon=True).start()
    while True:
        headers, payload = listener.wait()
        try:
            monitor.heard(headers["eventname"], payload)
        finally:
            listener.ok()


if __name__ == "__main__":
    main()
