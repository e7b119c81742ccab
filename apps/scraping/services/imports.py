"""Imports of match files: the files are found, read ahead, and stored in one ingest."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from apps.matches.ingest import BATCH, Ingestion, IngestReport, RecordOutcome
from apps.matches.services import ingestion
from apps.scraping import metrics
from apps.scraping.services.sources import UnknownSourceError
from apps.scraping.sources import SOURCES, FileReader, ParsedFile, ParseError

FILES_AHEAD: Final = 40
"""Files that are read ahead of the one that is stored."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to import, with its name within its source, or an error that says why it cannot be read."""

    path: Path
    name: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A row that was not stored, with its line if known, its text, and why it was refused."""

    line: int | None
    row: str
    reason: str


@dataclass(slots=True)
class FileReport:
    """Result of one file: its rows by what became of them, and an `error` where the whole file could not be read.

    `notes` counts how often a detail was left out or read otherwise than written, by its description.
    """

    name: str
    created: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    refusals: list[RefusedRecord] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    error: str = ""

    @property
    def records(self) -> int:
        """Number of rows in the file."""
        return self.created + self.changed + self.same + self.refused


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Result of one import: every file in order, and the ingest that stored them."""

    files: tuple[FileReport, ...]
    ingest: IngestReport

    @property
    def failed(self) -> tuple[FileReport, ...]:
        """The files that could not be read."""
        return tuple(file for file in self.files if file.error)


def find_files(paths: Iterable[Path], source: FileReader) -> list[FoundFile]:
    """Return the files of a source in some files and folders, in the order of their names.

    A path without such a file is returned with an error that says what to do.
    """
    found: dict[Path, FoundFile] = {}
    for path in paths:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
            named = [FoundFile(file, file.relative_to(path).as_posix()) for file in files]
            taken = [file for file in named if source.accepts(file.name)]
            if not taken:
                error = f"no file in this folder has a name of {source.name}; name the folder that holds its seasons"
                taken = [FoundFile(path, str(path), error)]
        elif path.is_file():
            error = ""
            if not source.accepts(path.name):
                error = f"{source.name} has no file of this name; check --source, or give the file its original name"
            taken = [FoundFile(path, f"{path.resolve().parent.name}/{path.name}", error)]
        else:
            taken = [FoundFile(path, str(path), "there is no such file or folder; check the path")]
        for file in taken:
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def import_files(
    paths: Iterable[Path],
    *,
    source: str,
    now: datetime,
    on_start: Callable[[int], None] = lambda files: None,
    on_file: Callable[[FileReport], None] = lambda report: None,
) -> ImportReport:
    """Read files and store their matches, all in one ingest.

    A file that cannot be read is reported, and the others are stored all the same. Files are read while the ones before
    them are stored.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders.
    source : str
        Name of the source whose format they have.
    now : datetime
        Aware.
    on_start : callable, optional
        Called once with the number of files.
    on_file : callable, optional
        Called after each file, in order.

    Raises
    ------
    UnknownSourceError
        When no source with files has this name.
    """
    if source not in SOURCES:
        raise UnknownSourceError(f"there is no source {source!r}; there are {', '.join(sorted(SOURCES))}")
    files = find_files(paths, SOURCES[source])
    on_start(len(files))
    reports: list[FileReport] = []
    with ingestion(source=source, now=now) as run:
        waiting: list[tuple[FileReport, ParsedFile]] = []
        size = 0
        for file, parsed in _read_all(files, source):
            report = FileReport(file.name)
            reports.append(report)
            if isinstance(parsed, str):
                report.error = parsed
            else:
                waiting.append((report, parsed))
                size += len(parsed.records)
            if size >= BATCH:
                _store(run, waiting, on_file)
                size = 0
            elif isinstance(parsed, str):
                on_file(report)
        _store(run, waiting, on_file)
    done = run.report()
    metrics.count_records(source, done)
    return ImportReport(tuple(reports), done)


def _store(run: Ingestion, waiting: list[tuple[FileReport, ParsedFile]], on_file: Callable[[FileReport], None]) -> None:
    """Store the waiting files in one batch and fill in their reports."""
    batch = run.store([record for _, parsed in waiting for record in parsed.records])
    start = 0
    for report, parsed in waiting:
        end = start + len(parsed.records)
        outcomes = batch.outcomes[start:end]
        report.created = outcomes.count(RecordOutcome.CREATED)
        report.changed = outcomes.count(RecordOutcome.CHANGED)
        report.same = outcomes.count(RecordOutcome.SAME)
        report.refused = outcomes.count(RecordOutcome.REFUSED) + len(parsed.refused)
        report.notes = parsed.notes | Counter(batch.notes[at] for at in range(start, end) if at in batch.notes)
        for row in parsed.refused:
            report.refusals.append(RefusedRecord(row.line, row.row, row.reason))
            run.refuse(f"{row.file}, line {row.line}: {row.row}", row.reason)
        for index in range(start, end):
            if refusal := batch.refused.get(index):
                report.refusals.append(RefusedRecord(None, refusal.record, refusal.reason))
        start = end
        on_file(report)
    waiting.clear()


def _read_all(files: Sequence[FoundFile], source: str) -> Iterator[tuple[FoundFile, ParsedFile | str]]:
    """Yield each file, in order, with its content or with the reason why it cannot be read.

    A thread reads ahead while the database stores the files before. A process would cost more than it saves: passing
    the records on takes longer than reading them.
    """
    ahead: deque[tuple[FoundFile, Future[ParsedFile | str]]] = deque()
    remaining = iter(files)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read") as reader:
        try:
            while True:
                while len(ahead) < FILES_AHEAD and (file := next(remaining, None)) is not None:
                    ahead.append((file, reader.submit(_read, source, file)))
                if not ahead:
                    return
                file, future = ahead.popleft()
                yield file, future.result()
        finally:
            reader.shutdown(wait=True, cancel_futures=True)


def _read(source: str, file: FoundFile) -> ParsedFile | str:
    if file.error:
        return file.error
    try:
        return SOURCES[source].parse_file(file.name, file.path.read_bytes())
    except ParseError as error:
        return f"{error.missing} is missing; is it really a file of {source}?"
    except OSError as error:
        return f"it cannot be read ({error.strerror}); check its permissions"
