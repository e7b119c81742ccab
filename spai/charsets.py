"""Parameters and forms are UTF-8, whatever a client says of them."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase

FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


def charset_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Read query parameters as UTF-8, and refuse forms in another charset.

    Django reads both by the charset of the header Content-Type. A charset that encodes no text, such as zlib, is an
    error of the site then, and another one than UTF-8 gives the same address another meaning.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        named = request.encoding
        if named is not None and codecs.lookup(named).name != "utf-8":
            request.encoding = None
            if request.content_type in FORMS:
                raise BadRequest("Send the form in UTF-8.")
        return get_response(request)

    return answer
