"""Serve a WSGI application so that a slow client never holds one of its threads.

A WSGI server hands a request to a thread as soon as its headers are there, and the thread then waits for the body and
for the reader of the answer: a few half-sent forms stop the whole process. `BufferedApplication` is an ASGI
application. It receives each request on the event loop, whole, within a deadline and a limit, and only then gives it
to a thread; the answer goes back whole as well. It also limits how many requests wait, and answers `/livez` itself.
"""

from spai.buffering.application import BufferedApplication
from spai.buffering.bodies import BODY_LIMIT
from spai.buffering.refusals import unavailable
from spai.buffering.wsgi import Environ

__all__ = ["BODY_LIMIT", "BufferedApplication", "Environ", "unavailable"]
