"""The ASGI application of the processes `web` and `admin`: the site behind `spai.buffering`."""

from __future__ import annotations

import sys
import threading
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.urls import reverse

from spai.buffering import BODY_LIMIT, BufferedApplication, Environ, Headers, ResponseCache, Scope, unavailable
from spai.change_listener import ChangeListener
from spai.draining import is_draining
from spai.request_metrics import count
from spai.wsgi import application as wsgi_application

# After the WSGI application, which sets Django up.
from apps.api.intake import body_limit as push_body_limit  # isort: skip
from apps.api.rest import BATCH_PATH, batch_body_limit, job_body_limit  # isort: skip
from apps.api.rest.access import access_to_cached  # isort: skip
from apps.matches.replicas import must_follow  # isort: skip
from apps.ml import serving  # isort: skip
from spai.direct import StoredForecasts  # isort: skip


def body_limit(environ: Environ) -> int:
    """Return the largest body of a request; see `BufferedApplication`.

    Raises
    ------
    RefusedError
        When the database, which has the API keys, does not answer.
    """
    try:
        limits = (push_body_limit(environ), batch_body_limit(environ), job_body_limit(environ))
    except DatabaseError as error:
        raise unavailable("database", "The database does not answer. Try again in a moment.") from error
    finally:
        connection.close()
    return next((limit for limit in limits if limit is not None), BODY_LIMIT)


# Probes and static files have their own threads and do not wait for pages that are being rendered.
reserved = {("/readyz", "/metrics"): 1, (settings.STATIC_URL,): 1}
if settings.SPAI_ROLE == "web":
    # Forecasts of single matches do not wait for batches, nor for lists, which may be large files. The first prefix
    # that fits counts.
    reserved |= {(BATCH_PATH,): 1, (reverse("api-predictions"), reverse("api-scores")): 1}


SWITCH_SECONDS: Final = 0.0005
"""How long a thread may keep the interpreter while others wait for it: a tenth of Python's default. A single forecast
waits for it several times, each time as long as this where batches and files are being made."""

sys.setswitchinterval(SWITCH_SECONDS)


ACCESS_HEADERS: Final = {
    b"authorization": "HTTP_AUTHORIZATION",
    b"x-api-key": "HTTP_X_API_KEY",
    b"x-forwarded-for": "HTTP_X_FORWARDED_FOR",
}
"""Headers of a request by which `admit` decides → their names in WSGI."""


def admit(scope: Scope) -> Headers | None:
    """Decide on a request before a cached response is sent to it, in the event loop; see `ResponseCache`."""
    meta = {"REMOTE_ADDR": (scope.get("client") or ("",))[0]}
    for raw_name, value in scope["headers"]:
        if name := ACCESS_HEADERS.get(raw_name):
            if name in meta:
                return None
            meta[name] = value.decode("latin-1")
    return access_to_cached(meta)


def response_cache() -> ResponseCache:
    """Return the cached responses of this process, which a thread ends as matches change; it notices promotions too."""

    def changed(about: set[str] | None) -> None:
        must_follow()
        kept.drop(about)
        # Only a possible promotion is checked at once: facts change often.
        serving.request_refresh(at_once=about is None)

    listener = ChangeListener(changed)
    kept = ResponseCache(listener.is_current, admit=admit, sent=count)
    threading.Thread(target=listener.run, name="changes", daemon=True).start()
    return kept


application = BufferedApplication(
    StoredForecasts(wsgi_application) if settings.SPAI_ROLE == "web" else wsgi_application,
    threads=settings.SPAI_THREADS,
    reserved=reserved,
    body_limit=body_limit,
    alive={"role": settings.SPAI_ROLE},
    cache=response_cache() if settings.SPAI_ROLE == "web" else None,
    is_draining=is_draining,
)
