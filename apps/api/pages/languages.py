"""The language of a request: what the reader chose, else the first one of the browser that there is, else English."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation

from apps.api.rest import is_api

LANGUAGE_COOKIE: Final = settings.LANGUAGE_COOKIE_NAME
"""The language that the reader chose."""

DEFAULT: Final = settings.LANGUAGE_CODE


def language_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer each request in its reader's language; under /api/, which programs read, all is English.

    Django's own middleware would also look for a language in the address, and make all answers of the API vary.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        if is_api(request):
            return get_response(request)
        with translation.override(translation.get_language_from_request(request)):
            response = get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or DEFAULT)
        return response

    return answer


def language_query(language: str, *, sign: str = "?") -> str:
    """Return the query by which an address names a language, for programs that send neither cookie nor header.

    English, the default of such addresses, needs none.
    """
    return "" if language == DEFAULT else f"{sign}lang={language}"
