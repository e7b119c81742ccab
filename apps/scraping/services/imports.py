"""Imports of match files, in one ingest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from apps.matches.ingest import BATCH, Ingestion, IngestReport, RecordOutcome
from apps.matches.services import ingestion
from apps.scraping import metrics
from apps.scraping.services.match_files import FileContent, find_files, read_ahead, read_files
from apps.scraping.services.sources import UnknownSourceError
from apps.scraping.sources import SOURCES, ParsedFile


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
    """Result of one import.

    Parameters
    ----------
    files : tuple of FileReport
        The files of the source in order, then the given paths in which there is none.
    passed_over : tuple of FileContent
        Other files that may hold matches.
    others : tuple of str
        The names of the files without matches.
    """

    files: tuple[FileReport, ...]
    passed_over: tuple[FileContent, ...]
    others: tuple[str, ...]
    ingest: IngestReport

    @property
    def failed(self) -> tuple[FileReport, ...]:
        """The files of the source that could not be read."""
        return tuple(file for file in self.files if file.error)

    @property
    def not_read(self) -> dict[str, int]:
        """How many files that hold matches, or may do so, were not read, by reason, the commonest first."""
        reasons = Counter([file.error for file in self.failed] + [file.passed_over for file in self.passed_over])
        return dict(reasons.most_common())


def import_files(
    paths: Iterable[Path],
    *,
    source: str,
    now: datetime,
    on_start: Callable[[int], None] = lambda files: None,
    on_file: Callable[[str], None] = lambda name: None,
) -> ImportReport:
    """Read files and store their matches, all in one ingest.

    A file that cannot be read is reported, and the others are stored anyway. Files are read while the ones before
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
        Called once with the number of files that were found.
    on_file : callable, optional
        Called with the name of each of them after it was read, in order.

    Raises
    ------
    UnknownSourceError
        When no source with files has this name.
    """
    if source not in SOURCES:
        raise UnknownSourceError(f"there is no source {source!r}; there are {', '.join(sorted(SOURCES))}")
    paths = list(paths)
    files = find_files(paths)
    on_start(len(files))
    reports: list[FileReport] = []
    unread: list[FileContent] = []
    with_matches: set[Path] = set()
    with ingestion(source=source, now=now) as run:
        waiting: list[tuple[FileReport, ParsedFile]] = []
        size = 0
        for content in read_ahead(read_files(files, source)):
            error = content.error or (content.passed_over if content.is_given else "")
            if content.parsed is None and not error:
                unread.append(content)
                on_file(content.name)
                continue
            with_matches |= content.found.given
            report = FileReport(content.name, error=error)
            reports.append(report)
            if content.parsed is None:
                on_file(content.name)
                continue
            waiting.append((report, content.parsed))
            size += len(content.parsed.records)
            if size >= BATCH:
                _store(run, waiting, on_file)
                size = 0
        _store(run, waiting, on_file)
    without = [path for path in dict.fromkeys(paths) if path not in with_matches]
    reports += [FileReport(str(path), error=_why_nothing(path, source)) for path in without]
    done = run.report()
    metrics.count_records(source, done)
    return ImportReport(
        tuple(reports),
        tuple(content for content in unread if content.passed_over),
        tuple(content.name for content in unread if not content.passed_over),
        done,
    )


def _why_nothing(path: Path, source: str) -> str:
    """Return the error of a given path in which no file of the source is."""
    if path.is_dir():
        return f"no file in this folder is one of {source}; name the folder that holds its seasons"
    return f"{source} has no file of this form; check --source"


def _store(run: Ingestion, waiting: list[tuple[FileReport, ParsedFile]], on_file: Callable[[str], None]) -> None:
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
        on_file(report.name)
    waiting.clear()
