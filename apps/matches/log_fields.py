"""Ids of what a piece of work is about, which every log line of the work carries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_fields: ContextVar[dict[str, str]] = ContextVar("log_fields", default={})  # noqa: B039  never changed in place


def log_fields() -> dict[str, str]:
    """Return the ids of the current work."""
    return _fields.get()


@contextmanager
def logged_as(**ids: object) -> Iterator[None]:
    """Let log lines carry ids, such as ``run=12`` or ``model="real 3"``, beside those of the work around it."""
    token = _fields.set(_fields.get() | {name: str(value) for name, value in ids.items()})
    try:
        yield
    finally:
        _fields.reset(token)
