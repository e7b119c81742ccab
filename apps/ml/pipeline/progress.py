"""The progress of the stages, read from the output of DVC."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

LOG_LINES: Final = 200
"""Number of latest lines that the row of a run keeps."""

STAGE_LINES: Final = 500
"""Number of latest lines that are kept of each stage."""

LINE_LENGTH: Final = 2000
"""Characters of a line; the rest is cut off."""

WAITING, RUNNING, INTERRUPTED, CANCELLED = "waiting", "running", "interrupted", "cancelled"
DONE, UNCHANGED, FAILED = "done", "unchanged", "failed"

_RUNNING: Final = re.compile(r"^Running stage '([\w-]+)'")
_SKIPPED: Final = re.compile(r"^Stage '([\w-]+)' (?:didn't change, skipping|is cached - skipping run)")
_FAILED: Final = re.compile(r"failed to reproduce '([\w-]+)'")
_EXITED: Final = re.compile(r", exited with (-?\d+)$")
_NOISE: Final = (
    "Updating lock file",
    "Generating lock file",
    "Use `dvc push`",
    "To track the changes",
    "git add",
    "To enable auto staging",
)


def signal_of(status: int) -> signal.Signals | None:
    """Return the signal that ended a process, given its exit status; a shell reports 128 plus the signal."""
    number = -status if status < 0 else status - 128
    return signal.Signals(number) if number in set(signal.Signals) else None


def storable(text: str) -> str:
    """Replace NUL, which PostgreSQL cannot store, by U+FFFD."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class Progress:
    """The progress of a run, updated line by line.

    Stages and log are those of earlier attempts of the same run; stages that they finished count as done.
    """

    def __init__(
        self,
        names: list[str],
        *,
        stages: Iterable[Mapping[str, Any]] = (),
        log: str = "",
        stage_logs: Mapping[str, str] | None = None,
    ) -> None:
        before = {stage["name"]: stage for stage in stages}
        # {name, status, started_at, seconds} in the order of the DAG; the statuses are the constants above.
        self.stages: list[dict[str, Any]] = [dict(before.get(name) or _untouched(name)) for name in names]
        self._lines: deque[str] = deque(log.splitlines(), maxlen=LOG_LINES)
        self._stage_lines = {
            name: deque(text.splitlines(), maxlen=STAGE_LINES) for name, text in (stage_logs or {}).items()
        }
        self.unstored: set[str] = set()  # stages with lines that no one has stored yet
        self._began: datetime | None = None
        self.begin()

    def begin(self) -> None:
        """Start an attempt: stages that did not succeed wait again."""
        for stage in self.stages:
            if stage["status"] in (RUNNING, INTERRUPTED, FAILED):
                stage |= _untouched(stage["name"])
        self._attempt: deque[str] = deque(maxlen=LOG_LINES)
        self.ended_by: signal.Signals | None = None  # the signal that ended the stage that failed

    @property
    def log(self) -> str:
        """Latest lines of output."""
        return "\n".join(self._lines)

    @property
    def attempt_log(self) -> str:
        """Latest lines of output of this attempt."""
        return "\n".join(self._attempt)

    def stage_log(self, name: str) -> str:
        """Return the latest lines of output of a stage, earlier attempts included."""
        return "\n".join(self._stage_lines.get(name, ()))

    @property
    def running(self) -> str | None:
        """Name of the stage that runs."""
        return next((stage["name"] for stage in self.stages if stage["status"] == RUNNING), None)

    @property
    def failed(self) -> str | None:
        """Name of the stage that failed."""
        return next((stage["name"] for stage in self.stages if stage["status"] == FAILED), None)

    @property
    def changed(self) -> bool:
        """Whether a stage other than `export` and `register`, which always run, was executed."""
        return any(stage["status"] == DONE for stage in self.stages if stage["name"] not in ("export", "register"))

    def note(self, line: str) -> None:
        """Add a line to the log that the pipeline did not write, unless it repeats the latest one."""
        line = storable(line)
        if not self._lines or self._lines[-1] != line:
            self._lines.append(line)

    def read(self, line: str, *, now: datetime) -> None:
        """Process a line of output."""
        # A progress bar overwrites itself: keep its last state.
        line = storable(line).rstrip("\n").rsplit("\r", 1)[-1].rstrip()
        if not line or line.startswith(_NOISE):
            return
        about, kept = self._take(line, now), line[:LINE_LENGTH]
        self._lines.append(kept)
        self._attempt.append(kept)
        if about is not None:
            self._stage_lines.setdefault(about, deque(maxlen=STAGE_LINES)).append(kept)
            self.unstored.add(about)

    def _take(self, line: str, now: datetime) -> str | None:
        """Change the stages by a line of output; return the name of the stage that it is about."""
        if found := _RUNNING.match(line):
            self._end_running(DONE, now)
            stage = self._stage(found[1])
            stage |= {"status": RUNNING, "started_at": now.isoformat()}
            self._began = now
        elif found := _SKIPPED.match(line):
            self._end_running(DONE, now)
            stage = self._stage(found[1])
            if stage["status"] != DONE:
                stage["status"] = UNCHANGED
        elif found := _FAILED.search(line):
            # DVC may refuse a stage before it starts, after the previous one succeeded.
            stage = self._stage(found[1])
            self._end_running(FAILED if stage["status"] == RUNNING else DONE, now)
            stage["status"] = FAILED
            if status := _EXITED.search(line):
                self.ended_by = signal_of(int(status[1]))
        return found[1] if found else self.running

    def skip(self) -> None:
        """Record that no stage needs to be executed."""
        for stage in self.stages:
            stage["status"] = UNCHANGED

    def interrupt(self, *, now: datetime) -> None:
        """Record that the running stage was stopped and will be repeated."""
        self._end_running(INTERRUPTED, now)

    def end(self, *, succeeded: bool, now: datetime) -> None:
        """Record the end of the output."""
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
        self.stages.append(_untouched(name))
        return self.stages[-1]


def _untouched(name: str) -> dict[str, Any]:
    return {"name": name, "status": WAITING, "started_at": None, "seconds": None}
