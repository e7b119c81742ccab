"""The record of published forecasts, that of back-tests, and the forecasts that both are made of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from apps.matches.composed import composed_once
from apps.matches.models import Match, World
from apps.ml.forecasting.arrays import Records
from apps.ml.forecasting.record import GRADED
from apps.ml.models import (
    BackTest,
    BackTestForecasts,
    ClosingGap,
    PipelineRun,
    Prediction,
    RecordSummary,
    Score,
)
from apps.ml.selectors.forecasts import predictions_before_kickoff, valid_scores

CHUNK: Final = 5_000


def record(world: World, *, is_back_tested: bool = False) -> RecordSummary | None:
    """Return the newest record of a world's published forecasts, or of its champion's back-tests; None before it."""
    return RecordSummary.objects.filter(world=world, is_back_tested=is_back_tested).first()


def records(world: World) -> list[RecordSummary]:
    """Return both records of a world, those that there are."""
    return _records_of(world)


@composed_once
def _records_of(world: World) -> QuerySet[RecordSummary]:
    return RecordSummary.objects.filter(world=world)


def back_tested(match_ids: Iterable[int]) -> dict[int, BackTest]:
    """Return the champion's back-test of each match that has one.

    A match that also has a published forecast is to be shown with that.
    """
    return {row.match_id: row for row in _back_tested(list(match_ids))}


@composed_once
def _back_tested(match_ids: list[int]) -> QuerySet[BackTest]:
    return BackTest.objects.filter(match__in=match_ids)


def newest_back_test(version_id: int) -> BackTestForecasts | None:
    """Return what the newest finished back-test of a version forecast; None before the first."""
    over = (PipelineRun.RunStatus.SUCCEEDED, PipelineRun.RunStatus.UNCHANGED)
    found = BackTestForecasts.objects.filter(run__back_test_of=version_id, run__status__in=over)
    return found.defer("forecasts").order_by("-run_id").first()


def closing_gap(world: World) -> ClosingGap | None:
    """Return the gap of a world's forecasts to the closing line; None before it was first computed."""
    return next(iter(_closing_gaps_of(world)), None)


@composed_once
def _closing_gaps_of(world: World) -> QuerySet[ClosingGap]:
    return (
        ClosingGap.objects.filter(world=world)
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates", "version__columns")
    )


def graded_matches(
    world: World,
    *,
    summary: RecordSummary,
    competition_id: int | None = None,
    until: datetime | None = None,
    after: Match | None = None,
) -> QuerySet[Match]:
    """Return the matches of a record, the latest kick-off first.

    Parameters
    ----------
    summary : RecordSummary
        The record; its first kick-off bounds the matches that are read.
    competition_id : int, optional
        Only those of one competition.
    until : datetime, optional
        Only those that kicked off before a moment.
    after : Match, optional
        Only those that follow it in this order: the next page.
    """
    first = datetime.fromtimestamp(summary.content["first_at"], UTC)
    found = Match.objects.filter(status=Match.Status.FINISHED, home_goals__isnull=False, kickoff_at__gte=first)
    found = found.filter(competition=competition_id) if competition_id else found.filter(world=world)
    if until is not None:
        found = found.filter(kickoff_at__lt=until)
    if after is not None:
        earlier = Q(kickoff_at__lt=after.kickoff_at) | Q(kickoff_at=after.kickoff_at, id__lt=after.pk)
        # The OR alone uses no index; the bound does.
        found = found.filter(earlier, kickoff_at__lte=after.kickoff_at)
    rows: QuerySet[Any] = BackTest.objects.filter(match=OuterRef("pk"))
    if not summary.is_back_tested:
        # The scores as `valid_scores` finds them, by two rows of an index for each match: the latest forecast in time,
        # and its score for the newest revision of the result.
        in_time = Prediction.objects.filter(match=OuterRef("pk"), published_at__lt=OuterRef("kickoff_at"))
        found = found.alias(latest=Subquery(in_time.order_by("-published_at", "-id").values("pk")[:1]))
        rows = Score.objects.filter(prediction=OuterRef("latest"), revision=OuterRef("revision"))
    # PostgreSQL runs a subquery for one match after the other until the page is full. EXISTS would become a join.
    found = found.alias(one=Subquery(rows.values("pk")[:1])).filter(one__isnull=False)
    return found.order_by("-kickoff_at", "-id")


def newest_grade(world: World) -> int | None:
    """Return the id of the newest score of a world; None before the first. Grades are stored one round at a time."""
    return Score.objects.filter(world=world).order_by("-settled_at", "-id").values_list("pk", flat=True).first()


def graded_forecasts(world: World) -> Records:
    """Return the graded published forecasts of a world, one of each match, in the columns of `GRADED`."""
    columns = (
        *("match_id", "match__competition_id", "match__kickoff_at", "outcome"),
        *(f"prediction__{name}" for name in ("p_home", "p_draw", "p_away")),
        *("base_log_loss", "base_rps", "market_log_loss", "market_rps"),
    )
    return _records(valid_scores(world).values_list(*columns))


def graded_back_tests(version_id: int, *, run_id: int | None = None) -> Records:
    """Return the back-tests of a version whose matches have ended, without the scores of base rates and market.

    `run_id` names the run that made them; those of all runs by default.
    """
    ended = Q(match__status=Match.Status.FINISHED, match__home_goals__isnull=False)
    found = BackTest.objects.filter(ended, version=version_id, **({"run": run_id} if run_id else {}))
    rows = found.values_list(
        *("match_id", "match__competition_id", "match__kickoff_at", "match__home_goals", "match__away_goals"),
        *("p_home", "p_draw", "p_away"),
    )
    return _records(
        (match, competition, kickoff, 1 - (home > away) + (home < away), *p, None, None, None, None)
        for match, competition, kickoff, home, away, *p in rows.iterator(chunk_size=CHUNK)
    )


def late_forecasts(world: World) -> int:
    """Return the number of finished matches that were only forecast after the actual kick-off."""
    late = Prediction.objects.filter(
        match__world=world, match__status=Match.Status.FINISHED, published_at__gte=F("match__kickoff_at")
    )
    in_time = predictions_before_kickoff().filter(match_id=OuterRef("match_id"))
    return late.filter(~Exists(in_time)).values("match_id").distinct().count()


def _records(rows: Iterable[tuple[Any, ...]]) -> Records:
    values = rows.iterator(chunk_size=CHUNK) if isinstance(rows, QuerySet) else rows
    return np.fromiter(
        ((match, competition, int(kickoff.timestamp()), *rest) for match, competition, kickoff, *rest in values),
        dtype=GRADED,
    )
