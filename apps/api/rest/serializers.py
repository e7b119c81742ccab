"""The schema of the REST API's responses."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.matches.models import AwardedResult, Competition, Match, MatchStats, PointsAdjustment, Team, World
from apps.ml.forecasting.weaknesses import CODES, SIDES


class CompetitionSerializer(serializers.ModelSerializer[Competition]):
    """The competition of a match."""

    region = serializers.CharField(source="region.name")
    level = serializers.IntegerField(min_value=0, help_text="Tier of the pyramid, 1 at the top; 0 for cups.")

    class Meta:
        model = Competition
        fields = ["id", "slug", "world", "region", "name", "level", "is_simulated"]


class TeamSerializer(serializers.ModelSerializer[Team]):
    """A team of a match."""

    name = serializers.CharField(help_text="As stored; it never changes.")
    display_name = serializers.CharField(help_text="As pages show it.")
    code = serializers.CharField(source="display_code", min_length=3, max_length=3, help_text="Three letters.")
    colours = serializers.ListField(
        child=serializers.CharField(), max_length=2, help_text="Two, such as #da291c; or none."
    )

    class Meta:
        model = Team
        fields = ["id", "slug", "name", "display_name", "code", "colours"]


class ListedTeamSerializer(TeamSerializer):
    """A team with its region and all its names."""

    region = serializers.CharField(source="region.name")
    other_names = serializers.SerializerMethodField(help_text="What people call it.")
    url = serializers.HyperlinkedIdentityField(view_name="api-team", lookup_field="slug")

    class Meta(TeamSerializer.Meta):
        fields = [*TeamSerializer.Meta.fields, "full_name", "other_names", "region", "url"]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_other_names(self, team: Team) -> list[str]:
        """Return the common names one by one."""
        return [name for name in team.other_names.split(" | ") if name]


class MatchStatsSerializer(serializers.ModelSerializer[MatchStats]):
    """What was counted in a match, and its expected goals; null for what is not known."""

    xg_known_at = serializers.DateTimeField(
        allow_null=True, read_only=True, help_text="From when the expected goals may be used."
    )

    class Meta:
        model = MatchStats
        exclude = ["match"]


class MatchSerializer(serializers.ModelSerializer[Match]):
    """One match; all moments are in UTC."""

    world = serializers.ChoiceField(choices=World.choices)
    competition = CompetitionSerializer(source="season.competition")
    season = serializers.CharField(source="season.label", help_text="2023-24, or 2023 within one year.")
    stage = serializers.SerializerMethodField(help_text="Part of the season with its own rules; empty in most leagues.")
    home_team = TeamSerializer()
    away_team = TeamSerializer()
    stats = MatchStatsSerializer(allow_null=True, help_text="Null for a match without statistics.")
    url = serializers.HyperlinkedIdentityField(view_name="match-detail")
    prediction_url = serializers.HyperlinkedIdentityField(view_name="match-prediction")

    class Meta:
        model = Match
        fields = [
            "id",
            "url",
            "world",
            "competition",
            "season",
            "stage",
            "round",
            "home_team",
            "away_team",
            "kickoff_at",
            "kickoff_precision",
            "finished_at",
            "known_at",
            "status",
            "is_neutral",
            "home_goals",
            "away_goals",
            "home_goals_half_time",
            "away_goals_half_time",
            "home_goals_extra_time",
            "away_goals_extra_time",
            "home_penalties",
            "away_penalties",
            "stats",
            "revision",
            "updated_at",
            "prediction_url",
        ]

    @extend_schema_field(serializers.CharField())
    def get_stage(self, match: Match) -> str:
        """Return the name of the stage."""
        return match.stage.name if match.stage else ""


class FeatureSerializer(serializers.Serializer[dict[str, object]]):
    """One feature and its meaning."""

    name = serializers.CharField()
    family = serializers.CharField(help_text="Family that computes it.")
    side = serializers.CharField(help_text="home, away, diff (home minus away) or match.")
    scope = serializers.CharField(help_text="Matches that count: all, venue, competition, region …")
    window = serializers.IntegerField(allow_null=True, help_text="Number of latest matches; null for the whole past.")
    unit = serializers.CharField()
    meaning = serializers.CharField()
    inputs = serializers.CharField(help_text="Which prices it is made of; `no odds` for none.")
    is_read = serializers.BooleanField(help_text="Whether the champion reads it.")


class FeatureListSerializer(serializers.Serializer[dict[str, object]]):
    """The catalogue of features of a world's champion."""

    world = serializers.CharField()
    version = serializers.IntegerField(min_value=1, help_text="Number of the champion.")
    catalogue_sha256 = serializers.CharField(
        min_length=64, max_length=64, help_text="Hash of the whole catalogue, as in the model card."
    )
    count = serializers.IntegerField(min_value=0, help_text="Features in `results`.")
    results = FeatureSerializer(many=True)


class OutcomesSerializer(serializers.Serializer[dict[str, float]]):
    """One number for each outcome, in the order home, draw, away."""

    home = serializers.FloatField(min_value=0, max_value=1)
    draw = serializers.FloatField(min_value=0, max_value=1)
    away = serializers.FloatField(min_value=0, max_value=1)


class FairOddsSerializer(serializers.Serializer[dict[str, float]]):
    """Decimal odds for each outcome; null for one that cannot happen."""

    home = serializers.FloatField(allow_null=True, min_value=1)
    draw = serializers.FloatField(allow_null=True, min_value=1)
    away = serializers.FloatField(allow_null=True, min_value=1)


class GoalsSerializer(serializers.Serializer[dict[str, float]]):
    """Expected goals of both sides in 90 minutes and stoppage time."""

    home = serializers.FloatField(min_value=0)
    away = serializers.FloatField(min_value=0)


class ScorelineSerializer(serializers.Serializer[dict[str, float]]):
    """One scoreline and its probability."""

    home_goals = serializers.IntegerField(min_value=0, max_value=10)
    away_goals = serializers.IntegerField(min_value=0, max_value=10)
    probability = serializers.FloatField(min_value=0, max_value=1)


class GoalLineSerializer(serializers.Serializer[dict[str, float]]):
    """Probabilities of more and of fewer goals than a line."""

    line = serializers.FloatField(min_value=0)
    over = serializers.FloatField(min_value=0, max_value=1)
    under = serializers.FloatField(min_value=0, max_value=1)


class MarketsSerializer(serializers.Serializer[dict[str, object]]):
    """Other markets, computed from the scoreline grid, which agrees with the 1X2 probabilities exactly."""

    goal_lines = GoalLineSerializer(many=True)
    both_score = serializers.FloatField(min_value=0, max_value=1, help_text="Probability that both sides score.")
    most_likely = ScorelineSerializer()


class ModelSerializer(serializers.Serializer[dict[str, object]]):
    """The model version that made a forecast."""

    world = serializers.ChoiceField(choices=World.choices)
    version = serializers.IntegerField(min_value=1)
    estimator = serializers.CharField()
    inputs = serializers.CharField(help_text="Which prices the model may read; `no odds` for none.")


class ReasonSerializer(serializers.Serializer[dict[str, object]]):
    """What one group of inputs adds to a forecast."""

    group = serializers.CharField(help_text="Name of the group, a key of `contributions`.")
    label = serializers.CharField(help_text="The group in words.")  # type: ignore[assignment]
    favours = serializers.ChoiceField(choices=["home", "away"], allow_null=True, help_text="Which side it speaks for.")
    log_odds = serializers.FloatField(help_text="Home against away.")


class WeaknessSerializer(serializers.Serializer[dict[str, object]]):
    """A reason why a forecast is less sure than usual."""

    code = serializers.ChoiceField(choices=CODES)
    side = serializers.ChoiceField(choices=SIDES, allow_null=True, help_text="Null for the whole match.")
    text = serializers.CharField(help_text="In words, without a capital letter and a full stop.")


class IntervalSerializer(serializers.Serializer[dict[str, float]]):
    """The ends of the interval around a probability."""

    low = serializers.FloatField(min_value=0, max_value=1)
    high = serializers.FloatField(min_value=0, max_value=1)


class IntervalsSerializer(serializers.Serializer[dict[str, object]]):
    """An interval around each probability, in which the market's closing line is expected."""

    level = serializers.FloatField(
        min_value=0,
        max_value=1,
        help_text="Share of the matches in which an interval, each by itself, shall hold the closing line.",
    )
    home = IntervalSerializer()
    draw = IntervalSerializer()
    away = IntervalSerializer()


class ForecastSerializer(serializers.Serializer[dict[str, object]]):
    """A forecast; `apps/api/services/forecasts.py` writes this shape."""

    competition = CompetitionSerializer()
    season = serializers.CharField(help_text="2023-24, or 2023 within one year.")
    home_team = TeamSerializer()
    away_team = TeamSerializer()
    kickoff_at = serializers.DateTimeField()
    is_neutral = serializers.BooleanField(help_text="Whether the venue is neutral.")
    probabilities = OutcomesSerializer(help_text="Calibrated; five decimals that sum to 1.")
    fair_odds = FairOddsSerializer(help_text="Decimal odds without a margin, 1 / probability.")
    expected_goals = GoalsSerializer()
    base_rates = OutcomesSerializer(help_text="Shares of the outcomes in the competition, for comparison.")
    contributions = serializers.DictField(
        child=serializers.FloatField(), help_text="Group of inputs → log-odds, home against away."
    )
    weaknesses = WeaknessSerializer(
        many=True, help_text="Why the forecast is less sure than usual, the most important first; mostly empty."
    )
    intervals = IntervalsSerializer(
        allow_null=True,
        help_text="How sure the forecast is; null where too few earlier forecasts of the model had a closing line.",
    )
    model = ModelSerializer(allow_null=True, help_text="Null where the base rates stand in for a model.")
    data_snapshot = serializers.IntegerField(
        min_value=1, help_text="Number of the data snapshot that the forecast uses."
    )
    as_of = serializers.DateTimeField(help_text="The forecast uses no fact that became known later.")
    degraded = serializers.CharField(
        allow_null=True, help_text="The fallback that made the forecast; null for one by the model itself."
    )
    markets = MarketsSerializer(required=False, help_text="Only with `include=markets`.")
    scorelines = serializers.ListField(
        required=False,
        child=serializers.ListField(child=serializers.FloatField(), min_length=11, max_length=11),
        min_length=11,
        max_length=11,
        help_text=(
            "Only with `include=scorelines`. Probability of each scoreline: rows are home goals 0 to 10, columns away; "
            "10 means 10 or more."
        ),
    )
    reasons = ReasonSerializer(
        many=True, required=False, help_text="Only with `include=reasons`: the contributions in words, strongest first."
    )


class LiveSerializer(serializers.Serializer[dict[str, object]]):
    """A match in play: what a source reports about it, and the chances that follow from this and the forecast."""

    minute = serializers.IntegerField(
        min_value=0, max_value=90, help_text="Minutes played; 45 and 90 in stoppage time."
    )
    home_goals = serializers.IntegerField(min_value=0)
    away_goals = serializers.IntegerField(min_value=0)
    probabilities = OutcomesSerializer(help_text="At this score and minute; five decimals that sum to 1.")
    read_at = serializers.DateTimeField(help_text="When the source last said so, at most ten minutes ago.")


class PredictionSerializer(ForecastSerializer):
    """A forecast of one match: published before kick-off, frozen at kick-off, graded after the match."""

    match = serializers.IntegerField(help_text="Id of the match.")
    published_at = serializers.DateTimeField(allow_null=True, help_text="Null for one that was made for this request.")
    is_frozen = serializers.BooleanField(help_text="True from kick-off on: no later forecast replaces it.")
    live = LiveSerializer(
        allow_null=True, help_text="While a feed tells score and minute of the match; null otherwise, and with `as_of`."
    )


class WhatIfSerializer(ForecastSerializer):
    """A forecast of a match that is not a fixture; it is not stored."""

    notes = serializers.ListField(
        child=serializers.CharField(), help_text="Reasons why the forecast is less certain than that of a fixture."
    )


class StandingSerializer(serializers.Serializer[dict[str, object]]):
    """One line of a table."""

    place = serializers.IntegerField(min_value=1)
    team = TeamSerializer()
    played = serializers.IntegerField(min_value=0)
    won = serializers.IntegerField(min_value=0)
    drawn = serializers.IntegerField(min_value=0)
    lost = serializers.IntegerField(min_value=0)
    goals_for = serializers.IntegerField(min_value=0)
    goals_against = serializers.IntegerField(min_value=0)
    goal_difference = serializers.IntegerField()
    points = serializers.IntegerField(help_text="With what was taken or given.")


class AdjustmentSerializer(serializers.ModelSerializer[PointsAdjustment]):
    """A decision that changed the points of a club."""

    team = TeamSerializer()
    known_at = serializers.DateTimeField(help_text="From when on tables count it.")

    class Meta:
        model = PointsAdjustment
        fields = ["team", "points", "decided_on", "known_at", "reason", "source"]


class AwardedResultSerializer(serializers.ModelSerializer[AwardedResult]):
    """A result that a league set in the place of what was played."""

    home_team = TeamSerializer()
    away_team = TeamSerializer()
    known_at = serializers.DateTimeField(help_text="From when on tables count it.")

    class Meta:
        model = AwardedResult
        fields = [
            "home_team", "away_team", "played_on", "home_goals", "away_goals", "decided_on", "known_at", "reason",
            "source",
        ]  # fmt: skip


class TableSerializer(serializers.Serializer[dict[str, object]]):
    """The table of a season, with what is not in the results of its matches."""

    competition = CompetitionSerializer()
    season = serializers.CharField()
    as_of = serializers.DateTimeField(allow_null=True, help_text="Facts known before it count; null for all.")
    standings = StandingSerializer(many=True)
    adjustments = AdjustmentSerializer(many=True, help_text="Points that were taken or given, oldest first.")
    awarded_results = AwardedResultSerializer(many=True, help_text="Results that the league set; they count.")
    awarded = MatchSerializer(many=True, help_text="Matches that a source reports as awarded, without a verdict here.")


class TableLineSerializer(serializers.Serializer[dict[str, object]]):
    """A line of a table, such as the one above the relegation places."""

    name = serializers.ChoiceField(choices=["title", "first", "second", "play_off", "down"])
    places = serializers.IntegerField(
        min_value=1, help_text="Number of places above the line, or below it with `from_end`."
    )
    from_end = serializers.BooleanField(help_text="Whether the places are the last ones of the table.")


class ClubEndSerializer(serializers.Serializer[dict[str, object]]):
    """The simulated final results of one club."""

    team = TeamSerializer()
    points = serializers.IntegerField(help_text="So far.")
    expected = serializers.FloatField(help_text="Mean of the points at the end.")
    low = serializers.IntegerField(help_text="One in ten simulated seasons ends with fewer points.")
    high = serializers.IntegerField(help_text="One in ten ends with more.")
    chances = serializers.DictField(
        child=serializers.FloatField(min_value=0, max_value=1), help_text="Name of a line → probability."
    )
    places = serializers.ListField(
        child=serializers.FloatField(min_value=0, max_value=1),
        help_text="Probability of each place, from the first on.",
    )


class SeasonForecastSerializer(serializers.Serializer[dict[str, object]]):
    """The forecast of a season, from simulations of its remaining matches."""

    competition = CompetitionSerializer()
    season = serializers.CharField()
    simulations = serializers.IntegerField(min_value=1, help_text="Simulated seasons.")
    doubt = serializers.FloatField(
        min_value=0,
        help_text="Standard deviation of a club's strength between simulated seasons, log-odds of home against away.",
    )
    played = serializers.IntegerField(min_value=0, help_text="Matches that have been played.")
    remaining = serializers.IntegerField(min_value=0, help_text="Matches that were simulated.")
    undated = serializers.IntegerField(min_value=0, help_text="Of those, the matches that no source has listed yet.")
    is_whole = serializers.BooleanField(help_text="Whether the remaining matches complete the season.")
    lines = TableLineSerializer(many=True)
    clubs = ClubEndSerializer(many=True, help_text="The club with the most expected points first.")
    adjustments = AdjustmentSerializer(many=True, help_text="Points taken or given so far, which are counted.")
    model = ModelSerializer()
    data_snapshot = serializers.IntegerField(help_text="Number of the data snapshot that the simulation uses.")
    as_of = serializers.DateTimeField(help_text="The forecast uses no fact that became known later.")


class ProblemErrorSerializer(serializers.Serializer[dict[str, str]]):
    """One invalid parameter."""

    parameter = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[dict[str, object]]):
    """RFC 9457 problem details."""

    type = serializers.CharField(help_text="about:blank, or a urn that names the kind of problem.")
    title = serializers.CharField()
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField()
    # The metaclass removes declared fields from the class, so that these two do not shadow attributes of serializers.
    instance = serializers.CharField()  # type: ignore[assignment]
    request_id = serializers.CharField(help_text="Quote it when you report a problem; the server log has it.")
    errors = ProblemErrorSerializer(many=True, required=False)  # type: ignore[assignment]
