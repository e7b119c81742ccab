"""The requests of prediction jobs, by their kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from apps.api.models import PredictionJob
from apps.api.rest.bodies import BodySerializer, ShortListField
from apps.matches.models import World

ITEMS_LIMIT: Final = 50_000
"""Items of a what-if set."""

LOCKED_LIMIT: Final = 1000
"""Given results of a season."""

ERRORS_SHOWN: Final = 20

LONGEST_SLUG: Final = 160

_LARGEST_ID: Final = 2**63 - 1
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PAIRING: Final = frozenset({"home", "away", "date", "competition", "neutral"})


def _kind(value: PredictionJob.JobKind) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=[value.value])


class _WorldField(serializers.ChoiceField):
    def __init__(self) -> None:
        super().__init__(
            choices=World.choices,
            required=False,
            help_text="Default: the world that the site shows first.",
            error_messages={"invalid_choice": f"It must be one of {', '.join(World.values)}."},
        )


class WhatIfItemSerializer(serializers.Serializer[dict[str, Any]]):
    """A coming fixture by its id, or a pairing of any two teams."""

    match = serializers.IntegerField(
        required=False, min_value=1, help_text="Id of a coming fixture, without the other members."
    )
    home = serializers.CharField(required=False, max_length=LONGEST_SLUG, help_text="Slug of the home team.")
    away = serializers.CharField(required=False, max_length=LONGEST_SLUG, help_text="Slug of the away team.")
    date = serializers.DateField(required=False, help_text="The day, at most a year ahead; that of the set by default.")
    competition = serializers.CharField(
        required=False, max_length=LONGEST_SLUG, help_text="Slug; the home team's league by default."
    )
    neutral = serializers.BooleanField(required=False, help_text="Whether the venue is neutral.")


@extend_schema_field(WhatIfItemSerializer(many=True))
class WhatIfItemsField(serializers.Field):
    """The items of a set, checked in one loop: a serializer for each of 50,000 would take seconds."""

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        """Return the items as they came.

        Raises
        ------
        ValidationError
            With the first items that are wrong, and what is wrong with each.
        """
        if not isinstance(data, list) or not 1 <= len(data) <= ITEMS_LIMIT:
            raise ValidationError(f"It must be a list of 1 to {ITEMS_LIMIT:,} items.")
        reasons = []
        for number, item in enumerate(data):
            if reason := _objection(item):
                reasons.append(f"Item {number}: {reason}")
                if len(reasons) == ERRORS_SHOWN:
                    break
        if reasons:
            raise ValidationError(reasons)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def _objection(item: Any) -> str:
    """Return what is wrong with an item; empty when nothing is."""
    if not isinstance(item, dict):
        return "It must be an object."
    if "match" in item:
        match = item["match"]
        if len(item) > 1:
            return "An item with `match` has no other member."
        is_id = isinstance(match, int) and not isinstance(match, bool) and 1 <= match <= _LARGEST_ID
        return "" if is_id else "`match` must be the id of a match."
    if not item.keys() <= _PAIRING or "home" not in item or "away" not in item:
        return "It must have only `match`, or `home` and `away`, and then perhaps `date`, `competition`, `neutral`."
    for name in ("home", "away", "competition"):
        text = item.get(name, "-")
        if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_SLUG or "\x00" in text:
            return f"`{name}` must be a slug."
    if not isinstance(item.get("neutral", False), bool):
        return "`neutral` must be true or false."
    return "" if "date" not in item or _is_day(item["date"]) else "`date` must be a day such as 2026-11-28."


def _is_day(text: Any) -> bool:
    try:
        return isinstance(text, str) and bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


class WhatIfSetSerializer(BodySerializer):
    """Forecasts of many coming fixtures and pairings, as of the moment at which the job runs."""

    kind = _kind(PredictionJob.JobKind.WHAT_IF_SET)
    world = _WorldField()
    date = serializers.DateField(required=False, help_text="Day of pairings without one; the next Saturday by default.")
    items = WhatIfItemsField(help_text=f"1 to {ITEMS_LIMIT:,}; each has its own line in the result.")


class LockedResultSerializer(BodySerializer):
    """The result of a match that is left, for all simulated seasons: by its id, or by its teams."""

    match = serializers.IntegerField(required=False, min_value=1, max_value=_LARGEST_ID)
    home = serializers.CharField(required=False, max_length=LONGEST_SLUG, help_text="Slug of the home team.")
    away = serializers.CharField(required=False, max_length=LONGEST_SLUG, help_text="Slug of the away team.")
    home_goals = serializers.IntegerField(min_value=0, max_value=30)
    away_goals = serializers.IntegerField(min_value=0, max_value=30)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.keys() & {"match", "home", "away"} not in ({"match"}, {"home", "away"}):
            raise ValidationError("It must name the match by `match`, or by `home` and `away`.")
        return attrs


class SeasonSimulationSerializer(BodySerializer):
    """10,000 simulated seasons in which some of the matches that are left end as given."""

    kind = _kind(PredictionJob.JobKind.SEASON_SIMULATION)
    competition = serializers.CharField(max_length=LONGEST_SLUG, help_text="Slug of a league.")
    season = serializers.CharField(
        required=False, max_length=LONGEST_SLUG, help_text="Such as 2026-27; the newest by default."
    )
    locked = ShortListField(child=LockedResultSerializer(), required=False, max_length=LOCKED_LIMIT)


class GradedForecastsSerializer(BodySerializer):
    """The forecasts that were published before the matches of a period, each with its result and scores."""

    kind = _kind(PredictionJob.JobKind.GRADED_FORECASTS)
    world = _WorldField()
    since = serializers.DateTimeField(help_text="Matches that kicked off at this moment or later.")
    until = serializers.DateTimeField(help_text="Matches that kicked off before this moment.")
    competition = serializers.CharField(required=False, max_length=LONGEST_SLUG, help_text="Slug; all by default.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["since"] >= attrs["until"]:
            raise ValidationError({"until": "It must be later than `since`."})
        return attrs


REQUESTS: Final[Mapping[str, type[BodySerializer]]] = {
    "what_if_set": WhatIfSetSerializer,
    "season_simulation": SeasonSimulationSerializer,
    "graded_forecasts": GradedForecastsSerializer,
}


def parameters_of(body: Any) -> tuple[str, dict[str, Any]]:
    """Return the kind of a job and its checked parameters.

    Raises
    ------
    ValidationError
        Naming each member that is wrong.
    """
    kind = body.get("kind") if isinstance(body, dict) else None
    if not isinstance(kind, str) or kind not in REQUESTS:
        raise ValidationError({"kind": f"It must be one of {', '.join(REQUESTS)}."})
    parameters = REQUESTS[kind].read(body)
    return parameters.pop("kind"), parameters
