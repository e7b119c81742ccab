"""What the record page shows: back-tested forecasts, and the record itself, computed in advance."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from apps.matches.models import Match, World
from apps.ml.models.runs import PipelineRun
from apps.ml.models.versions import ModelVersion


class BackTest(models.Model):
    """What a version forecast of a past match out of sample, from what was known before `as_of`.

    Only the champion of a world has rows. They are copies of its evaluation artifacts, and of the forecasts of its
    newest back-test in place of those for the same matches. They are stored and deleted with one another and never
    changed.
    """

    # Hidden from matches and versions: a copy keeps no match from being joined with its double, and no version.
    match = models.ForeignKey(Match, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    version = models.ForeignKey(
        ModelVersion, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    run = models.ForeignKey(
        PipelineRun,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
        null=True,
        help_text="The back-test that made it; none for the run that trained the version.",
    )
    as_of = models.DateTimeField(help_text="It used facts known before this moment.")
    p_home = models.FloatField()
    p_draw = models.FloatField()
    p_away = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["match", "version"], name="backtest_identity_unique"),
            models.CheckConstraint(
                condition=Q(p_home__gte=0, p_draw__gte=0, p_away__gte=0)
                & Q(p_home__lte=1 + 1e-9 - F("p_draw") - F("p_away"))
                & Q(p_home__gte=1 - 1e-9 - F("p_draw") - F("p_away")),
                name="backtest_sums_to_one",
            ),
        ]

    def __str__(self) -> str:
        return f"back-test of match {self.match_id}: {self.p_home:.2f} {self.p_draw:.2f} {self.p_away:.2f}"

    @property
    def probabilities(self) -> tuple[float, float, float]:
        """Home, draw, away."""
        return self.p_home, self.p_draw, self.p_away


class RecordSummary(models.Model):
    """The record of a world as `forecasting.record.summary` returns it: of published forecasts, or of back-tests."""

    world = models.CharField(max_length=7, choices=World)
    is_back_tested = models.BooleanField()
    version = models.ForeignKey(
        ModelVersion,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
        null=True,
        help_text="Whose back-tests they are; none for published forecasts, which several versions made.",
    )
    content = models.JSONField()
    computed_at = models.DateTimeField(help_text="It has the scores of this moment.")
    seconds = models.FloatField(help_text="Time that the computation took.")

    class Meta:
        verbose_name_plural = "record summaries"
        constraints = [
            models.UniqueConstraint(fields=["world", "is_back_tested"], name="recordsummary_identity_unique")
        ]

    def __str__(self) -> str:
        return f"record of {'back-tests' if self.is_back_tested else 'published forecasts'} ({self.world})"


class ClosingGap(models.Model):
    """How far forecasts of a world are from the closing line, published ones beside the champion's newest back-test."""

    world = models.CharField(max_length=7, choices=World, unique=True)
    version = models.ForeignKey(
        ModelVersion,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
        null=True,
        help_text="The champion that was back-tested; none before its first back-test.",
    )
    run = models.ForeignKey(
        PipelineRun,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
        null=True,
        help_text="The back-test.",
    )
    content = models.JSONField(help_text="As `forecasting.closing_gap.comparison` returns it.")
    computed_at = models.DateTimeField(help_text="It has the scores of this moment.")

    def __str__(self) -> str:
        return f"gap to the closing line ({self.world})"
