"""The body of a request that pushes lines in: read to its end within limits, or not at all.

A server tells of a connection that broke as if the body had ended there, and waits for a silent client for ever. So the
number of bytes is compared with the announced one, and the reading is done by a thread of its own that can be left.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Protocol

BYTES_LIMIT: Final = 64 * 1024 * 1024
"""Of a body, as sent and as unpacked."""

LINES_LIMIT: Final = 200_000
LINE_LIMIT: Final = 64 * 1024
"""Bytes of one line."""

MEMBERS_LIMIT: Final = 2_000
"""Members of a gzip body; each costs work of its own, even when it is empty. 64 MiB in bgzip's blocks are 1,029."""

PIECE: Final = 16 * 1024
"""Bytes that are asked for at a time; a client that does not send so many within `PATIENCE` is too slow."""

PATIENCE: Final = 30.0
"""Longest wait for one piece, in seconds."""

LONGEST: Final = 600.0
"""Longest wait for a whole body, in seconds."""

_UNPACKED_AT_ONCE: Final = 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_BOM: Final = b"\xef\xbb\xbf"
_SOMETHING: Final = re.compile(rb"[^ \t\r\n]")


class BodyError(Exception):
    """A body that cannot be used; nothing of it is.

    Parameters
    ----------
    status : int
        HTTP status that says so.
    kind : str
        Short name of what is wrong.
    detail : str
        What is wrong and what to do, for a person.
    """

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail


class Stream(Protocol):
    """Where a body is read from; an empty piece is its end."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Body:
    """A whole body, unpacked.

    Parameters
    ----------
    content : bytes or bytearray
        Lines, each of at most `LINE_LIMIT` bytes.
    lines : int
        Number of lines, blank ones included.
    """

    content: bytes | bytearray
    lines: int

    @property
    def sha256(self) -> str:
        """Hash of the unpacked content, equal however it was packed."""
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


def read_body(
    stream: Stream, *, length: int | None, encoding: str, patience: float = PATIENCE, longest: float = LONGEST
) -> Body:
    """Read a body to its end.

    Parameters
    ----------
    stream : Stream
    length : int or None
        Number of bytes that were announced; None when none was.
    encoding : str
        How it is packed: empty, ``"identity"`` or ``"gzip"``.
    patience, longest : float
        Seconds to wait for the next piece, and for all of them.

    Raises
    ------
    BodyError
        When it has no announced length, exceeds a limit, is packed wrongly, breaks off, does not come, or is empty.
    """
    unpack: _Plain | _Gunzip
    if encoding in ("", "identity"):
        unpack = _Plain()
    elif encoding in ("gzip", "x-gzip"):
        unpack = _Gunzip()
    else:
        raise BodyError(415, "unknown-encoding", f"Content-Encoding {encoding!r} is not known; send gzip, or none.")
    if length is None:
        raise BodyError(
            411, "no-length", "Content-Length is missing. Only with it can a body that broke off be told from a whole."
        )
    if length > BYTES_LIMIT:
        raise _too_large()
    for piece in _pieces(stream, length, patience=patience, longest=longest):
        unpack.feed(piece)
    content = unpack.finish()
    _check_lines(content)
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if not _SOMETHING.search(content, len(_BOM) if content.startswith(_BOM) else 0):
        raise BodyError(422, "empty-body", "The body holds no line. Send one JSON object a line.")
    return Body(content, lines)


def _too_large() -> BodyError:
    return BodyError(
        413,
        "body-too-large",
        f"A body may have {BYTES_LIMIT // 1024 // 1024} MiB unpacked; send it in several requests, see `upload`.",
    )


def _check_lines(content: bytearray) -> None:
    # Counted before they are looked at: 64 MiB may hold as many million lines.
    if content.count(b"\n") + (not content.endswith(b"\n")) > LINES_LIMIT:
        raise BodyError(
            413, "too-many-lines", f"A body may have {LINES_LIMIT:,} lines; send it in several requests, see `upload`."
        )
    start, number = 0, 1
    while start < len(content):
        stop = content.find(b"\n", start)
        stop = len(content) if stop < 0 else stop
        if stop - start > LINE_LIMIT:
            raise BodyError(
                422, "line-too-long", f"Line {number} has {stop - start:,} bytes of at most {LINE_LIMIT:,}."
            )
        start, number = stop + 1, number + 1


class _Plain:
    """A body that is not packed."""

    def __init__(self) -> None:
        self._content = bytearray()

    def feed(self, piece: bytes) -> None:
        self._content += piece

    def finish(self) -> bytearray:
        return self._content


class _Gunzip:
    """A body packed by gzip, unpacked no further than `BYTES_LIMIT`."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._member: zlib._Decompress | None = None
        self._members = 0

    def feed(self, piece: bytes) -> None:
        while piece:
            if self._member is None or self._member.eof:
                # A packed file may be several, one after the other.
                self._members += 1
                if self._members > MEMBERS_LIMIT:
                    raise BodyError(
                        413,
                        "too-many-members",
                        f"The gzip body consists of more than {MEMBERS_LIMIT:,} members; pack it as one.",
                    )
                self._member = zlib.decompressobj(_GZIP)
            try:
                self._content += self._member.decompress(piece, _UNPACKED_AT_ONCE)
            except zlib.error as error:
                raise self._broken() from error
            if len(self._content) > BYTES_LIMIT:
                raise _too_large()
            piece = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def finish(self) -> bytearray:
        if self._member is not None and not self._member.eof:
            raise self._broken()
        return self._content

    @staticmethod
    def _broken() -> BodyError:
        return BodyError(400, "broken-gzip", "The body says that it is gzip, and it is none, or breaks off.")


def _pieces(stream: Stream, length: int, *, patience: float, longest: float) -> Iterator[bytes]:
    """Yield what a stream gives until all announced bytes are there."""
    left = length
    end = time.monotonic() + longest
    with _Reader(stream) as reader:
        while left:
            piece = reader.read(min(PIECE, left), patience=min(patience, end - time.monotonic()))
            if not piece:
                raise BodyError(
                    400, "broken-off", f"The body broke off after {length - left:,} of {length:,} bytes; send it again."
                )
            left -= len(piece)
            yield piece


class _Reader:
    """A thread that reads a stream piece by piece, and is left behind when the stream stays silent.

    A piece is handed over when it is whole: a stream that gives single bytes costs no exchange of threads for each.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._wanted: SimpleQueue[int] = SimpleQueue()
        self._given: SimpleQueue[bytes] = SimpleQueue()
        self._is_left = False

    def __enter__(self) -> _Reader:
        threading.Thread(target=self._run, name="body", daemon=True).start()
        return self

    def __exit__(self, *about: object) -> None:
        self._is_left = True
        self._wanted.put(0)

    def read(self, size: int, *, patience: float) -> bytes:
        self._wanted.put(size)
        try:
            return self._given.get(timeout=max(patience, 0.0))
        except Empty as error:
            raise BodyError(408, "too-slow", "The body did not come in time; send it again.") from error

    def _run(self) -> None:
        while size := self._wanted.get():
            piece = bytearray()
            while len(piece) < size and not self._is_left:
                try:
                    part = self._stream.read(size - len(piece))
                except OSError:
                    part = b""
                if not part:
                    break
                piece += part
            self._given.put(bytes(piece))
