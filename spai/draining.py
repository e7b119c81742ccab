"""Draining: a process that is about to be stopped continues to serve for a while, but reports that it is not ready.

The first process of a container (`spai.stack.stopping`) writes a file for it, because a signal would reach one of the
processes that serve, and the question may reach any.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def is_draining() -> bool:
    """Return whether this process is about to be stopped."""
    return bool(settings.SPAI_STOP_MARK) and Path(settings.SPAI_STOP_MARK).exists()
