"""The HTTP methods that a view accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

View = Callable[..., HttpResponseBase]


def read_only(view: View) -> View:
    """Answer 405 to everything but GET and HEAD.

    Without `csrf_exempt` Django would read the body for a CSRF token before the view refuses the method; a view that
    changes nothing needs none.
    """
    guarded: Any = csrf_exempt(require_safe(view))
    return guarded
