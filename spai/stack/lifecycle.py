"""The commands `up`, `down` and `restart`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from spai.stack import environment, privacy, renamed, revision, runs, supervision
from spai.stack.environment import Stack
from spai.stack.errors import StackError
from spai.stack.guards import alone, interruptible, starting, uninterrupted
from spai.stack.ports import Claims
from spai.stack.preparation import prepare_files, prepare_site, start_servers
from spai.stack.processes import SERVERS, SITE, Process
from spai.stack.readiness import TIMEOUT, await_ready, reasons_of_unready
from spai.stack.report import Report
from spai.stack.summary import print_summary
from spai.stack.supervision import Supervisor


def up(report: Report) -> None:
    """Start what does not run, wait until the site answers, and print where it is and what is still starting.

    Raises
    ------
    StackError
        When a process fails; the message has its name, the end of its log and the next step.
    KeyboardInterrupt
        When interrupted; everything that this call started has been stopped.
    """
    stack = environment.load()
    refuse_old_names(stack)
    supervisor = Supervisor(stack)
    with alone(stack), interruptible():
        is_running = supervisor.is_running()
        if is_running and not supervisor.is_of_earlier_version():
            adopt(stack, report)
            return
        if is_running:
            report.step("An earlier version started the stack that runs; it is restarted with this version.")
            with uninterrupted():
                end(stack, report)
        begin(stack, report)


def refuse_old_names(stack: Stack) -> None:
    """Raise `StackError` when the operator sets a variable under the name that an earlier version used."""
    if error := renamed.error_in(stack.overrides):
        raise StackError(error)


def begin(stack: Stack, report: Report) -> None:
    """Start the whole stack, after stopping what an earlier run left."""
    if left := supervision.stop_marked(stack):
        report.step(f"Stopped what an earlier run had left: {', '.join(left)}")
    with Claims() as claims:
        stack = environment.complete(stack, claims)
        if closed := privacy.close(stack.var):
            report.step(f"Closed {closed} files and folders in {stack.var} to other users of this machine")
        renamed.convert_files(stack.logs, stack.run)
        first_password = begin_processes(stack, claims, report)
    background = [process.name for process in supervision.processes_of(stack) if process.name not in (*SERVERS, *SITE)]
    report.step(f"Starting in the background: {', '.join(background)}; `make status` shows when each is ready")
    print_summary(stack, report, first_password, background)


def begin_processes(stack: Stack, claims: Claims, report: Report) -> str:
    """Start all processes and wait until the site is ready; return the admin user's password when it is new.

    A failure of the servers or of the preparation stops everything. When a process of the site fails afterwards, the
    others keep running, so that `make status` and `make logs` can show why.
    """
    with starting(stack):
        try:
            processes = supervision.processes_of(stack)
            prepare_files(stack, report)
            supervisor = launch(stack, processes, claims)
            start_servers(stack, supervisor, processes, report)
            first_password = prepare_site(stack, report)
        except (KeyboardInterrupt, Exception) as error:
            stop_all(stack, report, is_interrupted=isinstance(error, KeyboardInterrupt))
            raise
        try:
            site = [process for process in processes if process.name in SITE]
            for process in site:
                supervisor.start(process.name)
            await_ready(supervisor, site, report)
            # No page depends on the others, and they would take the processors from the site while it starts.
            for process in processes:
                supervisor.start(process.name)
        except KeyboardInterrupt:
            stop_all(stack, report, is_interrupted=True)
            raise
    return first_password


def stop_all(stack: Stack, report: Report, *, is_interrupted: bool) -> None:
    """Stop everything that a failed or interrupted start has started."""
    with uninterrupted():
        supervision.stop(stack, timeout=30)
    if is_interrupted:
        report.step("Interrupted: everything that was started has been stopped.")


def adopt(stack: Stack, report: Report) -> None:
    """Start the processes that do not run in a stack that does."""
    processes = supervision.processes_of(stack)
    supervisor = Supervisor(stack)
    states = supervisor.states()
    known = [process for process in processes if process.name in states]
    stopped = [process.name for process in known if not supervision.is_up(states[process.name])]
    for name in stopped:
        supervisor.start(name)
    report.step(f"The stack already runs{'; started what did not: ' if stopped else ''}{', '.join(stopped)}")
    await_ready(supervisor, [process for process in known if process.name in (*SERVERS, *SITE)], report, quiet=True)
    unready = reasons_of_unready(supervisor, [process for process in known if process.name not in (*SERVERS, *SITE)])
    for name, reason in unready.items():
        report.step(f"{name} is not ready: {reason}; `make status` shows when it is, `make logs` why it is not")
    written = stack.run / "supervisord.conf"
    if written.read_text() != supervision.configuration(stack, processes):
        report.step("Its settings have changed since it was started: `make restart` applies them.")
    if revision.of_start(stack) != revision.fingerprint():
        report.step("Its code has changed since it was started: `make restart` runs the new code.")
    print_summary(stack, report, "", unready)


def launch(stack: Stack, processes: Sequence[Process], claims: Claims) -> Supervisor:
    """Start supervisor; the counts of restarts and the metrics begin at zero."""
    shutil.rmtree(stack.metrics, ignore_errors=True)
    stack.metrics.mkdir(parents=True, mode=0o700)
    for name in ("restarts.json", "health.json", "monitored-by"):
        (stack.run / name).unlink(missing_ok=True)
    revision.note(stack)
    return supervision.start(stack, processes, claims)


def down(report: Report) -> None:
    """Stop every process of this stack, and no other."""
    stack = environment.load()
    with alone(stack), uninterrupted():
        end(stack, report)


def end(stack: Stack, report: Report) -> None:
    """Stop the stack and report it."""
    was_running = Supervisor(stack).is_running()
    if was_running:
        if run := runs.under_way(stack):
            report.step(f"{run}: it is interrupted now and resumes at the next `make up`; finished stages are kept")
        report.step("Stopping all processes; a worker may finish its task, for at most 15 s")
    left = supervision.stop(stack, timeout=60)
    if left:
        report.step(f"Stopped what was left: {', '.join(left)}")
    report.step(
        f"The stack is down; its data stays in {stack.var}" if was_running or left else "The stack was not running."
    )


def restart(report: Report, name: str | None = None) -> None:
    """Stop and start one process, or everything.

    Raises
    ------
    StackError
        As `up`; also when there is no such process, or the stack does not run.
    """
    stack = environment.load()
    refuse_old_names(stack)
    with alone(stack), interruptible():
        if name is None:
            with uninterrupted():
                end(stack, report)
            begin(stack, report)
            return
        supervisor = Supervisor(stack)
        chosen = [process for process in supervision.processes_of(stack) if process.name == name]
        if not chosen:
            raise StackError(f"There is no process {name!r}: `make status` lists them.")
        if not supervisor.is_running():
            raise StackError("The stack does not run: `make up` starts it.")
        if supervisor.is_of_earlier_version():
            raise StackError("An earlier version started the stack: `make restart` restarts it with this one.")
        if name not in supervisor.states():
            raise StackError(f"{name} was switched on after the stack was started: `make restart` starts it too.")
        if name == runs.WORKER and (run := runs.under_way(stack)):
            report.step(f"{run}: it is interrupted now and resumes once {name} is back; finished stages are kept")
        supervisor.stop([name], TIMEOUT)
        supervisor.start(name)
        await_ready(supervisor, chosen, report)
