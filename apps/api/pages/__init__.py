"""Pages for people: parse → one selector or service → render. A page and its changing part are one view."""

from apps.api.pages.errors import bad_request, forbidden, not_found, server_error
from apps.api.pages.fixtures import fixtures, search
from apps.api.pages.frame import choose_zone
from apps.api.pages.matches import match

__all__ = [
    "bad_request",
    "choose_zone",
    "fixtures",
    "forbidden",
    "match",
    "not_found",
    "search",
    "server_error",
]
