"""JSON bodies: parsed, and described by serializers that refuse unknown members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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


UNKNOWN_NAMED: Final = 20
"""Unknown members of a body that a refusal names."""


class ShortListField(serializers.ListField):
    """A list whose length is checked before its items, which may be a million in a small body."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        found: list[Any] = super().to_internal_value(data)
        return found


class BodySerializer(serializers.Serializer[dict[str, Any]]):
    """The members of a body."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        known = self.fields.keys()
        if isinstance(data, Mapping) and (unknown := [name for name in data if name not in known][:UNKNOWN_NAMED]):
            reason = f"There is no such member; the members are {', '.join(sorted(self.fields))}."
            raise ValidationError(dict.fromkeys(sorted(str(name)[:80] for name in unknown), reason))
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
