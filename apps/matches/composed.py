"""Queries of Django whose SQL is composed once for a process.

To compose the SQL of a queryset costs several times the CPU of sending it and of making the objects of its rows. On a
page with a dozen queries that is most of what the page costs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from datetime import UTC, datetime
from enum import Enum
from functools import update_wrapper
from types import SimpleNamespace
from typing import Any, Final, Generic, ParamSpec, TypeVar, get_type_hints

from django.db import connections, router
from django.db.models import QuerySet

P = ParamSpec("P")
Row = TypeVar("Row")

FIRST_MARK: Final = 2_147_482_000
"""The marks of whole numbers are this one and those that follow it, near the largest of an integer column."""

# In the order of the text: a parameter, an escaped per cent sign, a mark that Django wrote into the text (LIMIT).
_HOLE: Final = re.compile(rf"(%s|%%|\b{FIRST_MARK // 1000}\d{{3}}\b)")


class ComposedOnce(Generic[P, Row]):
    """A function that composes a queryset, as one that returns the rows for its arguments; see `composed_once`."""

    def __init__(self, compose: Callable[P, QuerySet[Any, Row]]) -> None:
        self._compose = compose
        self._plan: _Plan | None = None
        update_wrapper(self, compose)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[Row]:
        """Return the rows for some arguments."""
        plan = self._plan = self._plan or _Plan(self._compose)
        return plan.rows(dict(zip(plan.names, args, strict=False)) | kwargs)

    def first(self, *args: P.args, **kwargs: P.kwargs) -> Row | None:
        """Return the first row for some arguments, None where there is none; the statement itself has the limit."""
        return next(iter(self(*args, **kwargs)), None)

    def uncomposed(self, *args: P.args, **kwargs: P.kwargs) -> QuerySet[Any, Row]:
        """Return the queryset itself, composed only for these arguments."""
        return self._compose(*args, **kwargs)


def composed_once(compose: Callable[P, QuerySet[Any, Row]]) -> ComposedOnce[P, Row]:
    """Compose the SQL of a queryset at the first call, and from then on only fill in the arguments.

    The arguments are values that the statement compares with: they must not decide its form, and the function must not
    compute with them. They have annotations: `int`, `str`, `datetime`, an enumeration of texts, or a `list` of them,
    for ``__in``. None is not possible. A slice may end at an argument.

    Raises
    ------
    TypeError
        At the first call, when an argument is not in the statement as it was given.
    """
    return ComposedOnce(compose)


class _Plan:
    """A statement with the places of its arguments, and what makes objects of its rows."""

    def __init__(self, compose: Callable[..., QuerySet[Any, Any]]) -> None:
        hints = {name: hint for name, hint in get_type_hints(compose).items() if name != "return"}
        self.names = tuple(hints)
        marks = {name: _mark(hint, index) for index, (name, hint) in enumerate(hints.items())}
        queryset: Any = compose(**marks)
        if queryset._prefetch_related_lookups or queryset._known_related_objects:
            raise TypeError(f"{compose.__qualname__} needs more than one statement")
        self._queryset = queryset
        self._compiler = queryset.query.get_compiler(using=queryset.db)
        statement, values = self._compiler.as_sql()
        self._statement, self._values = _with_holes(statement, values, marks)
        if missing := {*hints} - {name for name, _, _ in self._values if name}:
            raise TypeError(f"{compose.__qualname__} does not compare with {', '.join(sorted(missing))} as it is given")

    def rows(self, given: Mapping[str, Any]) -> list[Any]:
        db = router.db_for_read(self._queryset.model)
        values = tuple(_filled(given[name], like) if name else like for name, like, _ in self._values)
        compiler = copy(self._compiler)
        compiler.connection, compiler.using = connections[db], db
        compiler.as_sql = lambda *args, **kwargs: (self._statement, values)
        # The attributes that an iterable of Django reads from its queryset.
        source = SimpleNamespace(
            db=db,
            model=self._queryset.model,
            query=_Query(self._queryset.query, compiler),
            _fields=self._queryset._fields,
            _known_related_objects={},
        )
        return list(self._queryset._iterable_class(source))


class _Query:
    """A query of Django with a compiler that has composed it."""

    def __init__(self, query: Any, compiler: Any) -> None:
        self._query, self._compiler = query, compiler

    def get_compiler(self, *args: object, **kwargs: object) -> Any:
        return self._compiler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._query, name)


def _mark(hint: Any, place: int) -> Any:
    """Return a value that no argument has, to find its places in the statement."""
    origin = getattr(hint, "__origin__", hint)
    if origin is list:
        return [_mark(hint.__args__[0], place)]
    if origin is int:
        return FIRST_MARK + place
    if origin is datetime:
        return datetime(1, 1, 1, place, tzinfo=UTC)
    if isinstance(origin, type) and issubclass(origin, str):
        return f"\ue000{place}"
    raise TypeError(f"an argument of the kind {hint} cannot be marked")


def _is_like_mark(value: object) -> bool:
    """Whether a value is a mark, or was computed from one."""
    if isinstance(value, list | tuple):
        return any(_is_like_mark(each) for each in value)
    if isinstance(value, datetime):
        return value.year < 3
    if isinstance(value, int):
        return abs(value) > FIRST_MARK - 1000
    return isinstance(value, str) and "\ue000" in value


def _with_holes(
    statement: str, values: tuple[Any, ...], marks: Mapping[str, Any]
) -> tuple[str, list[tuple[str, Any, bool]]]:
    """Return a statement with a parameter wherever it has a mark, and its values: name, value or its kind, is a list.

    A value without a name is the same each time.
    """
    parts, rest = _HOLE.split(statement), iter(values)
    found: list[tuple[str, Any, bool]] = []
    for n in range(1, len(parts), 2):
        if parts[n] == "%%":
            continue
        value = next(rest) if parts[n] == "%s" else int(parts[n])
        parts[n] = "%s"
        name, in_list = _named(value, marks)
        if not name and _is_like_mark(value):
            raise TypeError(f"the statement compares with {value!r}, which was computed from an argument")
        if in_list:
            if not (parts[n - 1].endswith(" IN (") and parts[n + 1].startswith(")")):
                raise TypeError(f"a list is no argument of {parts[n - 1][-20:]!r}")
            parts[n - 1] = parts[n - 1].removesuffix(" IN (") + " = ANY("
        found.append((name, (type(value) if isinstance(value, int) else None) if name else value, in_list))
    return "".join(parts), found


def _named(value: object, marks: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the argument that a value stands for, and whether it is one of its list; empty for a constant."""
    for name, mark in marks.items():
        if value == mark:
            return name, False
        if isinstance(mark, list) and value == mark[0]:
            return name, True
    return "", False


def _filled(value: Any, kind: Callable[[Any], Any] | None) -> Any:
    """Return an argument as Django gives it to the driver."""
    if value is None:
        raise TypeError("a statement that is composed once cannot compare with None")
    if isinstance(value, list | tuple | set | frozenset | Iterator):
        return [_filled(each, None) for each in value]
    if isinstance(value, Enum):
        value = value.value
    return kind(value) if kind else value
