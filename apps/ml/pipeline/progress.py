"""What DVC prints, read as the progress of the stages."""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime
from typing import Any, Final

import yaml

LOG_LINES: Final = 200
"""Latest lines that a run keeps."""

WAITING, RUNNING, DONE, UNCHANGED, FAILED = "waiting", "running", "done", "unchanged", "failed"

_RUNNING: Final = re.compile(r"^Running stage '([\w-]+)'")
_SKIPPED: Final = re.compile(r"^Stage '([\w-]+)' (?:didn't change, skipping|is cached - skipping run)")
_FAILED: Final = re.compile(r"failed to reproduce '([\w-]+)'")
_NOISE: Final = (
    "Updating lock file",
    "Generating lock file",
    "Use `dvc push`",
    "To track the changes",
    "git add",
    "To enable auto staging",
)


def stage_names(dvc_yaml: str) -> list[str]:
    """Return the stages in the order in which dvc.yaml names them."""
    return list(yaml.safe_load(dvc_yaml)["stages"])


class Progress:
    """How far a run is, kept up line by line.

    Attributes
    ----------
    stages : list of dict
        ``{name, status, started_at, seconds}`` in the order of the DAG; `status` is waiting, running, done, unchanged
        or failed.
    """

    def __init__(self, names: list[str]) -> None:
        self.stages: list[dict[str, Any]] = [
            {"name": name, "status": WAITING, "started_at": None, "seconds": None} for name in names
        ]
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._began: datetime | None = None

    @property
    def log(self) -> str:
        """The latest lines."""
        return "\n".join(self._lines)

    @property
    def failed(self) -> str | None:
        """Name of the stage that failed."""
        return next((stage["name"] for stage in self.stages if stage["status"] == FAILED), None)

    @property
    def changed(self) -> bool:
        """Whether a stage was executed that looks at nothing but files."""
        return any(stage["status"] == DONE for stage in self.stages if stage["name"] not in ("export", "register"))

    def read(self, line: str, *, now: datetime) -> None:
        """Take one line of output."""
        # A progress bar overwrites itself: what stands at the end counts.
        line = line.rstrip("\n").rsplit("\r", 1)[-1].rstrip()
        if not line or line.startswith(_NOISE):
            return
        self._lines.append(line)
        if found := _RUNNING.match(line):
            self._end_running(DONE, now)
            stage = self._stage(found[1])
            stage |= {"status": RUNNING, "started_at": now.isoformat()}
            self._began = now
        elif found := _SKIPPED.match(line):
            self._end_running(DONE, now)
            self._stage(found[1])["status"] = UNCHANGED
        elif found := _FAILED.search(line):
            # DVC also refuses a stage before it starts, when the one before has ended well.
            stage = self._stage(found[1])
            self._end_running(FAILED if stage["status"] == RUNNING else DONE, now)
            stage["status"] = FAILED

    def skip(self) -> None:
        """Take it that no stage needs to be executed."""
        for stage in self.stages:
            stage["status"] = UNCHANGED

    def end(self, *, succeeded: bool, now: datetime) -> None:
        """Take the end of the output."""
        self._end_running(DONE if succeeded else FAILED, now)

    def _end_running(self, status: str, now: datetime) -> None:
        for stage in self.stages:
            if stage["status"] == RUNNING:
                assert self._began is not None
                stage |= {"status": status, "seconds": round((now - self._began).total_seconds(), 1)}

    def _stage(self, name: str) -> dict[str, Any]:
        for stage in self.stages:
            if stage["name"] == name:
                return stage
        self.stages.append({"name": name, "status": WAITING, "started_at": None, "seconds": None})
        return self.stages[-1]
