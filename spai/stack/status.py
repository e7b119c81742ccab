"""What every process says when it is asked: a table for people, the same answers for programs."""

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
    """What one process said when it was asked."""

    name: str
    healthy: bool
    says: str
    running_for_seconds: int
    restarts: int
    latest_end_at: str
    latest_end_reason: str
    purpose: str


def status() -> list[ProcessStatus]:
    """Ask every process; empty when the stack does not run."""
    stack = environment.load()
    supervisor = Supervisor(stack)
    if not supervisor.runs():
        return []
    states = supervisor.states()
    records = monitor.read_records(monitor.records_file(stack))

    def entry(name: str, purpose: str, ready: Callable[[], str]) -> ProcessStatus:
        info, record = states.get(name, {}), monitor.Record(**records.get(name, {}))
        runs = supervision.is_up(info)
        try:
            says, healthy = (ready(), True) if runs else (str(info.get("statename", "unknown")).lower(), False)
        except health.Unhealthy as reason:
            says, healthy = str(reason), False
        seconds = int(info["now"] - info["start"]) if runs else 0
        if runs and not healthy and seconds < monitor.LONGEST_START:
            says = f"not ready {seconds} s after its start: {says}"
        return ProcessStatus(
            name, healthy, says, seconds, record.restarts, record.latest_end_at, record.reason, purpose
        )

    rows = [entry(process.name, process.purpose, process.ready) for process in supervision.processes_of(stack)]
    rows.append(entry(supervision.MONITOR, "health checks and restarts", lambda: monitor.asks(stack)))
    return rows


def print_status(report: Report, *, as_json: bool) -> bool:
    """Show what every process says; return whether all are in health."""
    rows = status()
    if as_json:
        report.plain(json.dumps([asdict(row) for row in rows], indent=1))
    elif not rows:
        report.plain("The stack does not run. `make up` starts it.")
    else:
        report.plain(f"{'process':16}{'health':10}{'running for':14}{'restarts':10}says")
        for row in rows:
            running = str(timedelta(seconds=row.running_for_seconds)) if row.running_for_seconds else "–"
            report.plain(
                f"{row.name:16}{'well' if row.healthy else 'NOT WELL':10}{running:14}{row.restarts:<10}{row.says}"
            )
        for row in rows:
            if row.restarts:
                report.plain(f"{row.name} was restarted, latest at {row.latest_end_at}: it {row.latest_end_reason}.")
        stack = environment.load()
        report.plain(f"Revision {revision.running(stack)}. Logs in {stack.logs}.")
    return bool(rows) and all(row.healthy for row in rows)
