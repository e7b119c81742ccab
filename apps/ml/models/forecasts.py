"""Published forecasts, those in shadow, their scores, and simulated seasons."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from apps.matches.models import Match, Season, World
from apps.ml.models.versions import ModelVersion

PROBABILITY = [MinValueValidator(0.0), MaxValueValidator(1.0)]


class Prediction(models.Model):
    """A published forecast. Append-only; the database refuses one after the kick-off."""

    match = models.ForeignKey(Match, on_delete=models.PROTECT, related_name="predictions")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="predictions")
    data_snapshot = models.BigIntegerField()
    as_of = models.DateTimeField()
    published_at = models.DateTimeField()
    kickoff_at = models.DateTimeField(help_text="The kick-off as it was known then.")
    p_home = models.FloatField(validators=PROBABILITY)
    p_draw = models.FloatField(validators=PROBABILITY)
    p_away = models.FloatField(validators=PROBABILITY)
    home_expected_goals = models.FloatField()
    away_expected_goals = models.FloatField()
    rho = models.FloatField(
        default=0.0, db_default=0.0, help_text="Dixon-Coles correction of low scores in the scoreline grid."
    )
    base_home = models.FloatField(help_text="Base rate of the competition at the same moment, the plain alternative.")
    base_draw = models.FloatField()
    base_away = models.FloatField()
    features_sha256 = models.CharField(
        max_length=64, help_text="Of the features it was made from; when they differ, a new one is due."
    )
    contributions = models.JSONField(default=dict, help_text="Group of features → log-odds, home against away.")
    weaknesses = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="Why it is less sure than usual: [{code, side, number}], in the order of importance.",
    )
    intervals = models.JSONField(
        null=True,
        blank=True,
        help_text="Where the closing line is expected: {level, home: {low, high}, draw, away}; null where no interval "
        "was fitted.",
    )
    degraded = models.CharField(
        max_length=40, blank=True, help_text="Which step of the fallback ladder; empty for the champion."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["match", "version", "data_snapshot"], name="prediction_identity_unique"),
            models.CheckConstraint(
                condition=Q(p_home__gte=0, p_draw__gte=0, p_away__gte=0)
                & Q(p_home__lte=1 + 1e-9 - F("p_draw") - F("p_away"))
                & Q(p_home__gte=1 - 1e-9 - F("p_draw") - F("p_away")),
                name="prediction_sums_to_one",
            ),
            models.CheckConstraint(condition=Q(published_at__lt=F("kickoff_at")), name="prediction_before_kickoff"),
            models.CheckConstraint(condition=Q(as_of__lte=F("published_at")), name="prediction_as_of_not_later"),
        ]
        indexes = [
            models.Index(fields=["match", "-published_at"], name="prediction_latest"),
            models.Index(fields=["published_at"], name="prediction_by_publication"),
        ]

    def __str__(self) -> str:
        return f"prediction of match {self.match_id}: {self.p_home:.2f} {self.p_draw:.2f} {self.p_away:.2f}"

    @property
    def probabilities(self) -> tuple[float, float, float]:
        """Home, draw, away."""
        return self.p_home, self.p_draw, self.p_away


class ShadowForecast(models.Model):
    """What another version would have published in place of a prediction of the champion. Append-only.

    It was made from the same facts as of the same moment, is never shown as a forecast, and is graded with the score of
    its prediction. The database leaves out one that comes after the kick-off.
    """

    prediction = models.ForeignKey(Prediction, on_delete=models.PROTECT, related_name="shadows", db_index=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="shadows")
    p_home = models.FloatField(validators=PROBABILITY)
    p_draw = models.FloatField(validators=PROBABILITY)
    p_away = models.FloatField(validators=PROBABILITY)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prediction", "version"], name="shadowforecast_identity_unique"),
            models.CheckConstraint(
                condition=Q(p_home__gte=0, p_draw__gte=0, p_away__gte=0)
                & Q(p_home__lte=1 + 1e-9 - F("p_draw") - F("p_away"))
                & Q(p_home__gte=1 - 1e-9 - F("p_draw") - F("p_away")),
                name="shadowforecast_sums_to_one",
            ),
        ]

    def __str__(self) -> str:
        return f"shadow of prediction {self.prediction_id} by version {self.version_id}"


class Score(models.Model):
    """The score of a prediction for one revision of the result; the newest revision counts. Append-only."""

    prediction = models.ForeignKey(Prediction, on_delete=models.PROTECT, related_name="scores")
    match = models.ForeignKey(Match, on_delete=models.PROTECT, related_name="scores")
    world = models.CharField(max_length=7, choices=World)
    revision = models.PositiveIntegerField(help_text="Revision of the match's result.")
    outcome = models.PositiveSmallIntegerField(help_text="0 home, 1 draw, 2 away.")
    log_loss = models.FloatField(help_text="In nats.")
    rps = models.FloatField(help_text="Divided by 2: 0 to 1.")
    brier = models.FloatField(help_text="Summed over three classes.")
    base_log_loss = models.FloatField(help_text="Of the base rates that the prediction carries.")
    base_rps = models.FloatField()
    market_log_loss = models.FloatField(null=True, help_text="Of the de-vigged closing prices, where there are any.")
    market_rps = models.FloatField(null=True)
    settled_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prediction", "revision"], name="score_identity_unique"),
            models.CheckConstraint(condition=Q(outcome__lte=2), name="score_outcome_of_three"),
        ]
        indexes = [models.Index(fields=["world", "-settled_at"], name="score_by_world")]

    def __str__(self) -> str:
        return f"score of prediction {self.prediction_id}"


class SeasonForecast(models.Model):
    """Simulated final tables of a season by one version; the latest one of each round is kept."""

    season = models.ForeignKey(Season, on_delete=models.CASCADE, related_name="forecasts")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="season_forecasts")
    data_snapshot = models.BigIntegerField()
    as_of = models.DateTimeField(help_text="It used facts known before this moment.")
    simulations = models.PositiveIntegerField(help_text="Simulated seasons.")
    doubt = models.FloatField(help_text="Standard deviation of the shock of a club, in log-odds.")
    played = models.PositiveIntegerField(help_text="Matches that count already.")
    remaining = models.PositiveIntegerField(help_text="Matches that were simulated.")
    undated = models.PositiveIntegerField(help_text="Of those, the ones that no source has listed yet.")
    is_whole = models.BooleanField(help_text="Whether these are all matches to the end of the season.")
    table = models.JSONField(
        help_text="{lines: [{name, places, from_end}], leader: {team, points}, clubs: [{team, points, places, …}]}."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["season", "version", "data_snapshot"], name="seasonforecast_identity_unique"
            ),
            models.CheckConstraint(condition=Q(undated__lte=F("remaining")), name="seasonforecast_undated_remain"),
        ]
        indexes = [models.Index(fields=["season", "-as_of"], name="seasonforecast_latest")]

    def __str__(self) -> str:
        return f"forecast of season {self.season_id} as of {self.as_of:%Y-%m-%d}"


class SeasonInputs(models.Model):
    """What the latest simulation of a season was made from, to simulate the season again with given results."""

    forecast = models.OneToOneField(SeasonForecast, on_delete=models.CASCADE, primary_key=True, related_name="inputs")
    content = models.JSONField(
        help_text="{teams: ids in the order of their numbers, played: [[home, away, goals, goals], …], fixtures: "
        "[[match or null, home, away, p_home, p_draw, p_away, expected goals of both], …], deductions, rho, win, seed}."
    )

    class Meta:
        verbose_name_plural = "season inputs"

    def __str__(self) -> str:
        return f"inputs of season forecast {self.forecast_id}"


class Stakes(models.Model):
    """What a match can change in its season: the chances of both teams by its outcome, as simulated before it.

    It is renewed with each simulation of the season until the kick-off.
    """

    match = models.OneToOneField(Match, on_delete=models.CASCADE, primary_key=True, related_name="stakes")
    as_of = models.DateTimeField(help_text="Of the simulation.")
    simulations = models.PositiveIntegerField(help_text="Simulated seasons, of which each had one of the outcomes.")
    chances = models.JSONField(help_text="[{side, name, places, from_end, before, given: [home, draw, away]}].")

    class Meta:
        verbose_name_plural = "stakes"

    def __str__(self) -> str:
        return f"stakes of match {self.match_id}"
