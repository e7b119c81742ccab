"""Published predictions, their scores, and simulated seasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from django.db.models import Exists, F, JSONField, OuterRef, QuerySet, Subquery
from django.db.models.expressions import RawSQL

from apps.matches.composed import composed_once
from apps.matches.models import Match, Season, World
from apps.ml.forecasting import scoring
from apps.ml.models import Prediction, Promotion, Score, SeasonForecast, Stakes

INTERVAL_FROM: Final = 30
"""Fewest matches for a bootstrap interval."""

RECENT: Final = 200
"""Matches of a live record."""


def predictions_before_kickoff() -> QuerySet[Prediction]:
    """Return predictions published before the actual kick-off; later ones are void."""
    return Prediction.objects.filter(published_at__lt=F("match__kickoff_at"))


def newest_predictions(
    match_ids: Iterable[int], *, version_id: int | None = None, in_time: bool = False
) -> QuerySet[Prediction]:
    """Return the newest prediction of each match, optionally by one version or published before the kick-off only.

    Reads one row for each match, however often it was forecast.
    """
    statement = """
        SELECT p.id FROM matches_match m CROSS JOIN LATERAL (
            SELECT id FROM ml_prediction
            WHERE match_id = m.id AND (NOT %s OR published_at < m.kickoff_at)
                AND (%s::bigint IS NULL OR version_id = %s)
            ORDER BY published_at DESC, id DESC LIMIT 1
        ) AS p WHERE m.id = ANY(%s)
        """
    newest = RawSQL(statement, [in_time, version_id, version_id, list(match_ids)])  # noqa: S611 – all are parameters
    return Prediction.objects.filter(pk__in=newest)


def latest_predictions(match_ids: Iterable[int]) -> dict[int, Prediction]:
    """Return the latest prediction of each match published before the kick-off: the one that is scored."""
    return {row.match_id: row for row in _latest_predictions(list(match_ids))}


@composed_once
def _latest_predictions(match_ids: list[int]) -> QuerySet[Prediction]:
    return (
        newest_predictions(match_ids, in_time=True)
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates")
    )


def has_forecast(found: QuerySet[Match], *, version_id: int | None = None) -> QuerySet[Match]:
    """Return those of some matches that have a forecast published before their kick-off, by one version or by any."""
    in_time = Prediction.objects.filter(match=OuterRef("pk"), published_at__lt=OuterRef("kickoff_at"))
    if version_id is not None:
        in_time = in_time.filter(version=version_id)
    return _with_one(found, in_time.order_by("-published_at"))


def is_scored(found: QuerySet[Match], *, version_id: int | None = None) -> QuerySet[Match]:
    """Return those of some matches that have a valid score, of a forecast by one version or by any."""
    scores = valid_scores().filter(match=OuterRef("pk"))
    if version_id is not None:
        scores = scores.filter(prediction__version=version_id)
    return _with_one(found.filter(status=Match.Status.FINISHED), scores)


def _with_one(found: QuerySet[Match], rows: QuerySet[Any]) -> QuerySet[Match]:
    # A subquery, which PostgreSQL runs for one match after the other in their order until a page is full. EXISTS would
    # become a join that reads all of them.
    return found.annotate(one=Subquery(rows.values("pk")[:1])).filter(one__isnull=False)


def prediction_history(match_id: int, *, latest: int) -> list[Prediction]:
    """Return the latest predictions of a match in chronological order."""
    return _prediction_history(match_id, latest)[::-1]


@composed_once
def _prediction_history(match_id: int, latest: int) -> QuerySet[Prediction]:
    rows = (
        Prediction.objects.filter(match_id=match_id)
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates")
        .order_by("-published_at", "-id")
    )
    return rows[:latest]


def stakes_of_match(match_id: int) -> Stakes | None:
    """Return what a match can change in its season, or could at its kick-off; None where it was not simulated."""
    return Stakes.objects.filter(pk=match_id).first()


def season_forecast(season: Season) -> SeasonForecast | None:
    """Return the latest simulation of a season with its version, without the bundle."""
    return _season_forecast.first(season.pk)


@composed_once
def _season_forecast(season_id: int) -> QuerySet[SeasonForecast]:
    return (
        SeasonForecast.objects.filter(season=season_id)
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates")
        .order_by("-as_of", "-id")[:1]
    )


@dataclass(frozen=True, slots=True)
class SeasonMoment:
    """The chances of a season's clubs, by team id, to end beyond one line of the table, as simulated at some moment."""

    played: int
    as_of: datetime
    version_number: int
    chances: dict[int, float]


def season_history(season: Season, line: str, *, per_round: int) -> list[SeasonMoment]:
    """Return how the chances at a line of the table moved: the latest simulation of each round, in chronological order.

    Parameters
    ----------
    line : str
        Name of the line, such as ``"title"``.
    per_round : int
        Matches of a round.
    """
    of_round = {-(-played // per_round): pk for pk, played in _simulated(season.pk)}
    rows = _moments(list(of_round.values()), f'$.clubs[*].chances."{line}"')
    return [
        SeasonMoment(played, as_of, number, dict(zip(teams, shares, strict=True)))
        for played, as_of, number, teams, shares in rows
        if len(teams) == len(shares)
    ]


@composed_once
def _simulated(season_id: int) -> QuerySet[SeasonForecast, tuple[int, int]]:
    return SeasonForecast.objects.filter(season=season_id).order_by("as_of", "id").values_list("id", "played")


@composed_once
def _moments(forecast_ids: list[int], chances: str) -> QuerySet[SeasonForecast, tuple[Any, ...]]:
    # Of each table, which has tens of places for each club, two short lists.
    teams, shares = (
        RawSQL('jsonb_path_query_array("table", %s::jsonpath)', [path], JSONField())
        for path in ("$.clubs[*].team", chances)
    )
    rows = SeasonForecast.objects.filter(pk__in=forecast_ids).annotate(teams=teams, shares=shares).order_by("played")
    return rows.values_list("played", "as_of", "version__number", "teams", "shares")


def season_forecasts() -> QuerySet[SeasonForecast]:
    """Return the latest simulation of each season that has one, with its season and version, without its clubs."""
    # The seasons one by one by the index: a simulation of each day is kept, and a DISTINCT would read all of them.
    newest = RawSQL(
        """
        WITH RECURSIVE simulated AS (
            (SELECT season_id FROM ml_seasonforecast ORDER BY season_id LIMIT 1)
            UNION ALL
            SELECT (
                SELECT f.season_id FROM ml_seasonforecast f WHERE f.season_id > s.season_id ORDER BY f.season_id LIMIT 1
            ) FROM simulated s WHERE s.season_id IS NOT NULL
        )
        SELECT n.id FROM simulated s CROSS JOIN LATERAL (
            SELECT id FROM ml_seasonforecast WHERE season_id = s.season_id ORDER BY as_of DESC, id DESC LIMIT 1
        ) AS n
        """,
        [],
    )
    return (
        SeasonForecast.objects.filter(pk__in=newest)
        .select_related("season__competition", "version")
        .defer("table", "version__bundle", "version__metrics", "version__gates")
    )


def valid_scores(world: World | None = None) -> QuerySet[Score]:
    """Return scores for the newest revision of the result, of the latest prediction of each match."""
    later = predictions_before_kickoff().filter(
        match_id=OuterRef("match_id"), published_at__gt=OuterRef("prediction__published_at")
    )
    rows = Score.objects.filter(
        ~Exists(later),
        revision=F("match__revision"),
        match__status=Match.Status.FINISHED,
        prediction__published_at__lt=F("match__kickoff_at"),
    )
    return rows.filter(world=world) if world else rows


def newest_scores(match_ids: Iterable[int]) -> dict[int, Score]:
    """Return the valid score of each match that has one."""
    return {row.match_id: row for row in _newest_scores(list(match_ids))}


@composed_once
def _newest_scores(match_ids: list[int]) -> QuerySet[Score]:
    return valid_scores().filter(match_id__in=match_ids)


def score_of(prediction: Prediction, match: Match) -> Score | None:
    """Return the score of the latest forecast of a match for its result as it is now; None before it is graded."""
    return _score_of.first(prediction.pk, match.revision)


@composed_once
def _score_of(prediction_id: int, revision: int) -> QuerySet[Score]:
    return Score.objects.filter(prediction=prediction_id, revision=revision).order_by("pk")[:1]


@dataclass(frozen=True, slots=True)
class MeanScores:
    """Mean scores over matches; log loss in nats, RPS in [0, 1]."""

    n: int
    log_loss: float
    rps: float


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    """The model and an alternative on the same matches.

    `difference` is that of log loss (model − alternative), `interval` its paired bootstrap interval, None with fewer
    than `INTERVAL_FROM` matches.
    """

    model: MeanScores
    other: MeanScores
    difference: float
    interval: scoring.Interval | None


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """Log loss of a champion on its latest graded matches, in nats, with that of the alternatives.

    `market` is on the `n_market` matches of them that had prices, and `model_of_market` the champion on these.
    `running` is the mean difference of log loss, champion less market (base rates where no match had prices), after
    each match in the order of their grading.
    """

    n: int
    model: float
    base_rates: float
    n_market: int
    model_of_market: float | None
    market: float | None
    running: tuple[float, ...]


def live_record(champion: Promotion) -> LiveRecord | None:
    """Return the record of a champion on the latest `RECENT` matches graded under it; None before the first."""
    rows = (
        valid_scores(World(champion.world))
        .filter(prediction__version=champion.version_id, settled_at__gte=champion.decided_at)
        .order_by("-settled_at")
        .values_list("log_loss", "base_log_loss", "market_log_loss")[:RECENT]
    )
    if not rows:
        return None
    model, base, market = np.array(rows[::-1], dtype=np.float64).T
    priced = ~np.isnan(market)
    difference = (model - market)[priced] if priced.any() else model - base
    running = np.cumsum(difference) / np.arange(1, len(difference) + 1)
    return LiveRecord(
        n=len(rows),
        model=float(model.mean()),
        base_rates=float(base.mean()),
        n_market=int(priced.sum()),
        model_of_market=float(model[priced].mean()) if priced.any() else None,
        market=float(market[priced].mean()) if priced.any() else None,
        running=tuple(running.tolist()),
    )


def compare_scores(model: np.ndarray, other: np.ndarray, together: np.ndarray) -> ScoreComparison:
    """Compare log loss and RPS of the same matches, shape (n, 2); those with one value of `together` are correlated."""
    difference = model[:, 0] - other[:, 0]
    return ScoreComparison(
        model=MeanScores(len(model), float(model[:, 0].mean()), float(model[:, 1].mean())),
        other=MeanScores(len(other), float(other[:, 0].mean()), float(other[:, 1].mean())),
        difference=float(difference.mean()),
        interval=scoring.paired_bootstrap(difference, together) if len(difference) >= INTERVAL_FROM else None,
    )
