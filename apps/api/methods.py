"""Which HTTP methods a view takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

View = Callable[..., HttpResponseBase]


def read_only(view: View) -> View:
    """Answer 405 to everything but GET and HEAD.

    Django looks for a CSRF token, and reads the body for it, before a view may refuse the method. A view that changes
    nothing needs no token.
    """
    guarded: Any = csrf_exempt(require_safe(view))
    return guarded
