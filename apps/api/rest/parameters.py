"""Query parameters: serializers that validate them and describe them in the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from apps.matches.models import World


class WholeNumberField(serializers.IntegerField):
    """A number written in ASCII digits, no more than the largest value has.

    `int()` would also take other scripts' digits, signs, spaces and underscores, and would fail on numbers of more
    digits than Python reads.
    """

    def __init__(self, *, min_value: int, max_value: int, reason: str, **options: Any) -> None:
        messages: dict[str, Any] = dict.fromkeys(("invalid", "min_value", "max_value"), reason)
        super().__init__(min_value=min_value, max_value=max_value, error_messages=messages, **options)

    def to_internal_value(self, data: Any) -> int:
        if not data.isascii() or not data.isdigit() or len(data) > len(str(self.max_value)):
            self.fail("invalid")
        return int(data)


class TextField(serializers.CharField):
    """A text that is only compared; PostgreSQL takes no NUL characters, so they are removed."""

    def __init__(self, *, max_length: int = 200, **options: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=max_length, **options)

    def to_internal_value(self, data: str) -> str:
        return super().to_internal_value(data).replace("\x00", "")


class TrueFalseField(serializers.BooleanField):
    """`true` or `false`, and none of the other spellings that a form may send."""

    TRUE_VALUES = {"true"}
    FALSE_VALUES = {"false"}
    default_error_messages = {"invalid": "It must be true or false."}


class WorldParameterField(serializers.ChoiceField):
    """A world; an empty text stands for the default."""

    def __init__(self) -> None:
        super().__init__(
            choices=World.choices,
            required=False,
            help_text="Default: the world that the site shows first.",
            error_messages={"invalid_choice": f"It must be one of {', '.join(World.values)}."},
        )

    def to_internal_value(self, data: Any) -> Any:
        return data and super().to_internal_value(data)


class QuerySerializer(serializers.Serializer[dict[str, Any]]):
    """The parameters of a route."""

    @classmethod
    def parse(cls, request: Request, *, others: Iterable[str] = ()) -> dict[str, Any]:
        """Return the validated parameters of a request.

        Parameters
        ----------
        others : iterable of str
            Names of parameters that the route reads elsewhere.

        Raises
        ------
        ValidationError
            Naming each parameter that is wrong or unknown; nothing is ignored.
        """
        known = {*cls().fields, *others}
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            reason = f"There is no such parameter; the parameters are {', '.join(sorted(known))}."
            raise ValidationError(dict.fromkeys(unknown, reason))
        query = cls(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        return query.validated_data
