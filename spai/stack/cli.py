"""`manage.py stack …`: the words of the command line.

manage.py comes here before Django: `up` writes what settings need, and `down`, `status` and `logs` must work when the
site's code does not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from spai.stack import environment, lifecycle, logs
from spai.stack.lifecycle import StackError
from spai.stack.privacy import private_umask
from spai.stack.report import Report
from spai.stack.servers import ServerError
from spai.stack.status import print_status
from spai.stack.supervision import SupervisorError

HELP = "Run SPAI on this machine: PostgreSQL, Redis, MLflow, the site, its workers and their clock."
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options to `parser`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="{up,down,restart,status,logs}")
    actions.add_parser("up", help="start everything, wait until it answers, say where it is")
    actions.add_parser("down", help="stop everything; all data is kept")
    restart = actions.add_parser("restart", help="stop and start everything, or one process, with the code of now")
    restart.add_argument("process", nargs="?", help="a name that `status` lists")
    status = actions.add_parser("status", help="ask every process whether it does its work; exit code 0 when all do")
    status.add_argument("--json", action="store_true", help="the answers for programs")
    log = actions.add_parser("logs", help="show the latest lines of all logs, or of one process")
    log.add_argument("process", nargs="?", help="a name that `status` lists")
    log.add_argument("--follow", "-f", action="store_true", help="go on with every new line")


def run(options: argparse.Namespace) -> int:
    """Do what `options` ask; return the exit code."""
    with private_umask():
        return _run(options, Report(sys.stdout))


def _run(options: argparse.Namespace, report: Report) -> int:
    try:
        if options.action == "up":
            lifecycle.up(report)
        elif options.action == "down":
            lifecycle.down(report)
        elif options.action == "restart":
            lifecycle.restart(report, options.process)
        elif options.action == "status":
            return 0 if print_status(report, as_json=options.json) else 1
        else:
            return show_logs(report, options.process, follow=options.follow)
    except (StackError, ServerError, SupervisorError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"\nSPAI did not do it: {error}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who read the lines has gone; nothing may complain about that at the end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # Such as a full disk, or a folder that belongs to somebody else.
        sys.stdout.flush()
        sys.stderr.write(f"\nSPAI did not do it: {error.strerror or error}{_where(error)}\n")
        return 1
    return 0


def _where(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def show_logs(report: Report, process: str | None, *, follow: bool) -> int:
    """Write log lines until there are no more, or until Ctrl-C."""
    stack = environment.load()
    if not logs.log_files(stack, process):
        report.plain(f"There is no log {f'of {process!r} ' if process else ''}in {stack.logs}.")
        return 1
    with contextlib.suppress(KeyboardInterrupt):
        for line in logs.lines(stack, process, follow=follow):
            report.plain(line)
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="manage.py stack", description=HELP)
    add_arguments(parser)
    return run(parser.parse_args(arguments))
