"""Parameters and forms are UTF-8, whatever a client says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponseBase

FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii"})


class Utf8Request(WSGIRequest):
    """A request whose parameters are read as UTF-8.

    Django reads them by the charset of the header Content-Type, which gives the same address another meaning. Where it
    names a codec of no text, such as zlib, the request cannot even be made.
    """

    @property
    def encoding(self) -> None:
        """None, which stands for UTF-8."""
        return None

    @encoding.setter
    def encoding(self, value: Any) -> None:
        """Ignore the charset of the client."""


def utf8_application(application: WSGIHandler) -> WSGIHandler:
    """Return the WSGI application of Django, whose requests are made of `Utf8Request`."""
    application.request_class = Utf8Request
    return application


def charset_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Refuse forms in another charset than UTF-8."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        charset = (request.content_params or {}).get("charset", "utf-8")
        if request.content_type in FORMS and charset.lower() not in UTF8:
            raise BadRequest("A form was sent in another charset than UTF-8.")
        return get_response(request)

    return answer
