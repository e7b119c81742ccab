"""The schema of push-in: lines and responses.

The line serializers declare the fields once. The OpenAPI schema describes them, and `apps.api.intake.lines` compiles
them into a reader that is faster than validation by serializers.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.models import Upload
from apps.api.rest import ProblemSerializer
from apps.matches.models import Match, Odds, choices_of
from apps.matches.records import FULL_TIME, KickoffPrecision, MatchStatus, Moment

LARGEST_COUNT: Final = 32_767
"""Counts are small integers in the database."""

LARGEST_ATTENDANCE: Final = 2_147_483_647


class CountField(serializers.IntegerField):
    """A whole number from 0 that may be left out."""

    def __init__(self, largest: int = LARGEST_COUNT, **options: Any) -> None:
        super().__init__(required=False, min_value=0, max_value=largest, **options)
        self.largest = largest


class TimestampField(serializers.CharField):
    """A moment in ISO 8601 with its zone, or a day."""


class PatternField(serializers.RegexField):
    """A text that must match a pattern; `reason` tells the client how to write it."""

    def __init__(self, pattern: re.Pattern[str], *, reason: str, **options: Any) -> None:
        super().__init__(pattern, **options)
        self.pattern = pattern
        self.reason = reason


class EnumField(serializers.ChoiceField):
    """One of the values of an enumeration of `apps.matches.records`."""

    def __init__(self, enum: type[StrEnum], *, choices: Any, **options: Any) -> None:
        super().__init__(choices, **options)
        self.enum = enum


class CompetitionLineSerializer(serializers.Serializer[dict[str, object]]):
    """The competition of a line."""

    region = serializers.CharField(help_text="Country or confederation, in English, such as England.")
    name = serializers.CharField(help_text="Name of the competition today, such as Premier League.")
    level = CountField(help_text="Tier, 1 at the top; 0 for cups. Default: 1.")
    is_simulated = serializers.BooleanField(required=False, help_text="True for the sandbox. Default: false.")


class StatsLineSerializer(serializers.Serializer[dict[str, object]]):
    """Counts of a match; leave out what was not counted."""

    home_shots = CountField()
    away_shots = CountField()
    home_shots_on_target = CountField()
    away_shots_on_target = CountField()
    home_corners = CountField()
    away_corners = CountField()
    home_fouls = CountField()
    away_fouls = CountField()
    home_yellow_cards = CountField()
    away_yellow_cards = CountField()
    home_red_cards = CountField()
    away_red_cards = CountField()
    attendance = CountField(LARGEST_ATTENDANCE)
    referee = serializers.CharField(required=False)
    home_xg = serializers.FloatField(required=False, help_text="Expected goals, 0 to 20; used from the next day on.")
    away_xg = serializers.FloatField(required=False)


class QuoteLineSerializer(serializers.Serializer[dict[str, object]]):
    """Decimal prices of one bookmaker at one moment; leave out what is not quoted."""

    bookmaker = PatternField(
        re.compile("^[A-Za-z0-9]{1,12}$"),
        reason="it must be a code of 1 to 12 letters and digits",
        help_text="Code such as B365, PS (Pinnacle), Avg, Max.",
    )
    moment = EnumField(Moment, choices=choices_of(Odds.Moment))
    home = serializers.FloatField(required=False)
    draw = serializers.FloatField(required=False)
    away = serializers.FloatField(required=False)
    over_2_5 = serializers.FloatField(required=False)
    under_2_5 = serializers.FloatField(required=False)
    handicap = serializers.FloatField(required=False, help_text="Goals given to the home side.")
    handicap_home = serializers.FloatField(required=False)
    handicap_away = serializers.FloatField(required=False)


class MatchLineSerializer(serializers.Serializer[dict[str, object]]):
    """A fixture or a result. A field that is null or left out keeps its stored value."""

    type = serializers.ChoiceField(choices=["match"], required=False)
    competition = CompetitionLineSerializer()
    season = PatternField(
        re.compile(r"^\d{4}(-\d{2})?$", re.ASCII),
        reason="it must be written 2023-24, or 2023 for a season within one year",
        help_text="2023-24, or 2023 within one year.",
    )
    home_team = serializers.CharField(help_text="Name as the feed writes it.")
    away_team = serializers.CharField()
    kickoff_at = TimestampField(help_text="ISO 8601 with its zone; a day where only that is known.")
    kickoff_precision = EnumField(
        KickoffPrecision,
        choices=choices_of(Match.KickoffPrecision),
        required=False,
        help_text="date where only the day is known.",
    )
    status = EnumField(
        MatchStatus,
        choices=choices_of(Match.Status),
        required=False,
        help_text="Default: scheduled. finished needs both goals.",
    )
    home_goals = CountField(
        help_text="After 90 minutes and stoppage time; with status live and a minute, the score now."
    )
    away_goals = CountField()
    minute = CountField(FULL_TIME, help_text="Minutes played, with status live; 45 and 90 in stoppage time.")
    home_goals_half_time = CountField()
    away_goals_half_time = CountField()
    home_goals_extra_time = CountField(help_text="At the end of extra time, those of the 90 minutes included.")
    away_goals_extra_time = CountField()
    home_penalties = CountField(help_text="Of a shoot-out.")
    away_penalties = CountField()
    finished_at = TimestampField(required=False, help_text="The final whistle, ISO 8601 with its zone.")
    is_neutral = serializers.BooleanField(required=False)
    source_id = serializers.CharField(
        required=False, help_text="The feed's own id of the match; it identifies the match when other fields change."
    )
    home_team_id = serializers.CharField(required=False, help_text="The feed's own id of the team.")
    away_team_id = serializers.CharField(required=False)
    home_region = serializers.CharField(required=False, help_text="Region of the team, if not the competition's.")
    away_region = serializers.CharField(required=False)
    stage = serializers.CharField(required=False, help_text="Such as Group A.")
    round = serializers.CharField(required=False, help_text="Such as Matchday 7.")
    stats = StatsLineSerializer(required=False)
    odds = QuoteLineSerializer(many=True, required=False)


class OddsLineSerializer(serializers.Serializer[dict[str, object]]):
    """Prices of a match that the feed has sent, in this body or before."""

    type = serializers.ChoiceField(choices=["odds"])
    source_id = serializers.CharField(help_text="The feed's own id of the match.")
    odds = QuoteLineSerializer(many=True)


class LineRefusalSerializer(serializers.Serializer[dict[str, object]]):
    """A line that was not stored."""

    line = serializers.IntegerField(help_text="From 1, counted from `from_line`.")
    pointer = serializers.CharField(
        allow_blank=True, help_text="JSON Pointer of the field that is wrong; empty for the line as a whole."
    )
    reason = serializers.CharField()


@extend_schema_serializer(component_name="PushAccount")
class PushReportSerializer(serializers.Serializer[dict[str, object]]):
    """The report of a request: how many lines were stored and refused, and why."""

    ingest = serializers.IntegerField(allow_null=True, help_text="Number of the ingest; null when no line was stored.")
    lines = serializers.IntegerField(help_text="Of the body, blank ones included.")
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    same = serializers.IntegerField(help_text="Lines that equal what is stored.")
    refused = serializers.IntegerField()
    errors = LineRefusalSerializer(many=True, help_text="The refused lines, the first thousand.")  # type: ignore[assignment]
    errors_left_out = serializers.IntegerField()
    upload = serializers.UUIDField(allow_null=True)
    next_line = serializers.IntegerField(help_text="The line to continue with.")


class PushProblemSerializer(ProblemSerializer):
    """A problem with what the client needs to continue: the report, or only the next line."""

    ingest = serializers.IntegerField(required=False, allow_null=True)
    lines = serializers.IntegerField(required=False)
    refused = serializers.IntegerField(required=False)
    errors = LineRefusalSerializer(many=True, required=False)  # type: ignore[assignment]
    errors_left_out = serializers.IntegerField(required=False)
    next_line = serializers.IntegerField(required=False)


class UploadSerializer(serializers.ModelSerializer[Upload]):
    """The progress of an upload."""

    upload = serializers.UUIDField(source="uuid")
    lines_stored = serializers.IntegerField(source="stored", help_text="Lines that are stored.")
    lines_refused = serializers.IntegerField(source="refused", help_text="Lines that were refused, each with a reason.")

    class Meta:
        model = Upload
        fields = ["upload", "lines_stored", "lines_refused", "next_line", "created_at", "updated_at"]
