"""WSGI application of the process `sandbox`: the simulated world of this database as a web site.

The database is queried once, for seed and anchor of the world; until it responds, pages have status 503 and say why.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")
django.setup()

from django.conf import settings  # noqa: E402  Django must be set up before anything that reads its settings.
from django.db import DatabaseError, connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from apps.scraping.sandbox.site import SandboxSite  # noqa: E402
from apps.scraping.sandbox.world import SimulatedWorld  # noqa: E402
from apps.scraping.services import ensure_sandbox  # noqa: E402
from spai.buffering import BufferedApplication  # noqa: E402

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 1.0
"""Shortest time between two queries while the database fails."""
PATIENCE_SECONDS: Final = 5.0
"""Longest time that a request waits while another one queries the database."""


SECURITY_HEADERS: Final = (
    # The pages contain their data in inline scripts, like the real sites.
    (
        "Content-Security-Policy",
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("X-Frame-Options", settings.X_FRAME_OPTIONS),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", settings.SECURE_REFERRER_POLICY),
    ("Cross-Origin-Opener-Policy", settings.SECURE_CROSS_ORIGIN_OPENER_POLICY),
)
"""Headers that Django's middleware adds to the responses of the other processes."""


class NotReadyError(Exception):
    """The world is not loaded yet; the text says why."""


def load_world() -> SimulatedWorld:
    """Return the world of this database's source `sandbox`, which is created if it is missing.

    Raises
    ------
    NotReadyError
        When the database does not respond, or the row lacks seed or anchor.
    """
    try:
        source = ensure_sandbox(now=timezone.now())
    except DatabaseError as error:
        raise NotReadyError(f"the world cannot be loaded from the database: {error.__class__.__name__}") from error
    finally:
        # No other query follows.
        connection.close()
    if source.seed is None or source.anchor_at is None:
        raise NotReadyError("the source sandbox has lost its seed or its anchor; restore them in the admin")
    return SimulatedWorld(source.seed, source.anchor_at)


class SandboxApplication:
    """The site, once its world is loaded."""

    def __init__(self, load: Callable[[], SimulatedWorld] = load_world) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._site: SandboxSite | None = None
        self._failed: tuple[float, str] = (float("-inf"), "")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to one request, with the security headers."""

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            return start_response(status, [*headers, *SECURITY_HEADERS], *exc_info)

        return self._answer(environ, start)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        try:
            site = self.site()
        except NotReadyError as reason:
            return _json("503 Service Unavailable", {"status": "not ready", "reason": str(reason)}, start_response)
        if path == "/readyz":
            return _json("200 OK", {"status": "ready"}, start_response)
        return site(environ, start_response)

    def site(self) -> SandboxSite:
        """Return the site, which is created at the first call.

        Raises
        ------
        NotReadyError
            When the world cannot be loaded; a call at least a second later tries again.
        """
        if self._site is not None:
            return self._site
        if not self._lock.acquire(timeout=PATIENCE_SECONDS):
            raise NotReadyError("the database has not responded yet")
        try:
            if self._site is None:
                self._site = self._make()
            return self._site
        finally:
            self._lock.release()

    def _make(self) -> SandboxSite:
        failed_at, reason = self._failed
        if time.monotonic() - failed_at < PAUSE_SECONDS:
            raise NotReadyError(reason)
        try:
            world = self._load()
        except NotReadyError as error:
            logger.warning("sandbox: %s", error)
            self._failed = time.monotonic(), str(error)
            raise
        logger.info("sandbox: serving the world of seed %d, anchored at %s", world.seed, world.anchor_at)
        return SandboxSite(world, timezone.now)


def _json(status: str, what: dict[str, str], start_response: StartResponse) -> Iterable[bytes]:
    body = json.dumps(what).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    if status.startswith("503"):
        headers.append(("Retry-After", "2"))
    start_response(status, headers)
    return [body]


application = BufferedApplication(SandboxApplication(), threads=settings.SPAI_THREADS, reserved={("/readyz",): 1})
