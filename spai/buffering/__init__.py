"""Serve a WSGI application so that a slow client never holds one of its threads.

A WSGI server passes a request to a thread as soon as its headers have arrived, and the thread then waits for the body
and for the client to read the response: a few half-sent forms stop the whole process. `BufferedApplication` is an ASGI
application that receives each request completely on the event loop, within limits of time and size, before it passes
it to a thread, and sends the response from the event loop too: whole, or, where its length is not known beforehand,
while the thread still makes it. It also limits how many requests wait, and answers `/livez` itself.
"""

from spai.buffering.application import BufferedApplication
from spai.buffering.bodies import BODY_LIMIT
from spai.buffering.refusals import unavailable
from spai.buffering.response_cache import CACHE_PERMISSION, OF_CONTENT, OWN, ResponseCache, request_id
from spai.buffering.wsgi import Environ, Headers, Scope

__all__ = [
    "BODY_LIMIT",
    "CACHE_PERMISSION",
    "OF_CONTENT",
    "OWN",
    "BufferedApplication",
    "Environ",
    "Headers",
    "ResponseCache",
    "Scope",
    "request_id",
    "unavailable",
]
