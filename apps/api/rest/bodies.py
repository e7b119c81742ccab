"""JSON bodies: parsed, and described by serializers that refuse unknown members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import BaseParser


class JsonParser(BaseParser):
    """Strict JSON: no NaN, no depth that exhausts the stack, no text that is not UTF-8."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Return what the body holds.

        Raises
        ------
        ParseError
            When it is not JSON.
        """
        try:
            return orjson.loads(stream.read())
        except (orjson.JSONDecodeError, OSError) as error:
            raise ParseError(f"The body is not valid JSON: {error}") from error


class BodySerializer(serializers.Serializer[dict[str, Any]]):
    """The members of a body."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, Mapping) and (
            unknown := sorted(str(name)[:80] for name in data.keys() - self.fields.keys())
        ):
            reason = f"There is no such member; the members are {', '.join(sorted(self.fields))}."
            raise ValidationError(dict.fromkeys(unknown, reason))
        found: dict[str, Any] = super().to_internal_value(data)
        return found

    @classmethod
    def read(cls, data: Any, **options: Any) -> dict[str, Any]:
        """Return the validated members of a body.

        Raises
        ------
        ValidationError
            Naming each member that is wrong or unknown.
        """
        body = cls(data=data, **options)
        body.is_valid(raise_exception=True)
        found: dict[str, Any] = body.validated_data
        return found
