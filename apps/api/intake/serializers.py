"""Lines that programs push in, and the answers that they get, as the REST API describes them."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.models import Upload
from apps.api.rest import ProblemSerializer
from apps.matches.models import Match, Odds, choices_of


class CompetitionLineSerializer(serializers.Serializer[dict[str, object]]):
    """The competition of a line."""

    region = serializers.CharField(help_text="Country or confederation, in English, such as England.")
    name = serializers.CharField(help_text="Name of the competition today, such as Premier League.")
    level = serializers.IntegerField(
        required=False, min_value=0, help_text="Tier, 1 at the top; 0 for cups. 1 if it is not told."
    )
    is_simulated = serializers.BooleanField(required=False, help_text="True for the sandbox; false if it is not told.")


class StatsLineSerializer(serializers.Serializer[dict[str, object]]):
    """Counts of a match; what was not counted is left out."""

    home_shots = serializers.IntegerField(required=False, min_value=0)
    away_shots = serializers.IntegerField(required=False, min_value=0)
    home_shots_on_target = serializers.IntegerField(required=False, min_value=0)
    away_shots_on_target = serializers.IntegerField(required=False, min_value=0)
    home_corners = serializers.IntegerField(required=False, min_value=0)
    away_corners = serializers.IntegerField(required=False, min_value=0)
    home_fouls = serializers.IntegerField(required=False, min_value=0)
    away_fouls = serializers.IntegerField(required=False, min_value=0)
    home_yellow_cards = serializers.IntegerField(required=False, min_value=0)
    away_yellow_cards = serializers.IntegerField(required=False, min_value=0)
    home_red_cards = serializers.IntegerField(required=False, min_value=0)
    away_red_cards = serializers.IntegerField(required=False, min_value=0)
    attendance = serializers.IntegerField(required=False, min_value=0)
    referee = serializers.CharField(required=False)


class QuoteLineSerializer(serializers.Serializer[dict[str, object]]):
    """Decimal prices of one bookmaker at one moment; a price that is not quoted is left out."""

    bookmaker = serializers.RegexField("^[A-Za-z0-9]{1,12}$", help_text="Code such as B365, PS (Pinnacle), Avg, Max.")
    moment = serializers.ChoiceField(choices=choices_of(Odds.Moment))
    home = serializers.FloatField(required=False)
    draw = serializers.FloatField(required=False)
    away = serializers.FloatField(required=False)
    over_2_5 = serializers.FloatField(required=False)
    under_2_5 = serializers.FloatField(required=False)
    handicap = serializers.FloatField(required=False, help_text="Goals given to the home side.")
    handicap_home = serializers.FloatField(required=False)
    handicap_away = serializers.FloatField(required=False)


class MatchLineSerializer(serializers.Serializer[dict[str, object]]):
    """A fixture or a result. What is null or left out was not told, and erases nothing."""

    type = serializers.ChoiceField(choices=["match"], required=False)
    competition = CompetitionLineSerializer()
    season = serializers.RegexField(r"^\d{4}(-\d{2})?$", help_text="2023-24, or 2023 within one year.")
    home_team = serializers.CharField(help_text="Name as the feed writes it.")
    away_team = serializers.CharField()
    kickoff_at = serializers.CharField(help_text="ISO 8601 with its zone; a day where only that is known.")
    kickoff_precision = serializers.ChoiceField(
        choices=choices_of(Match.KickoffPrecision), required=False, help_text="date where only the day is known."
    )
    status = serializers.ChoiceField(
        choices=choices_of(Match.Status),
        required=False,
        help_text="scheduled if it is not told; finished needs both goals.",
    )
    home_goals = serializers.IntegerField(required=False, min_value=0, help_text="After 90 minutes and stoppage time.")
    away_goals = serializers.IntegerField(required=False, min_value=0)
    home_goals_half_time = serializers.IntegerField(required=False, min_value=0)
    away_goals_half_time = serializers.IntegerField(required=False, min_value=0)
    home_goals_extra_time = serializers.IntegerField(
        required=False, min_value=0, help_text="At the end of extra time, those of the 90 minutes included."
    )
    away_goals_extra_time = serializers.IntegerField(required=False, min_value=0)
    home_penalties = serializers.IntegerField(required=False, min_value=0, help_text="Of a shoot-out.")
    away_penalties = serializers.IntegerField(required=False, min_value=0)
    finished_at = serializers.CharField(required=False, help_text="The final whistle, ISO 8601 with its zone.")
    is_neutral = serializers.BooleanField(required=False)
    source_id = serializers.CharField(
        required=False, help_text="The feed's own id of the match; with it a match is found again whatever moves."
    )
    home_team_id = serializers.CharField(required=False, help_text="The feed's own id of the team.")
    away_team_id = serializers.CharField(required=False)
    home_region = serializers.CharField(
        required=False, help_text="Where the team is from, if not from the competition's."
    )
    away_region = serializers.CharField(required=False)
    stage = serializers.CharField(required=False, help_text="Such as Group A.")
    round = serializers.CharField(required=False, help_text="Such as Matchday 7.")
    stats = StatsLineSerializer(required=False)
    odds = QuoteLineSerializer(many=True, required=False)


class OddsLineSerializer(serializers.Serializer[dict[str, object]]):
    """Prices of a match that the feed has told, in this body or before."""

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
    """What became of the lines."""

    ingest = serializers.IntegerField(allow_null=True, help_text="Number of the ingest; null when there was none.")
    lines = serializers.IntegerField(help_text="Of the body, blank ones included.")
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    same = serializers.IntegerField(help_text="Lines that told what was known.")
    refused = serializers.IntegerField()
    errors = LineRefusalSerializer(many=True, help_text="The refused lines, the first thousand.")  # type: ignore[assignment]
    errors_left_out = serializers.IntegerField()
    upload = serializers.UUIDField(allow_null=True)
    next_line = serializers.IntegerField(help_text="The line to go on with.")


class PushProblemSerializer(ProblemSerializer):
    """A problem with what the client needs to go on: the account where there is one, else the next line alone."""

    ingest = serializers.IntegerField(required=False, allow_null=True)
    lines = serializers.IntegerField(required=False)
    refused = serializers.IntegerField(required=False)
    errors = LineRefusalSerializer(many=True, required=False)  # type: ignore[assignment]
    errors_left_out = serializers.IntegerField(required=False)
    next_line = serializers.IntegerField(required=False)


class UploadSerializer(serializers.ModelSerializer[Upload]):
    """How far an upload got."""

    upload = serializers.UUIDField(source="uuid")
    lines_stored = serializers.IntegerField(source="stored", help_text="Lines that are stored.")
    lines_refused = serializers.IntegerField(source="refused", help_text="Lines that were refused, each with a reason.")

    class Meta:
        model = Upload
        fields = ["upload", "lines_stored", "lines_refused", "next_line", "created_at", "updated_at"]
