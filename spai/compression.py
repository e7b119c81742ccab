"""Compression of responses, for clients that accept it."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

SMALLEST: Final = 1_000
"""Smallest body that is compressed, in bytes: a smaller response fits into one packet anyway."""


class CompressionMiddleware(GZipMiddleware):
    """Compresses bodies by gzip.

    Django adds random bytes against BREACH, and masks CSRF tokens. Streamed responses are sent as they come. Each ETag
    becomes a weak one, compressed or not: then a 304 has the same as the body that the client holds.
    """

    def process_response(self, request: HttpRequest, response: Any) -> HttpResponseBase:
        """Compress a response, or leave it as it is."""
        patch_vary_headers(response, ("Accept-Encoding",))
        if response.get("ETag", "").startswith('"'):
            response["ETag"] = f"W/{response['ETag']}"
        if response.streaming or len(response.content) < SMALLEST:
            return response
        return super().process_response(request, response)
