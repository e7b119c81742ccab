"""The sandbox's web site on a port of its own, for tests that fetch it over the network.

    with SandboxServer(seed=7, anchor=ANCHOR, clock=lambda: NOW) as server:
        server.url                         # "http://127.0.0.1:49152"
        server.faults.put("/matches/", "403", times=2)
        server.log.entries()[-1]["path"]

Each request has a thread of its own, so that a slow or hanging one does not delay the others.
"""

from __future__ import annotations

import socketserver
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from apps.scraping.sandbox.site import Faults, RequestLog, SandboxSite
from apps.scraping.sandbox.world import SimulatedWorld

SEED = 7
ANCHOR = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


class SandboxServer:
    """A running site.

    Parameters
    ----------
    seed, anchor
        Of the world.
    clock : callable, optional
        Returns the time at which the world is shown; real time by default.
    world : SimulatedWorld, optional
        Replaces seed and anchor; it belongs to the site from then on.
    """

    def __init__(
        self,
        *,
        seed: int = SEED,
        anchor: datetime = ANCHOR,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        world: SimulatedWorld | None = None,
    ) -> None:
        self.site = SandboxSite(world or SimulatedWorld(seed, anchor), clock)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.set_app(self.site)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def faults(self) -> Faults:
        """Which paths are broken."""
        return self.site.faults

    @property
    def log(self) -> RequestLog:
        """The latest requests."""
        return self.site.log

    def answer_by(self, application: Callable[..., Iterable[bytes]]) -> None:
        """Replace the site by another application."""
        self._server.set_app(application)

    def stop(self) -> None:
        """Stop the server; requests that hang are released."""
        self.site.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> SandboxServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    # Many clients may connect at once.
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Log errors, except those of clients that disconnect."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _AnswerHandler(ServerHandler):
    def log_exception(self, exc_info: object) -> None:
        """Log errors, except those of responses that are cut off on purpose."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().log_exception(exc_info)


class _Handler(WSGIRequestHandler):
    def address_string(self) -> str:
        """Return the address without a DNS lookup."""
        return str(self.client_address[0])

    def log_message(self, *arguments: object) -> None:
        """Log nothing: the site has a log of its own."""

    def handle(self) -> None:
        """Answer one request as wsgiref does, but with our own handler."""
        self.raw_requestline = self.rfile.readline(65_537)
        if len(self.raw_requestline) > 65_536:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
            return
        if not self.parse_request():
            return
        handler = _AnswerHandler(self.rfile, self.wfile, self.get_stderr(), self.get_environ(), multithread=True)
        handler.request_handler = self  # wsgiref reads the client's protocol from it
        handler.run(self.server.get_app())
