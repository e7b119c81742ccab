"""Looking into files: which of them hold matches of a source, and what is in those."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apps.matches.records import readable
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
    name : str
        Its path below the folder that was given.
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
    name : str
        That of the file; in an archive, the name of the archive and that in it.
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

    @property
    def is_given(self) -> bool:
        """Whether the operator named this very file, and not a folder or an archive that holds it."""
        return self.found.path in self.found.given and self.name == self.found.name


def find_files(paths: Iterable[Path]) -> list[FoundFile]:
    """Return all files in some files and folders, each once, in the order of their names."""
    found: dict[Path, FoundFile] = {}
    for path in paths:
        if path.is_dir():
            files = _files_below(path)
        elif path.is_file():
            files = [FoundFile(path, readable(f"{path.resolve().parent.name}/{path.name}"), {path})]
        else:
            files = [FoundFile(path, readable(str(path)), {path}, "there is no such file or folder; check the path")]
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
            FoundFile(path, readable(path.relative_to(folder).as_posix()), set())
            for path in paths
            if path.is_file() or not path.exists()  # no pipes or devices, but links that lead nowhere
        ]
    for problem in problems:
        error = f"the folder cannot be read ({problem.strerror}); check its permissions"
        files.append(FoundFile(Path(problem.filename), readable(str(problem.filename)), set(), error))
    return sorted(files, key=lambda file: file.path)


def read_files(found: Iterable[FoundFile], source: str) -> Iterator[FileContent]:
    """Yield what is in some files, in order, and in the archives and workbooks among them."""
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


def read_ahead(contents: Iterator[FileContent]) -> Iterator[FileContent]:
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
