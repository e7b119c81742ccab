"""Pages of the match list, each linked to its neighbours by cursors."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, urlencode

from django.db.models import BigIntegerField, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from apps.api.rest.parameters import QuerySerializer, WholeNumberField
from apps.matches import selectors as matches
from apps.matches.models import Match

LARGEST_ID: Final = BigIntegerField.MAX_BIGINT - 1
"""Of a match in a cursor: the way back from an empty page adds 1, which the column must still hold."""

LARGEST_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Where a page begins in the order of kick-off and id: after a match, or before it where it is read backwards."""

    kickoff_at: datetime
    match_id: int
    backwards: bool = False

    @classmethod
    def of(cls, cursor: str) -> PagePosition:
        """Return the position that a cursor encodes; raise ValueError for a text that is not a cursor."""
        tokens = parse_qs(b64decode(cursor, validate=True).decode("ascii"))
        if not {"p"} <= tokens.keys() <= {"r", "p"}:
            raise ValueError("a cursor has a position and perhaps a direction")
        text, _, number = tokens["p"][0].partition(" ")
        moment = parse_datetime(text)
        if moment is None or moment.tzinfo is None or not number.isascii() or not number.isdigit() or len(number) > 19:
            raise ValueError("a position is a moment and a number")
        try:
            return cls(moment.astimezone(UTC), min(int(number), LARGEST_ID), "r" in tokens)
        except OverflowError as error:
            raise ValueError("the moment is out of range") from error

    def as_cursor(self) -> str:
        """Return the text that encodes the position in an address."""
        tokens = {"p": f"{self.kickoff_at.isoformat()} {self.match_id}"}
        return b64encode(urlencode(tokens | ({"r": "1"} if self.backwards else {})).encode("ascii")).decode("ascii")


class CursorField(serializers.CharField):
    """A cursor, which becomes a `PagePosition`."""

    default_error_messages = dict.fromkeys(("invalid", "blank"), "It must come from `next` or `previous` of a page.")

    def to_internal_value(self, data: str) -> PagePosition:  # type: ignore[override]
        try:
            return PagePosition.of(data)
        except ValueError:
            self.fail("invalid")


class MatchPageQuery(QuerySerializer):
    """Which page of the match list."""

    cursor = CursorField(required=False, help_text="From `next` or `previous` of a page.")
    page_size = WholeNumberField(
        default=50,
        min_value=1,
        max_value=LARGEST_PAGE,
        reason=f"It must be a whole number from 1 to {LARGEST_PAGE}.",
        help_text=f"Matches on a page, 1 to {LARGEST_PAGE}.",
    )


class MatchPages(CursorPagination):
    """Pages in the order of kick-off and id.

    A cursor holds the kick-off and id of the match that its page follows, so that the database starts at that place of
    the index, however many matches kick off together. The cursors of the base class would skip rows one by one there.
    """

    ordering = ("kickoff_at", "id")

    def page_of(
        self, branches: Sequence[QuerySet[Match]], request: Request, *, size: int, position: PagePosition | None
    ) -> list[Match]:
        """Return one page of a list, and keep the links to its neighbours.

        `branches` are the list for `selectors.merged`; without a position the page is the first.
        """
        self._address = request.build_absolute_uri()
        backwards = position is not None and position.backwards
        if position is not None:
            branches = [
                matches.beyond(branch, position.kickoff_at, position.match_id, backwards=backwards)
                for branch in branches
            ]
        order = ("-kickoff_at", "-id") if backwards else ("kickoff_at", "id")
        # One match more than the page holds shows whether another page follows.
        found = list(matches.merged(branches, *order, limit=size + 1).prefetch_related("stats"))
        page = found[:size][::-1] if backwards else found[:size]
        has_more, is_inside = len(found) > size, position is not None
        has_next, has_previous = (is_inside, has_more) if backwards else (has_more, is_inside)
        if page:
            first, last = ((match.kickoff_at, match.pk) for match in (page[0], page[-1]))
        elif position is not None:
            # The matches of the page were deleted since: the way back must include the match that the cursor names.
            first, last = ((position.kickoff_at, position.match_id + step) for step in (1, -1))
        self._next = self._link(PagePosition(*last)) if has_next else None
        self._previous = self._link(PagePosition(*first, backwards=True)) if has_previous else None
        return page

    def get_next_link(self) -> str | None:
        return self._next

    def get_previous_link(self) -> str | None:
        return self._previous

    def _link(self, position: PagePosition) -> str:
        return replace_query_param(self._address, self.cursor_query_param, position.as_cursor())
