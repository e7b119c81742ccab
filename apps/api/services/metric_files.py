"""Files of metrics of processes that have ended, merged into one, so that restarts leave no files and lose no counts.

Each process writes files of its own into the folder of `PROMETHEUS_MULTIPROC_DIR`, and a scrape adds all of them up.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from prometheus_client.mmap_dict import MmapedDict

from apps.matches import disk
from apps.matches.services import Deletion, Retention

SUMMED: Final = ("counter", "histogram", "summary")
"""Kinds of metrics whose values of all processes are added up; gauges of ended processes have no meaning."""

JOURNAL: Final = "merging.json"
"""Names the files that are being merged, so that a merge that was cut short counts none of them twice."""

_OF_PROCESS: Final = re.compile(r"(\w+?)_(\d+)\.db")


@contextmanager
def locked(folder: Path, operation: int) -> Iterator[None]:
    """Hold the lock of a folder of metric files: `LOCK_SH` to read them all, `LOCK_EX` to merge some.

    Otherwise a reader could find a file and the one into which it was merged, and count both.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, operation)
        yield
    finally:
        os.close(descriptor)


def merge_ended(folder: Path, run: Retention, *, before: datetime) -> Deletion:
    """Merge the files of processes that have ended and wrote nothing since a moment."""
    if not run.is_dry:
        with locked(folder, fcntl.LOCK_EX):
            _finish(folder)
    ended: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.glob("*.db")):
        found = _OF_PROCESS.fullmatch(path.name)
        if found and not _is_running(int(found[2])) and path.stat().st_mtime < before.timestamp():
            ended[found[1].partition("_")[0]].append(path)
    paths = [path for paths in ended.values() for path in paths]
    done = Deletion(files=len(paths), bytes=sum(disk.used(path) for path in paths))
    if not run.is_dry:
        for kind in SUMMED:
            if ended[kind]:
                with locked(folder, fcntl.LOCK_EX):
                    _merge(folder, kind, ended[kind])
        run.paths(path for path in paths if path.exists())
    return done


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _merge(folder: Path, kind: str, paths: list[Path]) -> None:
    """Add files up in the one that counts for all ended processes; afterwards they are named in the journal."""
    target, made = folder / f"{kind}_ended.db", folder / f"{kind}_ended.new"
    totals: dict[str, tuple[float, float]] = {}
    for path in [*([target] if target.exists() else []), *paths]:
        for key, value, at, _ in MmapedDict.read_all_values_from_file(str(path)):
            total, latest = totals.get(key, (0.0, 0.0))
            totals[key] = (total + value, max(latest, at))
    made.unlink(missing_ok=True)
    merged = MmapedDict(str(made))
    for key, (total, latest) in totals.items():
        merged.write_value(key, total, latest)
    merged.close()
    # Written whole or not at all.
    (folder / f"{JOURNAL}.new").write_text(json.dumps({"made": made.name, "merged": [path.name for path in paths]}))
    (folder / f"{JOURNAL}.new").rename(folder / JOURNAL)
    made.rename(target)
    _finish(folder)


def _finish(folder: Path) -> None:
    """Remove the files of a merge that has taken effect, or what is left of one that has not."""
    journal = folder / JOURNAL
    if not journal.exists():
        return
    noted = json.loads(journal.read_text())
    if (folder / noted["made"]).exists():
        (folder / noted["made"]).unlink()
    else:
        for name in noted["merged"]:
            (folder / name).unlink(missing_ok=True)
    journal.unlink()
