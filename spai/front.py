"""The ASGI application of the processes `web` and `admin`: the site behind `spai.buffering`."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection

from spai.buffering import BODY_LIMIT, BufferedApplication, Environ, unavailable
from spai.wsgi import application as wsgi_application

# After the WSGI application, which sets Django up.
from apps.api.intake import body_limit as push_body_limit  # isort: skip
from apps.api.rest import job_body_limit  # isort: skip


def body_limit(environ: Environ) -> int:
    """Return the largest body of a request; see `BufferedApplication`.

    Raises
    ------
    RefusedError
        When the database, which has the API keys, does not answer.
    """
    try:
        limits = (push_body_limit(environ), job_body_limit(environ))
    except DatabaseError as error:
        raise unavailable("database", "The database does not answer. Try again in a moment.") from error
    finally:
        connection.close()
    return next((limit for limit in limits if limit is not None), BODY_LIMIT)


application = BufferedApplication(
    wsgi_application,
    threads=settings.SPAI_THREADS,
    # Probes and static files have their own threads and do not wait for pages that are being rendered.
    reserved={("/readyz", "/metrics"): 1, (settings.STATIC_URL,): 1},
    body_limit=body_limit,
    alive={"role": settings.SPAI_ROLE},
)
