"""Values in the scripts of a page: JavaScript literals, and JSON that is safe within HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any


def literal(value: object) -> str:
    """Return a JavaScript literal with single quotes and bare keys, which must be names or numbers.

    Raises
    ------
    TypeError
        When the type of the value is not supported.
    """
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int):
        return str(value).lower()
    if isinstance(value, date):
        return f"(new Date({value.year}, {value.month - 1}, {value.day})).toString()"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(literal(inner) for inner in value) + "]"
    raise TypeError(f"{value!r} has no literal")


def quoted(text: str) -> str:
    """Return a text in single quotes; nothing in it can end the string or the script."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("<", "\\x3C")
    return f"'{escaped}'"


def json_in_page(value: Any) -> str:
    """Return JSON that cannot end the script around it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
