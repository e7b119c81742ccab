"""Imports of match files: the files are found, read ahead, and stored in one ingest."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from apps.matches.aliases import aliases_for
from apps.matches.ingest import BATCH, Ingestion, IngestReport, RecordOutcome
from apps.matches.records import MatchRecord
from apps.scraping import metrics
from apps.scraping.services.sources import UnknownSourceError
from apps.scraping.sources import SOURCES, ParsedFile, ParseError, UnknownCompetitionError
from apps.scraping.sources.base import HEAD
from apps.scraping.sources.containers import LARGEST_FILE, files_in, is_container
from apps.scraping.sources.other_files import why_not_read

FILES_AHEAD: Final = 40
"""Files that are read ahead of the one that is stored."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to look into.

    Parameters
    ----------
    path : Path
    name : str
        Its name within its source.
    given : set of Path
        The paths to import in which it was found.
    error : str
        Why it cannot be looked into; empty when it can.
    """

    path: Path
    name: str
    given: set[Path]
    error: str = ""


@dataclass(frozen=True, slots=True)
class FileContent:
    """What became of a file, or of a file in an archive.

    Parameters
    ----------
    found : FoundFile
        The file itself.
    name : str
        Its name within its source; in an archive, the archive and the name in it.
    parsed : ParsedFile or None
        Its content; None for a file that was not read.
    error : str
        Why a file of the source could not be read.
    passed_over : str
        Why another file, which may hold matches, was not read. A file with none of the three holds no matches.
    """

    found: FoundFile
    name: str
    parsed: ParsedFile | None = None
    error: str = ""
    passed_over: str = ""


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A row that was not stored, with its line if known, its text, and why it was refused."""

    line: int | None
    row: str
    reason: str


@dataclass(slots=True)
class FileReport:
    """Result of one file.

    Parameters
    ----------
    name : str
        Its name within its source.
    created, changed, same, refused : int
        Its rows by what became of them.
    refusals : list of RefusedRecord
    notes : dict of str to int
        How often a detail was left out or read otherwise than written, by its description.
    error : str
        Why the whole file could not be read; empty when it could.
    passed_over : str
        Why another file, which may hold matches, was not read; empty for a file of the source.
    """

    name: str
    created: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    refusals: list[RefusedRecord] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    error: str = ""
    passed_over: str = ""

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
        The files of the source, in the order of their names, and the paths in which there are none.
    passed_over : tuple of FileReport
        Other files that may hold matches.
    others : tuple of str
        The names of the files without matches.
    ingest : IngestReport
        The ingest that stored the matches.
    """

    files: tuple[FileReport, ...]
    passed_over: tuple[FileReport, ...]
    others: tuple[str, ...]
    ingest: IngestReport

    @property
    def failed(self) -> tuple[FileReport, ...]:
        """The files of the source that could not be read."""
        return tuple(file for file in self.files if file.error)

    @property
    def not_read(self) -> dict[str, int]:
        """How many files that hold matches, or may do so, were not read, by reason, the commonest first."""
        reasons = Counter(file.error or file.passed_over for file in (*self.failed, *self.passed_over))
        return dict(reasons.most_common())


def find_files(paths: Iterable[Path]) -> list[FoundFile]:
    """Return all files in some files and folders, each once, in the order of their names."""
    found: dict[Path, FoundFile] = {}
    for path in paths:
        if path.is_dir():
            files = _files_below(path)
        elif path.is_file():
            files = [FoundFile(path, f"{path.resolve().parent.name}/{path.name}", {path})]
        else:
            files = [FoundFile(path, str(path), {path}, "there is no such file or folder; check the path")]
        for file in files:
            found.setdefault(file.path.resolve(), file).given.add(path)
    return list(found.values())


def _files_below(folder: Path) -> list[FoundFile]:
    """Return the files below a folder, hidden ones and those behind links included."""
    files: list[FoundFile] = []
    seen: set[Path] = set()
    problems: list[OSError] = []
    for place, folders, names in os.walk(folder, followlinks=True, onerror=problems.append):
        real = Path(place).resolve()
        if real in seen:
            folders.clear()  # a link leads back
            continue
        seen.add(real)
        paths = [Path(place, name) for name in names]
        files += [
            FoundFile(path, path.relative_to(folder).as_posix(), set())
            for path in paths
            if path.is_file() or not path.exists()  # no pipes or devices, but links that lead nowhere
        ]
    for problem in problems:
        error = f"the folder cannot be read ({problem.strerror}); check its permissions"
        files.append(FoundFile(Path(problem.filename), str(problem.filename), set(), error))
    return sorted(files, key=lambda file: file.path)


def read_files(found: Iterable[FoundFile], source: str) -> Iterator[FileContent]:
    """Yield what is in some files, in order, and in the archives and workbooks among them.

    Parameters
    ----------
    found : iterable of FoundFile
    source : str
        Name of the source whose format they have.
    """
    for file in found:
        if file.error:
            yield FileContent(file, file.name, error=file.error)
            continue
        try:
            yield from _contents(file, source)
        except OSError as error:
            reason = f"it cannot be read ({error.strerror}); check where it leads, and its permissions"
            if SOURCES[source].accepts(file.name, b""):
                yield FileContent(file, file.name, error=reason)
            else:
                yield FileContent(file, file.name, passed_over=reason)


def _contents(file: FoundFile, source: str) -> Iterator[FileContent]:
    """Yield the content of a file, or of each file in it."""
    with file.path.open("rb") as opened:
        head = opened.read(HEAD)
        if not is_container(head):
            if SOURCES[source].accepts(file.name, head):
                head += opened.read(LARGEST_FILE)
            yield _content(file, file.name, head, source)
            return
        opened.seek(0)
        is_empty = True
        for inside in files_in(file.name, opened):
            is_empty = False
            if inside.error:
                yield FileContent(file, inside.name, passed_over=inside.error)
            else:
                yield _content(file, inside.name, inside.content, source)
        if is_empty:
            yield FileContent(file, file.name)


def _content(file: FoundFile, name: str, content: bytes, source: str) -> FileContent:
    """Read one file; for one that the source does not accept, the beginning of its content is enough."""
    if not SOURCES[source].accepts(name, content[:HEAD]):
        return FileContent(file, name, passed_over=_why_not_accepted(name, content[:HEAD], source))
    if len(content) > LARGEST_FILE:
        return FileContent(file, name, error=f"it has more than {LARGEST_FILE // 2**20} MB; divide it by season")
    try:
        return FileContent(file, name, SOURCES[source].parse_file(name, content))
    except UnknownCompetitionError as error:
        return FileContent(file, name, passed_over=error.reason)
    except ParseError as error:
        return FileContent(file, name, error=error.detail or f"{error.reason}; is it really a file of {source}?")


def _why_not_accepted(name: str, head: bytes, source: str) -> str:
    for other, reader in SOURCES.items():
        if other != source and reader.accepts(name, head):
            return f"a file of {other}; import it with --source {other}"
    return why_not_read(head)


def import_files(
    paths: Iterable[Path],
    *,
    source: str,
    now: datetime,
    on_start: Callable[[int], None] = lambda files: None,
    on_file: Callable[[str], None] = lambda name: None,
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
    passed_over: list[FileContent] = []
    others: list[str] = []
    with_matches: set[Path] = set()
    with Ingestion(source=source, now=now, aliases=aliases_for) as run:
        waiting: list[tuple[FileReport, ParsedFile]] = []
        size = 0
        for content in _read_ahead(read_files(files, source)):
            if content.parsed is None and not content.error:
                if content.passed_over:
                    passed_over.append(content)
                else:
                    others.append(content.name)
                on_file(content.name)
                continue
            with_matches |= content.found.given
            report = FileReport(content.name, error=content.error)
            reports.append(report)
            if content.parsed is None:
                on_file(report.name)
                continue
            waiting.append((report, content.parsed))
            size += len(content.parsed.records)
            if size >= BATCH:
                _store(run, waiting, on_file)
                size = 0
        _store(run, waiting, on_file)
    without = [path for path in dict.fromkeys(paths) if path not in with_matches]
    reports += [_without_matches(path, source, passed_over) for path in without]
    done = run.report()
    metrics.count_records(source, created=done.created, changed=done.changed, same=done.same, refused=done.refused)
    passed = tuple(FileReport(content.name, passed_over=content.passed_over) for content in passed_over)
    return ImportReport(tuple(reports), passed, tuple(others), done)


def _without_matches(path: Path, source: str, passed_over: list[FileContent]) -> FileReport:
    """Return the report of a path to import in which no file of the source is."""
    for content in passed_over:
        if content.found.path == path and content.name == content.found.name:
            passed_over.remove(content)
            return FileReport(content.name, error=content.passed_over)
    if path.is_dir():
        return FileReport(
            str(path), error=f"no file in this folder is one of {source}; name the folder that holds its seasons"
        )
    return FileReport(str(path), error=f"{source} has no file of this form; check --source")


def _store(run: Ingestion, waiting: list[tuple[FileReport, ParsedFile]], on_file: Callable[[str], None]) -> None:
    """Store the waiting files in one batch and fill in their reports."""
    records: list[MatchRecord] = []
    for _, parsed in waiting:
        records += parsed.records
    batch = run.store(records)
    start = 0
    for report, parsed in waiting:
        end = start + len(parsed.records)
        outcomes = batch.outcomes[start:end]
        report.created = outcomes.count(RecordOutcome.CREATED)
        report.changed = outcomes.count(RecordOutcome.CHANGED)
        report.same = outcomes.count(RecordOutcome.SAME)
        report.refused = outcomes.count(RecordOutcome.REFUSED) + len(parsed.refused)
        report.notes = parsed.notes
        for row in parsed.refused:
            report.refusals.append(RefusedRecord(row.line, row.row, row.reason))
            run.refuse(f"{row.file}, line {row.line}: {row.row}", row.reason)
        for index in range(start, end) if batch.refused else ():
            refusal = batch.refused.get(index)
            if refusal is not None:
                report.refusals.append(RefusedRecord(None, refusal.record, refusal.reason))
        start = end
        on_file(report.name)
    waiting.clear()


def _read_ahead(contents: Iterator[FileContent]) -> Iterator[FileContent]:
    """Yield the same, read by a thread while the database stores what came before.

    A process would cost more than it saves: passing the records on takes longer than reading them.
    """
    ahead: deque[Future[FileContent | None]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read") as reader:
        try:
            while True:
                while len(ahead) < FILES_AHEAD:
                    ahead.append(reader.submit(next, contents, None))
                content = ahead.popleft().result()
                if content is None:
                    return
                yield content
        finally:
            reader.shutdown(wait=True, cancel_futures=True)
