"""The middleware that every request of the API passes: its key, its limit, and the headers that depend on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers

from apps.api import services
from apps.api.authentication import CHALLENGE, Access, access_of, may_read, token_of
from apps.api.models import ApiKey
from apps.api.rest.problems import is_api, problem_response

KEY_HEADERS: Final = ("Authorization", "X-API-Key")


class AccessMiddleware:
    """Refuses wrong keys (401) and too many requests (429) under /api/, whatever the view.

    A view class may set `request_cost`, as how many requests one of its requests counts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request; one of a page passes through."""
        if not is_api(request):
            return self.get_response(request)
        access = access_of(request)
        response = _identify(request, access) or self.get_response(request)
        if access.admission is None:
            # It reached no view: a wrong key, an unknown address, a redirect.
            response = _admit(request, access) or response
        if access.admission is not None:
            for name, value in access.admission.headers.items():
                response[name] = value
        patch_vary_headers(response, KEY_HEADERS)
        if access.key is not None:
            # Only who has the key may see what a cache kept of it.
            patch_cache_control(response, private=True)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Admit a request before its view, or refuse it."""
        if not is_api(request):
            return None
        return _admit(request, access_of(request), cost=getattr(getattr(view, "cls", None), "request_cost", 1))


def access_to_cached(meta: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """Admit a request for reading to which a cached response can be sent, without a query or a round trip.

    Parameters
    ----------
    meta : mapping
        The headers by which access is decided, and the address, as in `HttpRequest.META`.

    Returns
    -------
    list of (str, str), or None
        The headers that depend on the client. None for a request that the application must answer: one to be refused,
        or one for which the database or the shared counter has to be asked.
    """
    now = timezone.now()
    try:
        token = token_of(meta)
        key = services.known_key(token, now=now) if token else None
    except services.KeyRefusedError:
        return None
    if token and (key is None or may_read.scope not in key.scopes or services.use_is_due(key, now=now)):
        return None
    if not token and not may_read.allows_anonymous:
        return None
    admission = services.admit_leased(key or services.address_of(meta) or "unknown", now=now)
    if admission is None:
        return None
    return [("Cache-Control", "no-cache, private" if key else "no-cache"), *admission.headers.items()]


def _identify(request: HttpRequest, access: Access) -> HttpResponse | None:
    """Find the key of a request; return the refusal of one that is wrong."""
    now = timezone.now()
    try:
        token = token_of(request.META)
        if not token:
            return None
        key = services.known_key(token, now=now)
        if key is None:
            # Each query counts against the address: guessing keys is slowed down as other requests are.
            if refusal := _admit(request, access):
                return refusal
            key, access.admission = services.read_key(token, now=now), None
    except services.KeyRefusedError as error:
        refusal = problem_response(request, 401, str(error))
        # RFC 6750: the key that was sent is invalid.
        refusal["WWW-Authenticate"] = f'{CHALLENGE}, error="invalid_token"'
        refusal["Cache-Control"] = "no-store"
        return refusal
    access.key = key
    services.record_use(key, now=now)
    return None


def _admit(request: HttpRequest, access: Access, *, cost: int = 1) -> HttpResponse | None:
    """Count a request against the limit of its key or address; return the refusal when the limit is reached."""
    client: ApiKey | str = access.key or services.address_of(request.META) or "unknown"
    access.admission = admission = services.admit(client, cost=cost, now=timezone.now())
    if admission.allowed:
        return None
    whose = "This API key" if access.key else "Your address"
    counts = f"; this one counts as {cost}" if cost > 1 else ""
    refusal = problem_response(
        request,
        429,
        f"{whose} may send {admission.limit:,} requests a minute{counts}. "
        f"Try again in {admission.reset_seconds} seconds.",
        kind="quota-exceeded",
    )
    refusal["Cache-Control"] = "no-store"
    return refusal
