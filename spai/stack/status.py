"""`status`: a health check of every process, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta

from spai.stack import environment, health, monitor, revision, supervision
from spai.stack.report import Report
from spai.stack.supervision import Supervisor


@dataclass(frozen=True)
class ProcessStatus:
    """The result of one process's health check; its fields are the keys of `status --json`."""

    name: str
    healthy: bool
    says: str
    running_for_seconds: int
    restarts: int
    latest_end_at: str
    latest_end_reason: str
    purpose: str


def status() -> list[ProcessStatus]:
    """Check every process; empty when the stack does not run."""
    stack = environment.load()
    supervisor = Supervisor(stack)
    if not supervisor.is_running():
        return []
    states = supervisor.states()
    records = monitor.read_records(monitor.records_file(stack))

    def row(name: str, purpose: str, ready: Callable[[], str]) -> ProcessStatus:
        state, record = states.get(name, {}), monitor.RestartRecord(**records.get(name, {}))
        is_up = supervision.is_up(state)
        try:
            says, healthy = (ready(), True) if is_up else (str(state.get("statename", "not started")).lower(), False)
        except health.Unhealthy as reason:
            says, healthy = str(reason), False
        seconds = int(state["now"] - state["start"]) if is_up else 0
        if is_up and not healthy and seconds < monitor.LONGEST_START:
            says = f"not ready {seconds} s after its start: {says}"
        return ProcessStatus(
            name, healthy, says, seconds, record.restarts, record.latest_end_at, record.reason, purpose
        )

    rows = [row(process.name, process.purpose, process.ready) for process in supervision.processes_of(stack)]
    rows.append(row(supervision.MONITOR, "health checks and restarts", lambda: monitor.check_monitor(stack)))
    return rows


def print_status(report: Report, *, as_json: bool) -> bool:
    """Print the health of every process; return whether all are healthy."""
    rows = status()
    if as_json:
        report.line(json.dumps([asdict(row) for row in rows], indent=1))
    elif not rows:
        report.line("The stack does not run. `make up` starts it.")
    else:
        report.line(f"{'process':16}{'health':11}{'running for':14}{'restarts':10}check")
        for row in rows:
            running = str(timedelta(seconds=row.running_for_seconds)) if row.running_for_seconds else "–"
            health_word = "healthy" if row.healthy else "UNHEALTHY"
            report.line(f"{row.name:16}{health_word:11}{running:14}{row.restarts:<10}{row.says}")
        for row in rows:
            if row.restarts:
                report.line(f"{row.name} was restarted, latest at {row.latest_end_at}: it {row.latest_end_reason}.")
        stack = environment.load()
        report.line(f"Revision {revision.running(stack)}. Logs in {stack.logs}.")
    return bool(rows) and all(row.healthy for row in rows)
