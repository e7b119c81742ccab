"""Query parameters: serializers that validate them and describe them in the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty
from rest_framework.request import Request

from apps.api.services import ROLES
from apps.matches.models import World


class WholeNumberField(serializers.IntegerField):
    """A number written in ASCII digits, no more than the largest value has.

    `int()` would also take other scripts' digits, signs, spaces and underscores, and would raise an error for
    numbers with more digits than Python reads.
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


class NamesField(TextField):
    """Some of several names, separated by commas."""

    def __init__(self, names: Iterable[str], **options: Any) -> None:
        self.names = tuple(names)
        super().__init__(required=False, allow_blank=True, **options)

    def to_internal_value(self, data: str) -> list[str]:  # type: ignore[override]
        given = [name.strip() for name in super().to_internal_value(data).split(",") if name.strip()]
        if not set(given) <= set(self.names):
            raise ValidationError(f"It must be some of {', '.join(self.names)}, separated by commas.")
        return given


class ModelField(TextField):
    """A model version: `champion`, `challenger` or its number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_blank=True, **options)

    def to_internal_value(self, data: str) -> str:
        name = super().to_internal_value(data)
        if name not in ("", *ROLES) and not (name.isascii() and name.isdigit() and len(name) <= 9):
            raise ValidationError(f"It must be {', '.join(ROLES)} or the number of a model version.")
        return name


class OneOfField(serializers.ChoiceField):
    """One of some texts; a refusal lists them. An empty text stands for the default."""

    def __init__(self, choices: Sequence[str], **options: Any) -> None:
        super().__init__(
            choices=choices, error_messages={"invalid_choice": f"It must be one of {', '.join(choices)}."}, **options
        )

    def to_internal_value(self, data: Any) -> Any:
        if not data and self.default is not empty:
            return self.default
        return data and super().to_internal_value(data)


class WorldParameterField(OneOfField):
    """A world."""

    def __init__(self) -> None:
        super().__init__(World.values, required=False, help_text="Default: the world that the site shows first.")


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
            Naming each parameter that is wrong, unknown or given twice; nothing is ignored.
        """
        known = sorted({*cls().fields, *others})
        unknown = sorted(set(request.query_params) - set(known))
        if unknown:
            there_are = f"the parameters are {', '.join(known)}" if known else "this address has none"
            raise ValidationError(dict.fromkeys(unknown, f"There is no such parameter; {there_are}."))
        twice = [name for name, values in request.query_params.lists() if len(values) > 1]
        if twice:
            raise ValidationError(dict.fromkeys(twice, "It is given more than once. Give it once."))
        query = cls(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        return query.validated_data
