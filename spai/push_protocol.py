"""HTTP and websockets of the process `push`: uvicorn's protocols plus deadlines and limits.

A client must send the head of a request in time, and must read what it is sent: otherwise a connection, and what waits
to be written to it, would stay for as long as a stranger likes.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

HEAD_SECONDS: Final = 10.0
"""Time in which a connection must send a complete request line and headers, from its start or the last response."""

UNREAD_SECONDS: Final = 15.0
"""Time in which a client must read what fills its buffer here (64 KiB); shorter than that of a ping."""
CLOSE_SECONDS: Final = 5.0
"""Time that a websocket which was too slow has to read the rest, and the code of the close."""
CLOSE_SLOW: Final = 4408

LARGEST_MESSAGE: Final = 64 * 1024
"""Bytes of a message that are received; of those that are too big, the smaller ones get the reason of the application.
uvicorn's limit of 16 MiB would let two hundred connections of an address hold 3 GB of messages without an end."""
CLOSE_TOO_BIG: Final = 1009
MOST_FRAGMENTS: Final = 100
"""Frames of a message: without a limit, empty ones would be kept without an end."""

MOST_FRAMES: Final = 300
FRAME_SECONDS: Final = 10.0
"""Time in which a client may send `MOST_FRAMES` pings, pongs and fragments; programs send a ping in twenty seconds."""
CLOSE_TOO_MANY: Final = 4429


class DeadlineProtocol(H11Protocol):
    """Closes a connection that does not send the head of a request in time; `uvicorn --http` names this class."""

    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadlines."""
        self._cancel_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the deadline of a client that does not read."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Cancel that deadline."""
        if self._unread_timer is not None:
            self._unread_timer.cancel()
        super().resume_writing()

    def handle_events(self) -> None:
        """Cancel the deadline once a head has arrived."""
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._cancel_timer()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Cancel the deadline: the websocket protocol has its own."""
        self._cancel_timer()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Start the deadline of the next request."""
        super().on_response_complete()
        self._await_head()

    def _await_head(self) -> None:
        self._cancel_timer()
        # A pipelined request may have arrived already.
        if self.conn.their_state is h11.IDLE:
            # `close` would wait until the client has read the responses.
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _cancel_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class DeadlineWebSocket(WebSocketsSansIOProtocol):
    """Closes a websocket whose client does not read, or sends too much; `uvicorn --ws` names this class."""

    _unread_timer: asyncio.TimerHandle | None = None
    _window_ends = 0.0
    _frames_in_window = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn.max_message_size = LARGEST_MESSAGE

    def handle_ping(self) -> None:
        """Answer a ping."""
        if self._may_send_more():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Note that the client is there."""
        if self._may_send_more():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        """Add a fragment to a message."""
        if not self._may_send_more():
            return
        if len(self.frames) >= MOST_FRAGMENTS:
            self._fail(CLOSE_TOO_BIG, "too many fragments")
            return
        super().handle_cont(event)

    def _may_send_more(self) -> bool:
        """Count a frame; end the connection of a client that sends too many."""
        now = self.loop.time()
        if now >= self._window_ends:
            self._window_ends, self._frames_in_window = now + FRAME_SECONDS, 0
        self._frames_in_window += 1
        if self._frames_in_window == MOST_FRAMES + 1:
            self._fail(CLOSE_TOO_MANY, "too many frames")
        return not self.close_sent

    def pause_writing(self) -> None:
        """Start the deadline of a client that does not read."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self._fail, CLOSE_SLOW, "too slow")

    def resume_writing(self) -> None:
        """Cancel that deadline."""
        self._cancel_timer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel that deadline."""
        self._cancel_timer()
        super().connection_lost(exc)

    def _fail(self, code: int, reason: str) -> None:
        """End the connection, with a code where none was sent."""
        if not self.close_sent and not self.transport.is_closing():
            self.conn.fail(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        # The application must not write any more, and learns that the client is gone.
        self.disconnected = True
        self.writable.set()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self.transport.close()
        # `close` would wait until the client has read everything.
        self._cancel_timer()
        self._unread_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def _cancel_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
