"""Filters and pages of the match list; bad input is refused by name, never ignored."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import django_filters
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.forms import DateTimeField, Field
from django.utils.dateparse import parse_date, parse_datetime

from apps.api import selectors
from apps.matches import selectors as matches
from apps.matches.models import Competition, Match, Team, World, choices_of
from apps.ml import selectors as forecasts

LARGEST_ID: Final = 2**63 - 2
"""Of a match; one more still fits into the column."""


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
    """What the match list can be narrowed by; `branches` has the list."""

    world = django_filters.ChoiceFilter(
        choices=World.choices, method="of_world", help_text="Default: the world that the site shows first."
    )
    competition = django_filters.ModelChoiceFilter(
        queryset=Competition.objects.all(),
        field_name="competition",
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
    status = django_filters.ChoiceFilter(choices=choices_of(Match.Status), help_text="Where the match stands.")

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

    @property
    def branches(self) -> list[QuerySet[Match]]:
        """The list as queries that `selectors.merged` puts together: of a team, its matches at home and those away."""
        asked = self.form.cleaned_data
        world, competition, team = asked.get("world"), asked.get("competition"), asked.get("team")
        found = self.queryset
        if not competition and not team:
            found = found.filter(world=world or forecasts.served_world())
        elif world:
            # A competition or team says its world itself; what it says need not be looked for in each match.
            worlds = {competition.world} if competition else {each.world for each in selectors.seasons_of_team(team)}
            if world not in worlds:
                return []
            if len(worlds) > 1:
                found = found.filter(world=world)
        return [self.filter_queryset(each) for each in (matches.of_team(found, team) if team else [found])]

    def of_world(self, queryset: QuerySet[Match], name: str, value: str) -> QuerySet[Match]:
        """Leave a branch as it is: it is of the world already."""
        return queryset

    def of_team(self, queryset: QuerySet[Match], name: str, value: Team) -> QuerySet[Match]:
        """Leave a branch as it is: it is one side of the team already, and an OR of both sides is read in full."""
        return queryset
