"""Pages of lists, each linked to the next and the previous page by cursors."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlencode

from django.db.models import BigIntegerField, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from apps.api.rest.parameters import QuerySerializer, WholeNumberField
from apps.matches import selectors as matches
from apps.matches.models import Match

T = TypeVar("T")

LARGEST_PAGE: Final = 200
"""Largest page of matches, in rows."""

LARGEST_LIST: Final = 1000
"""Largest page of a list of small objects, in rows."""


def moment_part(text: str) -> datetime:
    """Return the moment in a cursor; raise ValueError for another text."""
    moment = parse_datetime(text)
    if moment is None or moment.tzinfo is None:
        raise ValueError("a moment has a zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment is out of range") from error


def number_part(text: str) -> int:
    """Return the number in a cursor; raise ValueError for another text."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise ValueError("an id is a number of at most 19 digits")
    return min(int(text), BigIntegerField.MAX_BIGINT)


def text_part(text: str) -> str:
    """Return the text in a cursor; raise ValueError for one that no row can have."""
    if not text or "\x00" in text:
        raise ValueError("a name is not empty")
    return text


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Where a page begins: after the row with this key, or before it where the page is read backwards.

    The row itself belongs to the page where the position is `inclusive`.
    """

    key: tuple[Any, ...]
    backwards: bool = False
    inclusive: bool = False

    @classmethod
    def of(cls, cursor: str, parts: Sequence[Callable[[str], Any]]) -> PagePosition:
        """Return the position that a cursor encodes; raise ValueError for a text that is not a cursor of the list.

        `parts` read the values of the key.
        """
        tokens = parse_qs(b64decode(cursor, validate=True).decode("utf-8"))
        if not {"p"} <= tokens.keys() <= {"r", "i", "p"}:
            raise ValueError("a cursor has a position and perhaps a direction")
        # Only the first value may contain spaces.
        texts = tokens["p"][0].rsplit(" ", len(parts) - 1)
        return cls(tuple(read(text) for read, text in zip(parts, texts, strict=True)), "r" in tokens, "i" in tokens)

    def as_cursor(self) -> str:
        """Return the text that encodes the position in an address."""
        texts = [each.isoformat() if isinstance(each, datetime) else str(each) for each in self.key]
        flags = {"r": self.backwards, "i": self.inclusive}
        tokens = {"p": " ".join(texts)} | {name: "1" for name, is_set in flags.items() if is_set}
        return b64encode(urlencode(tokens).encode("ascii")).decode("ascii")


class CursorField(serializers.CharField):
    """A cursor, which becomes a `PagePosition`."""

    default_error_messages = dict.fromkeys(("invalid", "blank"), "It must come from `next` or `previous` of a page.")

    def __init__(self, *parts: Callable[[str], Any]) -> None:
        super().__init__(required=False, help_text="From `next` or `previous` of a page.")
        self.parts = parts

    def to_internal_value(self, data: str) -> PagePosition:  # type: ignore[override]
        try:
            return PagePosition.of(data, self.parts)
        except ValueError:
            self.fail("invalid")


def page_size_field(*, default: int, largest: int) -> WholeNumberField:
    """Return the parameter `page_size`."""
    return WholeNumberField(
        default=default,
        min_value=1,
        max_value=largest,
        reason=f"It must be a whole number from 1 to {largest}.",
        help_text=f"Rows on a page, 1 to {largest}.",
    )


class MatchPageQuery(QuerySerializer):
    """Which page of a list ordered by kick-off and id."""

    cursor = CursorField(moment_part, number_part)
    page_size = page_size_field(default=50, largest=LARGEST_PAGE)


class SlugPageQuery(QuerySerializer):
    """Which page of a list in the order of slugs."""

    cursor = CursorField(text_part)
    page_size = page_size_field(default=100, largest=LARGEST_LIST)


class KeysetPages(CursorPagination):
    """Pages in the order of a key.

    A cursor holds the key of the row that its page follows, so that the database starts at that place of the index,
    however far from the beginning. The cursors of the base class would skip rows of equal value one by one.
    """

    def page_of(
        self,
        read: Callable[[PagePosition | None, int], Iterable[T]],
        key_of: Callable[[T], tuple[Any, ...]],
        request: Request,
        *,
        size: int,
        position: PagePosition | None,
    ) -> list[T]:
        """Return one page of a list, and set the links to the next and the previous page.

        Parameters
        ----------
        read : callable
            Returns at most the given number of rows, from a position on, in the direction of the position; from
            the beginning without one.
        key_of : callable
            Returns the key of a row.
        request : Request
        size : int
            Rows on a page.
        position : PagePosition or None
            None for the first page.
        """
        self._address = request.build_absolute_uri()
        backwards = position is not None and position.backwards
        # One row more than the page holds shows whether another page follows.
        rows = list(read(position, size + 1))
        page = rows[:size][::-1] if backwards else rows[:size]
        has_more, is_inside = len(rows) > size, position is not None
        has_next, has_previous = (is_inside, has_more) if backwards else (has_more, is_inside)
        if page:
            following = PagePosition(key_of(page[-1]))
            previous = PagePosition(key_of(page[0]), backwards=True)
        elif position is not None:
            # The rows of the page have been deleted: the link back must include the row that the cursor names.
            following = PagePosition(position.key, inclusive=True)
            previous = PagePosition(position.key, backwards=True, inclusive=True)
        self._next = self._link(following) if has_next else None
        self._previous = self._link(previous) if has_previous else None
        return page

    def page_of_rows(
        self,
        queryset: QuerySet[Any],
        order: Sequence[str],
        request: Request,
        *,
        size: int,
        position: PagePosition | None,
    ) -> list[Any]:
        """Return one page of a query in the order of columns, all ascending or, each with a ``-``, all descending."""
        is_descending = order[0].startswith("-")
        names = [name.removeprefix("-") for name in order]

        def read(position: PagePosition | None, limit: int) -> Sequence[Any]:
            rows, is_reversed = queryset, is_descending
            if position is not None:
                is_reversed ^= position.backwards
                place = dict(zip(names, position.key, strict=True))
                rows = matches.beyond(rows, place, backwards=is_reversed, inclusive=position.inclusive)
            return list(rows.order_by(*(f"-{name}" if is_reversed else name for name in names))[:limit])

        return self.page_of(
            read, lambda row: tuple(getattr(row, name) for name in names), request, size=size, position=position
        )

    def get_next_link(self) -> str | None:
        return self._next

    def get_previous_link(self) -> str | None:
        return self._previous

    def get_paginated_response(self, data: Any) -> Response:
        """Return a page with its links, also in the header `Link` (RFC 8288) for formats without a field for them."""
        response = super().get_paginated_response(data)
        links = {"next": self._next, "prev": self._previous}
        if any(links.values()):
            response["Link"] = ", ".join(f'<{link}>; rel="{name}"' for name, link in links.items() if link)
        return response

    def _link(self, position: PagePosition) -> str:
        return replace_query_param(self._address, self.cursor_query_param, position.as_cursor())


def matches_from(
    branches: Sequence[QuerySet[Match]], *, descending: bool = False
) -> Callable[[PagePosition | None, int], QuerySet[Match]]:
    """Return the `read` of `KeysetPages.page_of` for matches ordered by kick-off and id.

    `branches` are the list for `selectors.merged`.
    """

    def read(position: PagePosition | None, limit: int) -> QuerySet[Match]:
        parts, is_reversed = branches, descending
        if position is not None:
            is_reversed ^= position.backwards
            place: Mapping[str, Any] = dict(zip(("kickoff_at", "id"), position.key, strict=True))
            parts = [
                matches.beyond(branch, place, backwards=is_reversed, inclusive=position.inclusive)
                for branch in branches
            ]
        order = ("-kickoff_at", "-id") if is_reversed else ("kickoff_at", "id")
        return matches.merged(parts, *order, limit=limit)

    return read
