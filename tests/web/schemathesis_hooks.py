"""What schemathesis does not know of the API: lines of JSON, and that an empty parameter stands for its default."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Return one line of JSON; the example of the document is a text of such lines."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode() + b"\n"


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leave out requests with an empty parameter: they are answered, although a schema cannot say so of an enum."""
    return "" not in (case.query or {}).values()
