"""Filters of the lists of matches and of their forecasts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import django_filters
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import MaxValueValidator
from django.db.models import QuerySet
from django.forms import DateTimeField, Field
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.exceptions import ValidationError

from apps.api import selectors
from apps.matches import selectors as matches
from apps.matches.models import Competition, Match, Team, World, choices_of
from apps.ml import selectors as forecasts
from apps.ml.services import FORECAST_WITHIN

LISTED: Final = 20
"""Most values that a refusal lists, the newest ones."""


class DateOrMomentField(Field):
    """A moment with a zone, or a date: 00:00 UTC of it, or of the next day where `end_of_day` is set."""

    def __init__(self, *, end_of_day: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.end_of_day = end_of_day

    def to_python(self, value: str | None) -> datetime | None:
        if not value:
            return None
        wrong = DjangoValidationError(
            "“%(value)s” is neither a date such as 2026-11-23 nor a moment such as 2026-11-23T15:00:00Z.",
            # A value within the message would be read as a format.
            params={"value": value[:40]},
        )
        try:
            day: date | None = parse_date(value)
            moment = None if day else parse_datetime(value)
        except ValueError as error:
            raise wrong from error
        try:
            if day:
                midnight = datetime.combine(day, time(), tzinfo=UTC)
                return midnight + timedelta(days=1) if self.end_of_day else midnight
            if moment:
                aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                return aware.astimezone(UTC)
        except OverflowError as error:
            raise wrong from error
        raise wrong


class MomentFilter(django_filters.Filter):
    """Compares a moment; drf-spectacular reads the type from `base_field`."""

    field_class = DateOrMomentField
    base_field = DateTimeField


def one_of(values: Iterable[str]) -> dict[str, str]:
    """Return the message that refuses a value and lists the allowed ones."""
    return {"invalid_choice": f"It must be one of {', '.join(values)}."}


class MatchFilter(django_filters.FilterSet):
    """Filters of the match list; `branches` returns the filtered list."""

    world = django_filters.ChoiceFilter(
        choices=World.choices,
        method="of_world",
        help_text="Default: the world that the site shows first.",
        error_messages=one_of(World.values),
    )
    competition = django_filters.ModelChoiceFilter(
        queryset=Competition.objects.all(),
        field_name="competition",
        to_field_name="slug",
        help_text="Slug of a competition.",
        error_messages={"invalid_choice": "There is no competition with this slug; /api/v1/competitions/ lists all."},
    )
    team = django_filters.ModelChoiceFilter(
        queryset=Team.objects.all(),
        method="of_team",
        to_field_name="slug",
        help_text="Slug of a team, at home or away.",
        error_messages={"invalid_choice": "There is no team with this slug; /api/v1/teams/ lists all."},
    )
    status = django_filters.ChoiceFilter(
        choices=choices_of(Match.Status), help_text="Status of the match.", error_messages=one_of(Match.Status)
    )

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


class DayFilter(django_filters.DateFilter):
    """Matches that kick off on a day, in UTC."""

    def filter(self, qs: QuerySet[Match], value: date | None) -> QuerySet[Match]:
        if value is None:
            return qs
        midnight = datetime.combine(value, time(), tzinfo=UTC)
        return qs.filter(kickoff_at__gte=midnight, kickoff_at__lt=midnight + timedelta(days=1))


class ForecastFilter(MatchFilter):
    """Filters of lists of matches that were forecast."""

    day = DayFilter(
        input_formats=["%Y-%m-%d"],
        validators=[MaxValueValidator(date.max - timedelta(days=1), "It is too far away.")],
        help_text="Kick-off on this day, in UTC.",
        error_messages={"invalid": "It must be a day such as 2026-11-28."},
    )
    model = django_filters.CharFilter(
        method="of_model",
        help_text="Number of a version that is or was champion, or `champion` for the present one. By default each "
        "match has the forecast of the version that was champion before its kick-off.",
    )

    @property
    def forecast_world(self) -> World | None:
        """The world of the list; None for a team whose region has no competition."""
        values = self.form.cleaned_data
        if values.get("world"):
            return World(values["world"])
        if values.get("competition"):
            return World(values["competition"].world)
        return selectors.world_of(values["team"]) if values.get("team") else forecasts.served_world()

    def forecast(self, *, now: datetime) -> tuple[list[QuerySet[Match]], int | None]:
        """Return the matches that may have a published forecast, as branches, and the version that is requested.

        Only champions publish, and only of matches that kick off within `FORECAST_WITHIN`. These bounds save looking
        through the matches of decades. A match that was moved further away is due again later.

        Raises
        ------
        ValidationError
            When the model was never champion; the message lists those that were.
        """
        world, wanted = self.forecast_world, self.form.cleaned_data.get("model")
        if world is None:
            return [], None
        since, until, version_id = forecasts.first_promotion_at(world), None, None
        if wanted:
            period = self._champion_period(world, wanted)
            since, until, version_id = period.since, period.until, period.version_id
        if since is None:
            return [], None
        latest = FORECAST_WITHIN + (until or now)
        return [each.filter(kickoff_at__gt=since, kickoff_at__lte=latest) for each in self.branches], version_id

    def _champion_period(self, world: World, wanted: str) -> forecasts.ChampionPeriod:
        found = forecasts.champion_periods(world)
        named = {str(number): period for number, period in reversed(found.items())}
        if found:
            named["champion"] = next(period for period in found.values() if period.until is None)
        if wanted not in named:
            allowed = ", ".join(["champion", *[name for name in named if name != "champion"][:LISTED]])
            raise ValidationError({"model": f"It must be a champion of the {world} world, past or present: {allowed}."})
        return named[wanted]

    def of_model(self, queryset: QuerySet[Match], name: str, value: str) -> QuerySet[Match]:
        """Return the queryset as it is: `forecast` names the version."""
        return queryset
