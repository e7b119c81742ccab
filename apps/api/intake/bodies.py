"""The body of a push request: read completely and within limits, or refused.

`spai.buffering` receives a body completely before a view reads it. Some servers report a broken connection as the end
of the body, so the number of bytes is compared with `Content-Length` anyway.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

BYTES_LIMIT: Final = 64 * 1024 * 1024
"""Largest size of a body in bytes, both compressed and uncompressed."""

LINES_LIMIT: Final = 200_000
LINE_LIMIT: Final = 64 * 1024
"""Bytes of one line."""

MEMBERS_LIMIT: Final = 2_000
"""Members of a gzip body; each costs time, even an empty one. 64 MiB in blocks of bgzip are 1,029."""

CHUNK: Final = 16 * 1024
"""Compressed bytes that are decompressed at a time."""

_DECOMPRESSED_AT_ONCE: Final = 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_BOM: Final = b"\xef\xbb\xbf"
_NOT_BLANK: Final = re.compile(rb"[^ \t\r\n]")


class BodyError(Exception):
    """A body that cannot be used at all; `kind` is the short name of the error, `detail` describes what to do."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail


class Stream(Protocol):
    """Where a body is read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class PushBody:
    """A complete body, decompressed; `lines` is their number, blank ones included."""

    content: bytes | bytearray
    lines: int

    @property
    def sha256(self) -> str:
        """Hash of the decompressed content, the same for every compression."""
        return hashlib.sha256(self.content).hexdigest()

    def numbered(self) -> Iterator[tuple[int, bytes | bytearray]]:
        """Yield the lines that are not blank, each with its number, from 1."""
        start, end = 0, len(self.content)
        for number in range(1, self.lines + 1):
            stop = self.content.find(b"\n", start)
            line = self.content[start : end if stop < 0 else stop].strip(b" \t\r")
            if number == 1:
                line = line.removeprefix(_BOM)
            start = stop + 1
            if line:
                yield number, line


def read_body(stream: Stream, *, length: int | None, encoding: str) -> PushBody:
    """Read a body to its end.

    Parameters
    ----------
    stream : Stream
    length : int or None
        The `Content-Length`; None without the header.
    encoding : str
        The `Content-Encoding`: empty, ``"identity"`` or ``"gzip"``.

    Raises
    ------
    BodyError
        When it has no length, exceeds a limit, is not valid gzip, is incomplete, or is empty.
    """
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise BodyError(415, "unknown-encoding", f"Content-Encoding {encoding!r} is not supported; send gzip, or none.")
    if length is None:
        raise BodyError(
            411, "no-length", "Content-Length is missing; without it an incomplete body cannot be detected."
        )
    if length > BYTES_LIMIT:
        raise _too_large()
    received = _received(stream, length)
    content = _decompressed(received) if encoding in ("gzip", "x-gzip") else received
    lines = _checked_lines(content)
    if not _NOT_BLANK.search(content, len(_BOM) if content.startswith(_BOM) else 0):
        raise BodyError(422, "empty-body", "The body holds no line. Send one JSON object per line.")
    return PushBody(content, lines)


def _too_large() -> BodyError:
    return BodyError(
        413,
        "body-too-large",
        f"A body may have {BYTES_LIMIT // 1024 // 1024} MiB uncompressed; send several requests, see `upload`.",
    )


def _checked_lines(content: bytes | bytearray) -> int:
    """Return the number of lines."""
    # Counted before the loop: 64 MiB may hold as many million lines.
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if lines > LINES_LIMIT:
        raise BodyError(
            413, "too-many-lines", f"A body may have {LINES_LIMIT:,} lines; send several requests, see `upload`."
        )
    start, number = 0, 1
    while start < len(content):
        stop = content.find(b"\n", start)
        stop = len(content) if stop < 0 else stop
        if stop - start > LINE_LIMIT:
            raise BodyError(
                422, "line-too-long", f"Line {number} has {stop - start:,} bytes; at most {LINE_LIMIT:,} are allowed."
            )
        start, number = stop + 1, number + 1
    return lines


def _received(stream: Stream, length: int) -> bytes:
    try:
        content = stream.read(length)
    except OSError:
        content = b""
    if len(content) < length:
        raise BodyError(400, "broken-off", f"The body ended after {len(content):,} of {length:,} bytes; send it again.")
    return content


def _decompressed(packed: bytes) -> bytearray:
    """Decompress gzip, and stop at `BYTES_LIMIT`."""
    content = bytearray()
    member: zlib._Decompress | None = None
    members = 0
    # In chunks, because zlib copies what follows a member: of the whole body that would be quadratic.
    for start in range(0, len(packed), CHUNK):
        chunk = packed[start : start + CHUNK]
        while chunk:
            if member is None or member.eof:
                # A gzip file may consist of several members.
                members += 1
                if members > MEMBERS_LIMIT:
                    raise BodyError(
                        413,
                        "too-many-members",
                        f"The gzip body consists of more than {MEMBERS_LIMIT:,} members; compress it as one.",
                    )
                member = zlib.decompressobj(_GZIP)
            try:
                content += member.decompress(chunk, _DECOMPRESSED_AT_ONCE)
            except zlib.error as error:
                raise _broken_gzip() from error
            if len(content) > BYTES_LIMIT:
                raise _too_large()
            chunk = member.unused_data if member.eof else member.unconsumed_tail
    if member is not None and not member.eof:
        raise _broken_gzip()
    return content


def _broken_gzip() -> BodyError:
    return BodyError(400, "broken-gzip", "The body is not valid gzip, or is incomplete.")
