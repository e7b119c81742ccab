"""Forecasts: published for each fixture whose features changed, scored when the match has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Now
from django.utils.translation import gettext

from apps.matches import events, tracing
from apps.matches import selectors as match_selectors
from apps.matches.locks import Lock, try_lock
from apps.matches.log_fields import logged_as
from apps.matches.models import Ingest, Match, Odds, Topic, World
from apps.ml import metrics, selectors, serving
from apps.ml.forecasting import scoring
from apps.ml.forecasting.weaknesses import FALLBACK, Weakness
from apps.ml.models import ModelVersion, Prediction, Score

if TYPE_CHECKING:
    import pandas as pd

    from apps.ml.forecasting.features.events import EventRows

logger = logging.getLogger(__name__)

FORECAST_WITHIN: Final = timedelta(days=15)
"""A fixture is due when it kicks off within this time."""

AT_MOST_EVERY: Final = timedelta(minutes=5)
"""A fixture gets a new forecast at most this often."""

BASE_RATES: Final = "base rates"
"""Value of `degraded` for the last fallback."""

BASE_MATCHES: Final = 2000
"""Number of latest matches of a competition that its base rates are computed from."""

CHUNK: Final = 200
"""Forecasts in one transaction; when the database refuses one, only these are tried again."""

TRIES: Final = 3

MATERIAL: Final = 0.001
"""Smallest change of a probability that is published; every result changes base rates in later digits."""

MARGIN: Final = timedelta(seconds=2)
"""Fixtures that kick off within this time are skipped: the database compares with its own clock."""


LOOKED_BACK: Final = timedelta(days=1)
"""Results of ingests that began within this time are considered in each round of scoring."""


class NoForecastError(Exception):
    """There is no forecast of this match; the message says why."""


@dataclass(frozen=True, slots=True)
class LiveForecast:
    """A forecast that is not stored, with the fields of `Prediction`; without `match_id` for a hypothetical match."""

    match_id: int | None
    version_number: int | None
    data_snapshot: int
    as_of: datetime
    p_home: float
    p_draw: float
    p_away: float
    home_expected_goals: float
    away_expected_goals: float
    rho: float
    base_home: float
    base_draw: float
    base_away: float
    contributions: dict[str, float]
    weaknesses: list[dict[str, Any]]
    intervals: dict[str, Any] | None
    degraded: str
    published_at: None = None


@dataclass(frozen=True, slots=True)
class PredictReport:
    """Fixtures considered and forecasts published in one round, by world; `busy` when another round was running."""

    published: dict[str, int]
    considered: dict[str, int]
    busy: bool = False


@dataclass(frozen=True, slots=True)
class SettleReport:
    """Number of scored forecasts; `busy` when another round was running."""

    settled: int
    busy: bool = False


def forecast(match_id: int, *, now: datetime) -> LiveForecast:
    """Forecast one fixture by the champion that this process has loaded; nothing is stored.

    Raises
    ------
    NoForecastError
        When there is no such match, it has kicked off, or its world has no champion yet.
    """
    match = Match.objects.select_related("season__competition").filter(pk=match_id).first()
    if match is None:
        raise NoForecastError(gettext("There is no such match."))
    if match.kickoff_at <= now or match.status != Match.Status.SCHEDULED:
        raise NoForecastError(
            gettext("The match is not a coming fixture, and no forecast of it was published in time.")
        )
    return live_forecast(match, lambda: _frame([match_id]), now=now)


def forecast_by(version: ModelVersion, match: Match, *, now: datetime) -> LiveForecast:
    """Forecast one fixture by a version that was requested by name; nothing is stored.

    Raises
    ------
    NotServedError, StillLoadingError
        When this process cannot use the version, or has not loaded it yet.
    """
    served = serving.version(version, now=now)
    return _by(served, match, _frame([match.pk]), now=now)


def _by(served: serving.ServedModel, match: Match, fixture: pd.DataFrame | EventRows, *, now: datetime) -> LiveForecast:
    answer = serving.forecast(served, fixture, now=now)
    metrics.PREDICTIONS.labels(served.world, "live").inc()
    (row,) = _rows(served, [match], answer, now=now)
    return LiveForecast(version_number=served.version_number, **row)


def served_version(world: World, number: int) -> ModelVersion | None:
    """Return the version that made a live forecast; without a query where this process has loaded it."""
    served = serving.loaded(world, number)
    return served.version if served else selectors.model_version(world, number)


def live_forecast(match: Match, fixture: Callable[[], pd.DataFrame | EventRows], *, now: datetime) -> LiveForecast:
    """Forecast one match, stored or not; `fixture` returns what `serving.forecast` takes when it is needed.

    Raises
    ------
    NoForecastError
        When its world has no champion yet.
    """
    served = model_to_serve(match.season.competition.world, now=now)
    if served is None:
        return _base_rates(match, now=now)
    return _by(served, match, fixture(), now=now)


@dataclass(frozen=True, slots=True)
class ForecastNumbers:
    """The numbers of forecasts of n matches of one world, which are not stored."""

    p: np.ndarray  # home, draw, away; shape (n, 3)
    goals: np.ndarray  # expected, of the home and of the away side; shape (n, 2)
    rho: float
    version_number: int | None  # None where the base rates stand in for a model
    data_snapshot: int
    degraded: str
    weaknesses: list[list[Weakness]]
    intervals: np.ndarray | None  # low and high end around each probability, shape (n, 3, 2); None without any
    interval_level: float | None


def forecast_numbers(matches: Sequence[Any], served: serving.ServedModel | None, *, now: datetime) -> ForecastNumbers:
    """Forecast matches of one world at once, without contributions and base rates.

    Parameters
    ----------
    matches : sequence of Match, or of Meeting
        Either all stored or all hypothetical, with season, competition and teams.
    served : ServedModel or None
        The model of their world; None for the base rates of their competitions.

    Raises
    ------
    NoForecastError
        When there is no model and a competition has no result.
    """
    # Loads pandas, which a web process does in its warm-up and not at its start.
    from apps.ml import dataset

    if served is None:
        of = {match.season.competition_id: match for match in matches}
        rates = {competition: _base_rates(match, now=now) for competition, match in of.items()}
        found = [rates[match.season.competition_id] for match in matches]
        return ForecastNumbers(
            p=np.array([[each.p_home, each.p_draw, each.p_away] for each in found]),
            goals=np.array([[each.home_expected_goals, each.away_expected_goals] for each in found]),
            rho=0.0,
            version_number=None,
            data_snapshot=found[0].data_snapshot,
            degraded=BASE_RATES,
            weaknesses=[[Weakness(FALLBACK)]] * len(matches),
            intervals=None,
            interval_level=None,
        )
    ids = [match.pk for match in matches]
    frame = dataset.hypothetical_fixtures(matches) if ids[0] is None else dataset.fixtures(ids)
    answer = serving.numbers(served, frame, now=now)
    metrics.PREDICTIONS.labels(served.world, "live").inc(len(matches))
    return ForecastNumbers(
        p=answer.probabilities,
        goals=answer.goals,
        rho=served.bundle.estimator.rho,
        version_number=served.version_number,
        data_snapshot=served.data_snapshot,
        degraded=served.degraded,
        weaknesses=answer.weaknesses,
        intervals=answer.intervals,
        interval_level=served.bundle.interval_level,
    )


def model_to_serve(world: World, *, now: datetime) -> serving.ServedModel | None:
    """Return the loaded model of a world; None where the champion cannot be loaded and base rates stand in.

    Raises
    ------
    NoForecastError
        When the world has no champion yet.
    """
    served = serving.latest(world, now=now)
    if served is None and selectors.champion(world) is None:
        raise NoForecastError(
            gettext("No model makes forecasts yet: the first one is being trained, or did not pass its checks.")
        )
    return served


def _base_rates(match: Match, *, now: datetime) -> LiveForecast:
    """Return the base rates of the competition as a forecast: the last fallback, without any model."""
    results = Match.objects.filter(
        competition=match.season.competition_id, status=Match.Status.FINISHED, known_at__lt=now
    ).order_by("-kickoff_at")[:BASE_MATCHES]
    goals = np.array(results.values_list("home_goals", "away_goals"), dtype=np.float64).reshape(-1, 2)
    if not len(goals):
        raise NoForecastError(gettext("No model can be loaded, and no match of this competition has ended yet."))
    margin = np.sign(goals[:, 0] - goals[:, 1])
    # One match of each outcome is added, so that no outcome has probability 0.
    home, draw, away = ((int((margin == sign).sum()) + 1) / (len(goals) + 3) for sign in (1, 0, -1))
    home_goals, away_goals = goals.mean(axis=0)
    metrics.PREDICTIONS.labels(match.season.competition.world, "live").inc()
    return LiveForecast(
        match_id=match.pk,
        version_number=None,
        data_snapshot=match_selectors.data_snapshot(match.season.competition.world),
        as_of=now,
        p_home=home,
        p_draw=draw,
        p_away=away,
        home_expected_goals=float(home_goals),
        away_expected_goals=float(away_goals),
        rho=0.0,
        base_home=home,
        base_draw=draw,
        base_away=away,
        contributions={},
        weaknesses=[Weakness(FALLBACK)._asdict()],
        intervals=None,
        degraded=BASE_RATES,
    )


def predict_due(*, now: datetime) -> PredictReport:
    """Publish a forecast of each fixture within 15 days whose features changed since the champion's latest one."""
    with try_lock(Lock.PREDICT) as ours:
        if not ours:
            return PredictReport({}, {}, busy=True)
        published, considered = {}, {}
        for world in World:
            try:
                served = serving.current(world, now=now, may_rebuild=True)
                # Only the champion publishes: a forecast by an earlier version would be scored as the champion's.
                if served is None or served.degraded:
                    continue
                with (
                    logged_as(model=f"{world} {served.version_number}"),
                    tracing.continued("", "publish forecasts", world=str(world), model=served.version_number),
                ):
                    considered[str(world)], published[str(world)] = _predict_world(served, now=now)
            except (DatabaseError, ValueError) as error:
                # An error in one world must not stop the other.
                metrics.ERRORS.labels("predict").inc()
                logger.exception("forecasts of the %s world: %s", world, error)
        if any(published.values()):
            events.start_tasks_after_commit("predicted")
        return PredictReport(published, considered)


def _predict_world(served: serving.ServedModel, *, now: datetime) -> tuple[int, int]:
    """Return the numbers of fixtures considered and of forecasts published."""
    matches = {
        match.pk: match
        for match in Match.objects.filter(
            world=served.world,
            status=Match.Status.SCHEDULED,
            kickoff_at__gt=now + MARGIN,
            kickoff_at__lte=now + FORECAST_WITHIN,
        ).order_by("kickoff_at", "id")
    }
    latest = {
        row.match_id: row
        for row in selectors.newest_predictions(matches, version_id=served.version_id).only(
            "match_id", "features_sha256", "published_at", "data_snapshot", "p_home", "p_draw", "p_away"
        )
    }
    # After a rollback the newest forecast is by the former champion, and is replaced.
    newest = selectors.newest_predictions(matches).values_list("match_id", "version_id")
    superseded = {match_id for match_id, version_id in newest if version_id != served.version_id}
    due_ids = [
        match_id
        for match_id in matches
        if match_id not in latest
        or (
            (latest[match_id].published_at <= now - AT_MOST_EVERY or match_id in superseded)
            and latest[match_id].data_snapshot != served.data_snapshot
        )
    ]
    if not due_ids:
        return len(matches), 0
    answer = serving.forecast(served, _frame(due_ids), now=now)
    rows = _rows(served, [matches[match_id] for match_id in due_ids], answer, now=now)
    due = [
        Prediction(
            **{name: value for name, value in row.items() if name != "degraded"},
            version_id=served.version_id,
            published_at=now,
            kickoff_at=matches[row["match_id"]].kickoff_at,
            features_sha256=sha256,
        )
        for row, sha256 in zip(rows, answer.features_sha256, strict=True)
        if row["match_id"] in superseded or _is_due(latest.get(row["match_id"]), row, sha256)
    ]
    published = sum(_publish(served, due[start : start + CHUNK], now=now) for start in range(0, len(due), CHUNK))
    metrics.PREDICTIONS.labels(served.world, "published").inc(published)
    return len(matches), published


def _publish(served: serving.ServedModel, due: list[Prediction], *, now: datetime) -> int:
    """Store forecasts of matches that have not kicked off by the database's clock; return how many.

    None are stored when the database refuses them `TRIES` times, which is an error in the log: they stay due.
    """
    refusal: IntegrityError | None = None
    for _ in range(TRIES):
        not_begun = set(
            Match.objects.filter(pk__in=[row.match_id for row in due], kickoff_at__gt=Now() + MARGIN).values_list(
                "id", flat=True
            )
        )
        due = [row for row in due if row.match_id in not_begun]
        try:
            with transaction.atomic():
                Prediction.objects.bulk_create(due, ignore_conflicts=True)
                events.publish_of_matches(
                    topic=Topic.PREDICTION_PUBLISHED,
                    events=[(row.match_id, {"version": served.version_number}) for row in due],
                    now=now,
                )
        except IntegrityError as error:
            # The transaction waited for an ingest, and a match kicked off meanwhile.
            logger.info("forecasts refused, looking again at what is open: %s", error)
            refusal = error
        else:
            return len(due)
    metrics.ERRORS.labels("predict").inc()
    logger.error("%d forecasts of the %s world are not published: %s", len(due), served.world, refusal)
    return 0


def _frame(match_ids: list[int]) -> pd.DataFrame:
    # Loads pandas, which a web process does in its warm-up and not at its start.
    from apps.ml import dataset

    return dataset.fixtures(match_ids)


def _is_due(latest: Prediction | None, row: dict, features_sha256: str) -> bool:
    """Return whether a forecast differs enough from the latest one of its fixture to be published."""
    if latest is None:
        return True
    if latest.features_sha256 == features_sha256:
        return False
    moved = (abs(row[name] - getattr(latest, name)) for name in ("p_home", "p_draw", "p_away"))
    return max(moved) >= MATERIAL


def _rows(
    served: serving.ServedModel, matches: list[Match], answer: serving.ServedForecasts, *, now: datetime
) -> list[dict]:
    """Return the fields common to published and live forecasts, one row for each match."""
    return [
        {
            "match_id": match.pk,
            "data_snapshot": served.data_snapshot,
            "as_of": now,
            "p_home": float(answer.probabilities[i, 0]),
            "p_draw": float(answer.probabilities[i, 1]),
            "p_away": float(answer.probabilities[i, 2]),
            "home_expected_goals": float(answer.goals[i, 0]),
            "away_expected_goals": float(answer.goals[i, 1]),
            "rho": served.bundle.estimator.rho,
            "base_home": float(answer.base_rates[i, 0]),
            "base_draw": float(answer.base_rates[i, 1]),
            "base_away": float(answer.base_rates[i, 2]),
            "contributions": {group: float(values[i]) for group, values in answer.contributions.items()},
            "weaknesses": [each._asdict() for each in answer.weaknesses[i]],
            "intervals": answer.intervals[i],
            "degraded": served.degraded,
        }
        for i, match in enumerate(matches)
    ]


def settle_due(*, now: datetime, limit: int = 2000) -> SettleReport:
    """Score the latest forecast of each finished match for the newest revision of its result."""
    with try_lock(Lock.SETTLE) as ours:
        if not ours:
            return SettleReport(0, busy=True)
        in_time = Prediction.objects.filter(match_id=OuterRef("id"), published_at__lt=OuterRef("kickoff_at"))
        changed = Match.objects.filter(ingest_id__gt=_scored_until(now))
        latest = in_time.order_by("-published_at", "-id").values("id")[:1]
        graded = Score.objects.filter(prediction_id=OuterRef("latest_id"), revision=OuterRef("revision"))
        matches = {
            match.pk: match
            for match in changed.filter(Exists(in_time), status=Match.Status.FINISHED, home_goals__isnull=False)
            .annotate(latest_id=Subquery(latest))
            .filter(~Exists(graded))
            .order_by("kickoff_at", "id")[:limit]
        }
        if not matches:
            return SettleReport(0)
        scores = _scores(matches, now=now)
        with transaction.atomic():
            Score.objects.bulk_create(scores, ignore_conflicts=True)
            events.publish_of_matches(
                topic=Topic.SCORE_SETTLED, events=[(row.match_id, {"rps": row.rps}) for row in scores], now=now
            )
            events.start_tasks_after_commit("graded")
        for row in scores:
            metrics.SETTLED.labels(row.world).inc()
        return SettleReport(len(scores))


def _scored_until(now: datetime) -> int:
    """Return the number of the ingest up to which all results are scored; 0 to consider all of them.

    Only an ingest adds or changes results, so the ingests of the latest day suffice. All are considered before the
    first score and in the first minute of each hour, in case a round failed.
    """
    if now.minute == 0 or not Score.objects.exists():
        return 0
    before = Ingest.objects.filter(started_at__lt=now - LOOKED_BACK).order_by("-id")
    return before.values_list("id", flat=True).first() or 0


def _scores(matches: Mapping[int, Match], *, now: datetime) -> list[Score]:
    predictions = selectors.latest_predictions(matches)
    ids = [match_id for match_id in matches if match_id in predictions]
    outcomes = np.array([matches[match_id].outcome for match_id in ids], dtype=np.int64)
    model = np.array([predictions[match_id].probabilities for match_id in ids])
    base = np.array(
        [
            (predictions[match_id].base_home, predictions[match_id].base_draw, predictions[match_id].base_away)
            for match_id in ids
        ]
    )
    measures = [scoring.log_loss_each, scoring.rps_each, scoring.brier_each]
    of_model = np.column_stack([measure(model, outcomes) for measure in measures])
    of_base = np.column_stack([measure(base, outcomes) for measure in measures])
    of_market = market_scores(ids, outcomes)
    return [
        Score(
            prediction=predictions[match_id],
            match_id=match_id,
            world=matches[match_id].world,
            revision=matches[match_id].revision,
            outcome=int(outcomes[i]),
            log_loss=of_model[i, 0],
            rps=of_model[i, 1],
            brier=of_model[i, 2],
            base_log_loss=of_base[i, 0],
            base_rps=of_base[i, 1],
            market_log_loss=of_market[match_id][0] if match_id in of_market else None,
            market_rps=of_market[match_id][1] if match_id in of_market else None,
            settled_at=now,
        )
        for i, match_id in enumerate(ids)
    ]


def market_scores(ids: list[int], outcomes: np.ndarray) -> dict[int, tuple[float, float]]:
    """Return match → (log loss, RPS) of the de-vigged closing prices, for the matches that have them."""
    quoted = match_selectors.odds_of(ids)
    closing = {match_id: price for match_id, price in quoted.items() if price.moment == Odds.Moment.CLOSING}
    if not closing:
        return {}
    outcome_of = dict(zip(ids, outcomes, strict=True))
    y = np.array([outcome_of[match_id] for match_id in closing])
    market = scoring.devig(np.array([(price.home, price.draw, price.away) for price in closing.values()]))
    log_losses, rps = scoring.log_loss_each(market, y), scoring.rps_each(market, y)
    return {match_id: (float(log_losses[i]), float(rps[i])) for i, match_id in enumerate(closing)}
