"""Waiting until processes are ready, and what to report about one that is not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from spai.stack import health, supervision
from spai.stack.environment import Stack
from spai.stack.errors import StackError
from spai.stack.processes import Process
from spai.stack.report import Report
from spai.stack.supervision import Supervisor

TIMEOUT = 300.0
"""Longest wait for the processes, in seconds; the crash recovery of a large database takes longest."""
LONGEST_PAUSE = 1.0
"""Longest pause between two checks, in seconds."""
MAX_STARTS = 6
"""Supervisor's starts of one process, failed ones included, after which it counts as broken."""
LINES_OF_LOG = 15


def await_ready(supervisor: Supervisor, processes: Sequence[Process], report: Report, *, quiet: bool = False) -> None:
    """Wait until every process is ready, and report each unless `quiet`.

    Raises
    ------
    StackError
        When one is not ready within `TIMEOUT`, or supervisor gives up on it.
    """
    end, pause = time.monotonic() + TIMEOUT, 0.05
    waiting = {process.name: process for process in processes}
    reasons: dict[str, str] = {}
    starts: dict[str, set[int]] = {process.name: set() for process in processes}
    while waiting:
        states = supervisor.states()
        for name, process in list(waiting.items()):
            state = states[name]
            # A process that supervisor is about to start again has no pid, but the time of its latest start.
            starts[name].add(state["pid"] or state["start"])
            if state["statename"] in ("FATAL", "EXITED") or len(starts[name]) > MAX_STARTS:
                raise failure(supervisor.stack, process, "ends right after its start, again and again")
            try:
                answer = process.ready() if supervision.is_up(state) else ""
            except health.Unhealthy as reason:
                reasons[name] = str(reason)
                continue
            if not answer:
                reasons[name] = "it ended while it was starting"
                continue
            del waiting[name]
            if not quiet:
                report.step(f"{name}: {process.purpose}{f', port {process.port}' if process.port else ''}; {answer}")
        if waiting and time.monotonic() > end:
            name, process = next(iter(waiting.items()))
            why = reasons.get(name, "no answer")
            raise failure(supervisor.stack, process, f"was not ready after {TIMEOUT:.0f} s: {why}")
        if waiting:
            time.sleep(pause)
            pause = min(pause * 1.2, LONGEST_PAUSE)


def reasons_of_unready(supervisor: Supervisor, processes: Sequence[Process]) -> dict[str, str]:
    """Check each process once; return the reasons of those that are not ready, by name."""
    states = supervisor.states()
    reasons = {}
    for process in processes:
        state = states[process.name]
        try:
            if supervision.is_up(state):
                process.ready()
            else:
                reasons[process.name] = str(state["statename"]).lower()
        except health.Unhealthy as reason:
            reasons[process.name] = str(reason)
    return reasons


def failure(stack: Stack, process: Process, what: str) -> StackError:
    """Return the error that names a process, the end of its log and the next step."""
    log = stack.logs / f"{process.name}.log"
    return StackError(
        f"{process.name} ({process.purpose}) {what}.\n"
        f"The last lines of {log}:\n{last_lines(log)}\n"
        f"Fix what they report, then run `make up` again. `make logs` shows all logs, `make status` checks the other"
        f" processes, and `make down` stops them."
    )


def last_lines(path: Path, count: int = LINES_OF_LOG) -> str:
    """Return the end of a log, indented."""
    try:
        lines = path.read_text(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        lines = []
    return "\n".join(f"    {line}" for line in lines) or "    (the log is empty)"
