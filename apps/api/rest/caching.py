"""ETags: a client that has the content already is answered 304."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class ConditionalMixin(APIView):
    """A view whose successful answers have an ETag and must be revalidated by caches each time."""

    has_etag = True
    """Read by `ApiSchema`."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add an ETag, and answer 304 when the client has the content."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code != 200 or request.method not in ("GET", "HEAD"):
            return response
        patch_cache_control(response, no_cache=True)
        response.add_post_render_callback(lambda rendered: conditional(request._request, rendered))
        return response


def conditional(request: HttpRequest, response: HttpResponse) -> HttpResponseBase | None:
    """Add an ETag to a response with content; return it, or 304 where the client has the content."""
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=response)
