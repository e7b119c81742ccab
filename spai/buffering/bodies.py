"""Receive request bodies on the event loop, within limits of size, time and memory."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import Final

from spai.buffering.refusals import RETRY_SECONDS, ClientGoneError, RefusedError, unavailable
from spai.buffering.wsgi import Receive, Scope

BODY_LIMIT: Final = 1024 * 1024
"""Largest body of an ordinary request, in bytes."""
BODY_SECONDS: Final = 10.0
"""Time in which a body must arrive, plus one second for each `BODY_RATE` bytes of it."""
BODY_RATE: Final = 16 * 1024
"""Slowest upload that is accepted after `BODY_SECONDS`, in bytes per second."""
DISCARD_SECONDS: Final = 2.0
"""How long the rest of a refused body is read and dropped: most clients read the response only after sending."""
MEMORY_LIMIT: Final = 256 * 1024 * 1024
"""Largest total of the bodies that one process holds, in bytes; not less than the largest body."""


class Memory:
    """Counts the bytes of the bodies that a process holds."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, size: int) -> None:
        """Count the bytes of a piece.

        Raises
        ------
        RefusedError
            When it would exceed `MEMORY_LIMIT`; the piece is not counted then.
        """
        if self.used + size > MEMORY_LIMIT:
            raise unavailable(
                "memory", f"This site is receiving more than it can hold. Try again in {RETRY_SECONDS} seconds."
            )
        self.used += size


class Body:
    """The body of a request, which the server delivers piece by piece; `memory` counts its bytes until `release`."""

    def __init__(self, scope: Scope, receive: Receive, memory: Memory) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        self._announced = int(length) if length.isdigit() else None
        self._exists = b"transfer-encoding" in headers or self._announced not in (None, 0)
        self._receive = receive
        self._memory = memory
        self._taken = 0
        # Whether the client is still sending it. With `Expect: 100-continue` it sends only after the first `read`.
        self.is_coming = self._exists and b"expect" not in headers

    async def read(self, limit: int) -> bytes:
        """Receive the body to its end.

        Parameters
        ----------
        limit : int
            Largest body in bytes.

        Raises
        ------
        RefusedError
            When it is larger than `limit`, does not arrive in time, ends too early or is malformed, or the bodies of
            the process are too many.
        """
        if not self._exists:
            return b""
        if self._announced is not None and self._announced > limit:
            raise _too_large(limit)
        self.is_coming = True
        pieces: list[bytes] = []
        start = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(BODY_SECONDS) as deadline:
                while self.is_coming:
                    pieces.append(await self._piece())
                    if self._taken + len(pieces[-1]) > limit:
                        raise _too_large(limit)
                    self._memory.take(len(pieces[-1]))
                    self._taken += len(pieces[-1])
                    deadline.reschedule(start + BODY_SECONDS + self._taken / BODY_RATE)
        except TimeoutError:
            self.is_coming = False
            raise RefusedError(
                HTTPStatus.REQUEST_TIMEOUT,
                "slow body",
                "The body of the request did not arrive in time. Send it again.",
            ) from None
        except ClientGoneError:
            # Also for malformed pieces: without a response the server would answer with an error of its own.
            self.is_coming = False
            raise RefusedError(
                HTTPStatus.BAD_REQUEST,
                "broken body",
                "The body of the request is malformed, or ended before its announced end. Send it again.",
            ) from None
        return b"".join(pieces)

    async def discard(self) -> None:
        """Read and drop what the client still sends, for a short time."""
        with contextlib.suppress(TimeoutError, ClientGoneError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while self.is_coming:
                    await self._piece()

    def release(self) -> None:
        """Stop counting the bytes of this body."""
        self._memory.used -= self._taken
        self._taken = 0

    async def wait_for_disconnect(self) -> None:
        """Return when the client has closed the connection; to be called only after the body has been read."""
        with contextlib.suppress(ClientGoneError):
            while True:
                await self._piece()

    async def _piece(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        self.is_coming = bool(message.get("more_body"))
        piece: bytes = message.get("body", b"")
        return piece


def _too_large(limit: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "large body",
        f"The body of this request may have at most {limit:,} bytes. Send less in one request.",
    )
