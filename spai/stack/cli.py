"""The command line of `manage.py stack`.

manage.py calls it before Django is set up: `up` writes what settings need, and `down`, `status` and `logs` must work
when the site's code does not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from spai.stack import environment, lifecycle, logs
from spai.stack.errors import StackError
from spai.stack.privacy import private_umask
from spai.stack.report import Report
from spai.stack.servers import ServerError
from spai.stack.status import print_status
from spai.stack.supervision import SupervisorError

HELP = "Run SPAI on this machine: PostgreSQL, Redis, MLflow, the site, its workers and celery-beat."
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options to `parser`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="{up,down,restart,status,logs}")
    actions.add_parser("up", help="start everything, wait until it answers, print the addresses")
    actions.add_parser("down", help="stop everything; all data is kept")
    restart = actions.add_parser("restart", help="stop and start everything, or one process, with the current code")
    restart.add_argument("process", nargs="?", help="a name that `status` lists")
    status = actions.add_parser("status", help="check every process; exit code 0 when all are healthy")
    status.add_argument("--json", action="store_true", help="print the result as JSON")
    log = actions.add_parser("logs", help="show the latest lines of all logs, or of one process")
    log.add_argument("process", nargs="?", help="a name that `status` lists")
    log.add_argument("--follow", "-f", action="store_true", help="wait for new lines")


def run(options: argparse.Namespace) -> int:
    """Run the command that `options` name; return the exit code."""
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
        sys.stderr.write(f"\nThe command failed: {error}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has closed it; the interpreter must not report that at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # Such as a full disk, or a folder of another user.
        where = f": {error.filename}" if error.filename else ""
        sys.stdout.flush()
        sys.stderr.write(f"\nThe command failed: {error.strerror or error}{where}\n")
        return 1
    return 0


def show_logs(report: Report, name: str | None, *, follow: bool) -> int:
    """Print log lines until there are no more, or until Ctrl-C."""
    stack = environment.load()
    if not logs.log_files(stack, name):
        report.line(f"There is no log {f'of {name!r} ' if name else ''}in {stack.logs}.")
        return 1
    with contextlib.suppress(KeyboardInterrupt):
        for line in logs.lines(stack, name, follow=follow):
            report.line(line)
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="manage.py stack", description=HELP)
    add_arguments(parser)
    return run(parser.parse_args(arguments))
