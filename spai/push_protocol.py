"""HTTP of the process `push`: uvicorn's protocol plus a deadline for the head of a request."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0
"""Time in which a connection must send a complete request line and headers, from its start or the last response."""


class DeadlineProtocol(H11Protocol):
    """Closes a connection that does not send the head of a request in time; `uvicorn --http` names this class."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline."""
        self._cancel_timer()
        super().connection_lost(exc)

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
