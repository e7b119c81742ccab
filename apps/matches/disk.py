"""Space on the disk: how much a folder uses, and its removal."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

BLOCK: Final = 512
"""Unit of `st_blocks`, in bytes."""


def used(path: Path) -> int:
    """Return the bytes on disk of a file or folder, links not followed; 0 for what is not there.

    A file that has several names counts once.
    """
    total, seen, folders = 0, set(), [path]
    while folders:
        entry = folders.pop()
        # It may be deleted meanwhile, or belong to somebody else.
        with contextlib.suppress(OSError):
            status = entry.lstat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * BLOCK
            if entry.is_dir() and not entry.is_symlink():
                folders += [Path(child) for child in os.scandir(entry)]
    return total


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it; nothing happens when it is gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
