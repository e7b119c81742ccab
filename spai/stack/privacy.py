"""Files under `var/` are for their owner alone: what the stack makes, and what earlier versions left open."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from spai.stack import servers

OTHERS = 0o077
"""Every right of the group and of everybody else."""
CACHES = ("dvc-cache", "dvc-remote")
"""DVC marks its files there 0444 and hashes each anew whose mode is another; the folders around them are closed."""


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """Give new files of this process, and of those that it starts, no rights for others."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def close(var: Path) -> int:
    """Take the rights of others away from `var` and all that lies in it; return how many files and folders had some.

    The files of PostgreSQL are left alone: it looks after them, and may run as somebody else, who is let through then.
    """
    passed = servers.passes_through(var)
    closed = int(_limit(var, 0o711 if passed else 0o700))
    for place, folders, files in os.walk(var):
        here = Path(place)
        if here == var and "postgres" in folders:
            folders.remove("postgres")
        keeps_files = here != var and here.relative_to(var).parts[0] in CACHES
        for name in [*folders, *([] if keeps_files else files)]:
            closed += _limit(here / name, 0o700)
    return closed


def _limit(path: Path, most: int) -> bool:
    """Take all rights from `path` but those in `most`; whether it had others.

    What is gone meanwhile, or is somebody else's, stays as it is: the folder around it is closed.
    """
    with contextlib.suppress(FileNotFoundError, PermissionError):
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if mode & ~most & OTHERS and not stat.S_ISLNK(found.st_mode):
            path.chmod(mode & (most | ~OTHERS))
            return True
    return False
