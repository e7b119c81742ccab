"""Filters of the match list."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import django_filters
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.forms import DateTimeField, Field
from django.utils.dateparse import parse_date, parse_datetime

from apps.api import selectors
from apps.matches import selectors as matches
from apps.matches.models import Competition, Match, Team, World
from apps.ml import selectors as forecasts


class DateOrMomentField(Field):
    """A moment with a zone, or a date: 00:00 UTC of it, or of the next day where `end_of_day` is set."""

    def __init__(self, *, end_of_day: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.end_of_day = end_of_day

    def to_python(self, value: str | None) -> datetime | None:
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
    """Compares a moment; drf-spectacular reads the type from `base_field`."""

    field_class = DateOrMomentField
    base_field = DateTimeField


class MatchFilter(django_filters.FilterSet):
    """Filters of the match list; `branches` returns the filtered list."""

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
    status = django_filters.ChoiceFilter(choices=Match.Status.choices, help_text="Status of the match.")

    class Meta:
        model = Match
        fields: list[str] = []

    @classmethod
    def get_filters(cls) -> dict[str, django_filters.Filter]:
        """Add `from`, which is a keyword of Python and cannot be an attribute, and `to`."""
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
        """The list as queries that `selectors.merged` combines: for a team, its home and its away matches."""
        values = self.form.cleaned_data
        world, competition, team = values.get("world"), values.get("competition"), values.get("team")
        found = self.queryset
        if not competition and not team:
            found = found.filter(world=world or forecasts.served_world())
        elif world:
            # A competition or team belongs to one world: compare that, instead of filtering every match.
            worlds = {competition.world} if competition else {each.world for each in selectors.seasons_of_team(team)}
            if world not in worlds:
                return []
            if len(worlds) > 1:
                found = found.filter(world=world)
        return [self.filter_queryset(each) for each in (matches.of_team(found, team) if team else [found])]

    def of_world(self, queryset: QuerySet[Match], name: str, value: str) -> QuerySet[Match]:
        """Return the queryset as it is: `branches` has filtered by world."""
        return queryset

    def of_team(self, queryset: QuerySet[Match], name: str, value: Team) -> QuerySet[Match]:
        """Return the queryset as it is: each branch has one side of the team. An OR of both would use no index."""
        return queryset
