"""Permissions under `var/`: only the owner has access, to files of earlier versions too."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from spai.stack import servers

OTHERS = 0o077
"""All permissions of the group and of everybody else."""
CACHES = ("dvc-cache", "dvc-remote")
"""DVC sets its files there to 0444 and hashes a file with another mode again; their folders are closed instead."""


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """Create files of this process, and of those that it starts, without permissions for others."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def close(var: Path) -> int:
    """Remove the permissions of others from `var` and all its content; return how many files and folders had some.

    PostgreSQL checks the permissions of its files itself. Where it runs as another user, `var` stays traversable.
    """
    closed = int(_limit(var, 0o711 if servers.is_traversed_by_postgres(var) else 0o700))
    for place, folders, files in os.walk(var):
        here = Path(place)
        if here == var and "postgres" in folders:
            folders.remove("postgres")
        keeps_files = here != var and here.relative_to(var).parts[0] in CACHES
        for name in [*folders, *([] if keeps_files else files)]:
            closed += _limit(here / name, 0o700)
    return closed


def _limit(path: Path, most: int) -> bool:
    """Remove all permissions from `path` but those in `most`; return whether it had others.

    A file that no longer exists, or belongs to another user, is skipped: the folder around it is closed.
    """
    with contextlib.suppress(FileNotFoundError, PermissionError):
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if mode & ~most & OTHERS and not stat.S_ISLNK(found.st_mode):
            path.chmod(mode & (most | ~OTHERS))
            return True
    return False
