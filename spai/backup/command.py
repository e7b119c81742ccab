"""`manage.py spai backup` and `manage.py spai restore`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg

from spai.backup import archive
from spai.backup.archive import ArchiveManifest
from spai.backup.errors import BackupError
from spai.stack import environment
from spai.stack.environment import Stack
from spai.stack.privacy import private_umask
from spai.stack.processes import SERVERS
from spai.stack.servers import ServerError
from spai.stack.supervision import Supervisor

BACKUP: Final = "write a folder with everything that cannot be made again"
RESTORE: Final = "put back what a backup has"
STOPPED: Final = (
    "The stack is stopped, and its PostgreSQL with it. `make up` starts it, and brings the tables up to date with the "
    "code that is here. For a backup of the tables as they are, run `make up` with the code that ran last, then repeat."
)
STOP_SECONDS: Final = 60.0
INTERRUPTED: Final = 130


def add_backup(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of a backup."""
    parser.add_argument("folder", nargs="?", type=Path, help="new folder; default: one in SPAI_VAR_DIR/backups")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_restore(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of a restore."""
    parser.add_argument("folder", type=Path, help="the folder that a backup wrote")
    parser.add_argument("--replace", action="store_true", help="delete the data that is there now")
    parser.add_argument("--check", action="store_true", help="compare the archive with its checksums, restore nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def backup(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Make an archive; return what is printed, as a document and as text."""
    stack = environment.load()
    target = options.folder or stack.var / "backups" / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    try:
        manifest = archive.make(stack, target.absolute(), _print_progress)
    except BackupError as error:
        is_ours = bool(stack.own) and not stack.is_external("postgres")
        if isinstance(error.__cause__, psycopg.OperationalError) and is_ours and not Supervisor(stack).is_running():
            raise BackupError(f"{error}. {STOPPED}") from error
        raise
    lines = [f"{target}: {_summary(manifest)}. It has secrets: keep it where only operators can read it."]
    lines += [f"not in it: {name}, which is at {place}" for name, place in manifest.elsewhere.items()]
    lines += [
        f"{name} can be restored into PostgreSQL {facts['pg_dump']} or newer only: this machine has no pg_dump of "
        f"version {facts['server']}, that of the server"
        for name, facts in manifest.databases.items()
        if facts["pg_dump"] > facts["server"]
    ]
    return {"folder": str(target)} | _document(manifest), "\n".join(lines)


def restore(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Restore or check an archive; return what is printed, as a document and as text."""
    folder: Path = options.folder.absolute()
    if options.check:
        manifest = ArchiveManifest.read(folder)
        archive.verify(folder, manifest)
        return {"folder": str(folder)} | _document(manifest), f"{folder} is sound: {_summary(manifest)}."
    stack = environment.load()
    manifest = archive.restore(stack, folder, _print_progress, stop=lambda: _stop_site(stack), replace=options.replace)
    next_step = "`make restart` starts the site" if stack.own else "run `manage.py migrate`, then start the processes"
    text = f"Restored {_summary(manifest)}, and every table is as it was. Now {next_step} with this code."
    return {"folder": str(folder)} | _document(manifest), text


def _stop_site(stack: Stack) -> None:
    """Stop what uses the databases of a stack that runs: all but its servers."""
    supervisor = Supervisor(stack)
    if supervisor.is_running():
        _print_progress("stopping the site and its workers")
        supervisor.stop([name for name in supervisor.states() if name not in SERVERS], STOP_SECONDS)


def _summary(manifest: ArchiveManifest) -> str:
    rows = sum(rows for facts in manifest.databases.values() for rows, _ in facts["tables"].values())
    return f"{rows:,} rows and {len(manifest.files):,} files, {manifest.size / 1e6:,.1f} MB, of {manifest.made_at}"


def _document(manifest: ArchiveManifest) -> dict[str, Any]:
    files = {"files": len(manifest.files), "bytes": manifest.size}
    return {name: value for name, value in asdict(manifest).items() if name != "files"} | files


def _print_progress(text: str) -> None:
    """Say at a terminal what takes a while."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


COMMANDS: Final[dict[str, tuple[str, Callable[..., None], Callable[..., tuple[dict[str, Any], str]]]]] = {
    "backup": (BACKUP, add_backup, backup),
    "restore": (RESTORE, add_restore, restore),
}
"""Name → help, what declares the arguments, what executes it."""


def run(name: str, options: argparse.Namespace) -> int:
    """Run a command; return the exit code."""
    document: dict[str, Any] = {}
    text = failure = ""
    try:
        with private_umask():
            document, text = COMMANDS[name][2](options)
    except (BackupError, ServerError) as error:
        failure = str(error)
    except OSError as error:
        # Such as a full disk.
        failure = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    except KeyboardInterrupt:
        return INTERRUPTED
    if options.json:
        document |= {"error": failure} if failure else {}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    elif text:
        sys.stdout.write(f"{text}\n")
    if failure:
        sys.stdout.flush()
        sys.stderr.write(f"\nThe {name} failed: {failure}\n")
    return 1 if failure else 0


def main(arguments: Sequence[str]) -> int:
    """Run the command that the first argument names; return the exit code."""
    name, *rest = arguments
    text, add_arguments, _ = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=f"manage.py spai {name}", description=text)
    add_arguments(parser)
    return run(name, parser.parse_args(rest))
