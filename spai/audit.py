"""Adds the kind of address of each request to its entries of the audit."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apps.matches.services import acting_from
from spai.logins import client_address


def origin_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer each request as one that acts from its client's address."""

    def answer(request: HttpRequest) -> HttpResponse:
        with acting_from(client_address(request)):
            return get_response(request)

    return answer
