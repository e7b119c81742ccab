"""HTTP of the process `push`: uvicorn's, with a deadline for the head of a request, which uvicorn does not have."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0
"""Time in which a new connection, or one whose request was answered, must send a whole request line and headers."""


class DeadlineProtocol(H11Protocol):
    """Closes a connection that does not send the head of a request in time; `uvicorn --http` names this class."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._cancel_timer()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Stop waiting once a request is under way; what has become a websocket keeps its own time."""
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._cancel_timer()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Leave the connection to the websocket protocol."""
        self._cancel_timer()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for the next request of the same connection."""
        super().on_response_complete()
        self._await_head()

    def _await_head(self) -> None:
        self._cancel_timer()
        # A request that was sent before the last one was answered is under way already.
        if self.conn.their_state is h11.IDLE:
            # `close` would wait for the client to read what it was sent.
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _cancel_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
