"""Pages of long lists, read in the order of an index: the first rows of several queries, the rows after a place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from django.db.models import BooleanField, Func, Lookup, Model, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual

from apps.matches.models import Match
from apps.matches.selectors.matches import matches

M = TypeVar("M", bound=Model)


def merged(branches: Iterable[QuerySet[Match]], *order: str, limit: int) -> QuerySet[Match]:
    """Return the first matches that any of some queries finds, in an order that is that of an index for each of them.

    Of each branch at most `limit` rows are read, where PostgreSQL reads an OR of two indexes in full and sorts what it
    finds. Teams and competitions are looked up only for the matches that are returned.
    """
    found = [branch for branch in branches if not branch.query.is_empty()]
    if not found:
        return Match.objects.none()
    columns = dict.fromkeys(("id", *(name.removeprefix("-") for name in order)))
    first, *others = (branch.order_by(*order).values_list(*columns)[:limit] for branch in found)
    page = first.union(*others).order_by(*order)[:limit] if others else first
    statement, values = page.query.sql_with_params()
    ids = RawSQL(f"SELECT page.id FROM ({statement}) AS page", values)  # noqa: S611 – compiled by Django
    return matches().filter(pk__in=ids).order_by(*order)


class _Row(Func):
    """A row of values, which PostgreSQL compares column by column as the order of an index does."""

    function = "ROW"
    output_field = BooleanField()


_COMPARISONS: Final[dict[tuple[bool, bool], type[Lookup]]] = {
    (False, False): GreaterThan,
    (False, True): GreaterThanOrEqual,
    (True, False): LessThan,
    (True, True): LessThanOrEqual,
}
"""Comparison with a place, by whether rows before it are wanted, and the row at it."""


def beyond(
    found: QuerySet[M], place: Mapping[str, Any], *, backwards: bool = False, inclusive: bool = False
) -> QuerySet[M]:
    """Return the rows that come after a place in the order of some columns, or before it.

    Parameters
    ----------
    place : mapping of str to object
        Column → value, in the order of the columns.
    backwards : bool
        Whether to return the rows before the place.
    inclusive : bool
        Whether the row at the place itself is returned too.
    """
    comparison = _COMPARISONS[backwards, inclusive]
    fields: dict[str, Any] = {name: found.model._meta.get_field(name) for name in place}
    values = (Value(value, fields[name]) for name, value in place.items())
    return found.filter(comparison(_Row(*place), _Row(*values)))
