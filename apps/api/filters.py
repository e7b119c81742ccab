"""Filters and pages of the match list; bad input is refused by name, never ignored."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs

import django_filters
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Q, QuerySet
from django.forms import DateTimeField, Field
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from apps.api import selectors
from apps.matches.models import Competition, Match, Team, World
from apps.ml import selectors as forecasts


class MomentField(Field):
    """A date (00:00 UTC of it, or of the next day for an upper bound) or a moment with a zone."""

    def __init__(self, *, end_of_day: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.end_of_day = end_of_day

    def to_python(self, value: str | None) -> datetime | None:
        """Return the moment in UTC; ValidationError when the text is neither."""
        if not value:
            return None
        wrong = f"“{value[:40]}” is neither a date such as 2026-11-23 nor a moment such as 2026-11-23T15:00:00Z."
        try:
            day: date | None = parse_date(value)
            moment = None if day else parse_datetime(value)
        except ValueError as error:
            raise DjangoValidationError(wrong) from error
        try:
            if day:
                midnight = datetime.combine(day, time(), tzinfo=UTC)
                return midnight + timedelta(days=1) if self.end_of_day else midnight
            if moment:
                aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                return aware.astimezone(UTC)
        except OverflowError as error:
            raise DjangoValidationError(wrong) from error
        raise DjangoValidationError(wrong)


class MomentFilter(django_filters.Filter):
    """Compares a moment; drf-spectacular reads the type from the base field."""

    field_class = MomentField
    base_field = DateTimeField


class MatchFilter(django_filters.FilterSet):
    """What the match list can be narrowed by."""

    world = django_filters.ChoiceFilter(
        choices=World.choices, method="of_world", help_text="Default: the world that the site shows first."
    )
    competition = django_filters.ModelChoiceFilter(
        queryset=Competition.objects.all(),
        field_name="season__competition",
        to_field_name="slug",
        help_text="Slug of a competition.",
        error_messages={"invalid_choice": "There is no competition with this slug."},
    )
    team = django_filters.ModelChoiceFilter(
        queryset=Team.objects.all(),
        method="of_team",
        to_field_name="slug",
        help_text="Slug of a team, at home or away.",
        error_messages={"invalid_choice": "There is no team with this slug."},
    )
    status = django_filters.ChoiceFilter(choices=Match.Status.choices, help_text="Where the match stands.")

    class Meta:
        model = Match
        fields: list[str] = []

    @classmethod
    def get_filters(cls) -> dict[str, django_filters.Filter]:
        """Return the filters; `from` is a word of Python and cannot be an attribute."""
        return {
            **super().get_filters(),
            "from": MomentFilter(
                field_name="kickoff_at",
                lookup_expr="gte",
                help_text="Kick-off at this moment or later; a date is 00:00 UTC.",
            ),
            "to": MomentFilter(
                field_name="kickoff_at",
                lookup_expr="lt",
                end_of_day=True,
                help_text="Kick-off before this moment; a date includes that day (UTC).",
            ),
        }

    def filter_queryset(self, queryset: QuerySet[Match]) -> QuerySet[Match]:
        """Narrow the list; a named competition or team says its world itself."""
        named = any(self.form.cleaned_data.get(name) for name in ("world", "competition", "team"))
        if not named:
            queryset = self.of_world(queryset, "world", forecasts.served_world())
        return super().filter_queryset(queryset)

    def of_world(self, queryset: QuerySet[Match], name: str, value: str) -> QuerySet[Match]:
        """Keep the matches of one world."""
        return queryset.filter(season_id__in=selectors.season_ids(World(value)))

    def of_team(self, queryset: QuerySet[Match], name: str, value: Team) -> QuerySet[Match]:
        """Keep the matches of one team."""
        return queryset.filter(Q(home_team=value) | Q(away_team=value))


class MatchPages(CursorPagination):
    """Pages in the order of kick-off, each naming the next by a cursor."""

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

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the place that a cursor names; one that no page gave is refused."""
        wrong = ValidationError({self.cursor_query_param: "It must come from `next` or `previous` of a page."})
        encoded = request.query_params.get(self.cursor_query_param)
        if encoded is None:
            return None
        try:
            tokens = parse_qs(b64decode(encoded, validate=True).decode("ascii"))
            if not tokens or not tokens.keys() <= {"o", "r", "p"}:
                raise wrong
            cursor = super().decode_cursor(request)
            moment = parse_datetime(tokens["p"][0]) if "p" in tokens else datetime.min.replace(tzinfo=UTC)
        except (NotFound, ValueError) as error:
            raise wrong from error
        if moment is None or moment.tzinfo is None:
            raise wrong
        return cursor
