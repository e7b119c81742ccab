"""Files that hold files: zip archives, compressed files, and the sheets of workbooks as CSV.

Nothing is written to disk. What a file inside is called begins with the name of its container: ``season.zip/E0.csv``,
``E0.csv.gz/E0.csv``, ``all-euro-data-2023-2024.xlsx/E0``.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from apps.matches.records import readable

LARGEST_FILE: Final = 64 * 2**20
"""Bytes of one file; the largest of the sites has 5 MB."""

LARGEST_CONTAINER: Final = 2**30
"""Bytes of all files in an archive, unpacked, with those in archives inside it."""

LARGEST_WORKBOOK: Final = 2**28
"""Bytes of a workbook, unpacked: its cells take several times as much memory."""

MOST_FILES: Final = 20_000
"""Files in an archive, with those in archives inside it."""

DEEPEST: Final = 3
"""Archives inside one another."""

ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
COMPRESSED: Final[Mapping[bytes, Callable[[BinaryIO], io.BufferedIOBase]]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
"""How a compressed file begins, and what reads it."""

TAR: Final = slice(257, 262)
"""Where a tar archive says ``ustar``."""

OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How Excel's files until 2003 begin, and encrypted ones; documents of other programs do so too."""

DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, NotImplementedError,
)  # fmt: skip
"""What reading a damaged archive raises."""

ENCRYPTED: Final = 0x1
"""Bit of a zip entry's flags."""

SAVE_ANEW: Final = "save it as .xlsx or .csv"


@dataclass(frozen=True, slots=True)
class ContainedFile:
    """A file in a container, or why it cannot be read."""

    name: str
    content: bytes = b""
    error: str = ""


class _Limits:
    """How much of an archive has been unpacked."""

    def __init__(self) -> None:
        self.files = self.bytes = 0

    def take(self, files: int, size: int) -> str:
        """Count files and bytes; return what is wrong when they are too many."""
        self.files += files
        self.bytes += size
        if self.files > MOST_FILES:
            return f"it holds more than {MOST_FILES:,} files; unpack it, and import the folder"
        if self.bytes > LARGEST_CONTAINER:
            return f"unpacked it has more than {LARGEST_CONTAINER // 2**20:,} MB; unpack it, and import the folder"
        return ""


def is_container(head: bytes) -> bool:
    """Return whether a file begins like an archive, a compressed file or a workbook."""
    return head.startswith((*ZIP, *COMPRESSED, OLE))


def files_in(name: str, file: BinaryIO) -> Iterator[ContainedFile]:
    """Yield the files in a container, in the order of their names, and the sheets of workbooks.

    Parameters
    ----------
    name : str
        The container as named by the caller.
    file : BinaryIO
        It must be seekable.
    """
    return _files_in(name, file, _Limits(), DEEPEST)


def _files_in(name: str, file: BinaryIO, limits: _Limits, levels: int) -> Iterator[ContainedFile]:
    head = file.read(len(OLE))
    if head == OLE:
        problem = _old_workbook(OLE + file.read(LARGEST_FILE))
        if problem:
            yield ContainedFile(name, error=problem)
        return
    for magic, opened in COMPRESSED.items():
        if head.startswith(magic):
            file.seek(0)
            yield from _compressed(name, opened(file), limits, levels)
            return
    try:
        with zipfile.ZipFile(file) as archive:
            entries = sorted((entry for entry in archive.infolist() if not entry.is_dir()), key=lambda e: e.filename)
            names = {entry.filename for entry in entries}
            size = sum(entry.file_size for entry in entries)
            if (problem := limits.take(len(entries), size)) or not levels:
                yield ContainedFile(
                    name, error=problem or f"it is inside more than {DEEPEST} archives; unpack the outer ones"
                )
            elif "xl/workbook.xml" in names:
                yield from _workbook(name, file, size)
            elif "xl/workbook.bin" in names or (
                "mimetype" in names and b"spreadsheet" in archive.open("mimetype").read(100)
            ):
                yield ContainedFile(name, error=f"a workbook in another format than .xlsx; {SAVE_ANEW}")
            elif "[Content_Types].xml" in names or "mimetype" in names:
                return  # a document of another program
            else:
                for entry in entries:
                    yield from _entry(name, archive, entry, limits, levels)
    except DAMAGED as error:
        yield ContainedFile(name, error=f"the archive is damaged ({error}); fetch it again")


def _entry(
    name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: _Limits, levels: int
) -> Iterator[ContainedFile]:
    """Yield one file of an archive, or those inside it."""
    path = entry.filename.replace("\\", "/").lstrip("/")
    inside = readable(f"{name}/{path}")
    if entry.flag_bits & ENCRYPTED:
        yield ContainedFile(
            inside, error="it is encrypted; unpack the archive with its password, and import the folder"
        )
        return
    try:
        with archive.open(entry) as opened:
            content = opened.read(LARGEST_FILE + 1)
    except NotImplementedError:
        yield ContainedFile(inside, error="it is compressed in a way that is not supported; unpack the archive")
    except DAMAGED as error:
        yield ContainedFile(inside, error=f"it is damaged ({error}); fetch the archive again")
    else:
        if is_container(content):
            yield from _files_in(inside, io.BytesIO(content), limits, levels - 1)
        else:
            yield ContainedFile(inside, content)


def _compressed(name: str, file: io.BufferedIOBase, limits: _Limits, levels: int) -> Iterator[ContainedFile]:
    """Yield what a compressed file holds, or the files in that."""
    try:
        with file:
            content = file.read(LARGEST_FILE + 1)
    except DAMAGED as error:
        yield ContainedFile(name, error=f"it is damaged ({error}); fetch it again")
        return
    inside = f"{name}/{PurePosixPath(name).stem}"
    if (problem := limits.take(1, len(content))) or not levels:
        yield ContainedFile(name, error=problem or f"it is inside more than {DEEPEST} archives; unpack the outer ones")
    elif content[TAR] == b"ustar":
        yield ContainedFile(name, error="a tar archive; unpack it, and import the folder")
    elif is_container(content):
        yield from _files_in(inside, io.BytesIO(content), limits, levels - 1)
    else:
        yield ContainedFile(inside, content)


def _workbook(name: str, file: BinaryIO, size: int) -> Iterator[ContainedFile]:
    if size > LARGEST_WORKBOOK:
        yield ContainedFile(name, error=f"unpacked it has more than {LARGEST_WORKBOOK // 2**20:,} MB; {SAVE_ANEW}")
        return
    from openpyxl import load_workbook  # here, since web processes never read one

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles, and cells that are no dates
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheets = [(sheet.title, _as_csv(sheet)) for sheet in workbook.worksheets]
    except Exception as error:
        # The library raises whatever its XML parser and its own lookups do.
        yield ContainedFile(name, error=f"the workbook is damaged ({type(error).__name__}: {error}); {SAVE_ANEW}")
        return
    for title, content in sheets:
        yield ContainedFile(f"{name}/{title}", content)


def _as_csv(sheet: Any) -> bytes:
    """Return a sheet as CSV, a line for each row."""
    # What the file says about the extent of a sheet may be wrong, and rows beyond it would be left out.
    sheet.reset_dimensions()
    text = io.StringIO()
    writer = csv.writer(text)
    for row in sheet.iter_rows(values_only=True):
        writer.writerow(map(_text, row))
    return text.getvalue().encode()


def _text(cell: object) -> str:
    """Return a cell as text: a date as 2022-08-13, a time as 15:00, a number with a point."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d}" if cell.time() == time() else cell.isoformat(" ", "seconds")
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _old_workbook(content: bytes) -> str:
    """Return why a file that begins as Excel's old ones is not read; empty if it is no workbook."""
    if "EncryptedPackage".encode("utf-16-le") in content:
        return f"it is encrypted; open it with its password, and {SAVE_ANEW}"
    if "Workbook".encode("utf-16-le") in content:
        return f"a workbook in the format of Excel before 2007; {SAVE_ANEW}"
    return ""
