"""The HTTP methods that a view accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

View = Callable[..., HttpResponseBase]


def read_only(view: View) -> View:
    """Answer 405 to everything but GET and HEAD.

    Without `csrf_exempt` Django would read the body for a CSRF token before the view refuses the method; a view that
    changes nothing needs none.
    """
    guarded: Any = csrf_exempt(require_safe(view))
    return guarded


def with_own_form(view: View) -> View:
    """Answer GET, HEAD and POST; refuse a POST that does not come from a page of this site (403).

    The browser sends the origin of a form: in Sec-Fetch-Site, or in Origin where it is older or the site has no
    TLS. A token would set a cookie for every reader and make every body differ, so that none could be answered 304.
    """

    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and not _is_from_here(request):
            raise PermissionDenied(gettext("This form was sent from another site. Open the page here and try again."))
        return view(request, *args, **kwargs)

    guarded: Any = csrf_exempt(require_http_methods(["GET", "HEAD", "POST"])(checked))
    guarded.methods = ("GET", "POST")
    return guarded


def _is_from_here(request: HttpRequest) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    own = f"{request.scheme}://{request.get_host()}"
    return request.headers.get("Origin") in {own, *settings.CSRF_TRUSTED_ORIGINS}
