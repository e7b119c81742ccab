"""Pages of the match list, each linked to its neighbours by cursors."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, urlencode

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from apps.matches import selectors as matches
from apps.matches.models import Match

LARGEST_ID: Final = 2**63 - 2
"""Of a match; one more still fits into the column."""


class MatchPages(CursorPagination):
    """Pages in the order of kick-off and id, each naming the next by a cursor.

    A cursor holds both of the match that it follows: a page begins at its place in the index, however many matches
    kick off together.
    """

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    page_size_query_description = "Matches on a page, 1 to 200."
    cursor_query_description = "From `next` or `previous` of a page."
    ordering = ("kickoff_at", "id")

    def get_page_size(self, request: Request) -> int:
        """Return the size asked for; a bad one is refused."""
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        digits = len(str(self.max_page_size))
        is_number = asked.isascii() and asked.isdigit() and len(asked) <= digits
        if not is_number or not 1 <= int(asked) <= self.max_page_size:
            raise ValidationError(
                {self.page_size_query_param: f"It must be a whole number from 1 to {self.max_page_size}."}
            )
        return int(asked)

    def page_of(self, branches: Sequence[QuerySet[Match]], request: Request) -> list[Match]:
        """Return the page of a request, from a list that is given as branches of `selectors.merged`."""
        self._address = request.build_absolute_uri()
        size, place = self.get_page_size(request), self._place_of(request)
        backwards = place is not None and place.backwards
        if place is not None:
            branches = [
                matches.beyond(branch, place.kickoff_at, place.match_id, backwards=backwards) for branch in branches
            ]
        order = ("-kickoff_at", "-id") if backwards else ("kickoff_at", "id")
        found = list(matches.merged(branches, *order, limit=size + 1))
        page = found[:size][::-1] if backwards else found[:size]
        has_more, is_inside = len(found) > size, place is not None
        has_next, has_previous = (is_inside, has_more) if backwards else (has_more, is_inside)
        if page:
            first, last = ((match.kickoff_at, match.pk) for match in (page[0], page[-1]))
        elif place is not None:
            # The page is empty because matches went since: the way back includes the one that the cursor names.
            first, last = (place.kickoff_at, place.match_id + 1), (place.kickoff_at, place.match_id - 1)
        self._next = self._link(Place(*last)) if has_next else None
        self._previous = self._link(Place(*first, backwards=True)) if has_previous else None
        return page

    def get_next_link(self) -> str | None:
        """Return the address of the page after this one."""
        return self._next

    def get_previous_link(self) -> str | None:
        """Return the address of the page before this one."""
        return self._previous

    def _link(self, place: Place) -> str:
        return replace_query_param(self._address, self.cursor_query_param, place.as_cursor())

    def _place_of(self, request: Request) -> Place | None:
        cursor = request.query_params.get(self.cursor_query_param)
        try:
            return None if cursor is None else Place.of(cursor)
        except ValueError as error:
            raise ValidationError(
                {self.cursor_query_param: "It must come from `next` or `previous` of a page."}
            ) from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins in the order of kick-off and id: after a match, or before it where it is read backwards."""

    kickoff_at: datetime
    match_id: int
    backwards: bool = False

    @classmethod
    def of(cls, cursor: str) -> Place:
        """Return the place that a cursor names; ValueError when no page gave it."""
        tokens = parse_qs(b64decode(cursor, validate=True).decode("ascii"))
        if not {"p"} <= tokens.keys() <= {"r", "p"}:
            raise ValueError("a cursor has a place and perhaps a direction")
        text, _, number = tokens["p"][0].partition(" ")
        moment = parse_datetime(text)
        if moment is None or moment.tzinfo is None or not number.isascii() or not number.isdigit() or len(number) > 19:
            raise ValueError("a place is a moment and a number")
        try:
            return cls(moment.astimezone(UTC), min(int(number), LARGEST_ID), "r" in tokens)
        except OverflowError as error:
            raise ValueError("no match is so early or so late") from error

    def as_cursor(self) -> str:
        """Return the text that names the place in an address."""
        tokens = {"p": f"{self.kickoff_at.isoformat()} {self.match_id}"}
        return b64encode(urlencode(tokens | ({"r": "1"} if self.backwards else {})).encode("ascii")).decode("ascii")
