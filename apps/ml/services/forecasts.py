"""Forecasts: published for every fixture whose features changed, graded when its match has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Now

from apps.matches import events
from apps.matches import selectors as match_selectors
from apps.matches.locks import Lock, try_lock
from apps.matches.models import Ingest, Match, Odds, World
from apps.ml import metrics, selectors, serving
from apps.ml.forecasting import scoring
from apps.ml.models import Prediction, Score

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

WINDOW: Final = timedelta(days=15)
"""A fixture is due when it kicks off within this time."""

AT_MOST_EVERY: Final = timedelta(minutes=5)
"""A fixture gets a new forecast at most this often."""

BASE_RATES: Final = "base rates"
"""Last step of the fallback ladder."""

BASE_MATCHES: Final = 2000
"""Latest matches of a competition that its base rates are taken from."""

CHUNK: Final = 200
"""Forecasts that are written at a time: a refused one costs no more than its neighbours a second try."""

TRIES: Final = 3

MATERIAL: Final = 0.001
"""How far a probability must have moved for a new forecast; every result moves base rates in a later digit."""

MARGIN: Final = timedelta(seconds=2)
"""A fixture about to kick off is left alone: the database would refuse the forecast by its own clock."""


LOOKED_BACK: Final = timedelta(days=1)
"""Results of ingests that began within this time are looked at in every round of grading."""


class NoForecastError(Exception):
    """There is no forecast of this match; the message says why."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A live answer that was not published: the fields of a Prediction; no `match_id` where no match is stored."""

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
    degraded: str
    published_at: None = None


@dataclass(frozen=True, slots=True)
class PredictReport:
    """What one round published, by world; `busy` when another round was under way."""

    published: dict[str, int]
    looked_at: dict[str, int]
    busy: bool = False


@dataclass(frozen=True, slots=True)
class SettleReport:
    """How many forecasts were graded; `busy` when another round was under way."""

    settled: int
    busy: bool = False


def forecast(match_id: int, *, now: datetime) -> Forecast:
    """Forecast one fixture live, by the champion that this process has loaded; nothing is kept.

    Raises
    ------
    NoForecastError
        When the match is unknown, has kicked off, or its world has no champion yet.
    """
    match = Match.objects.select_related("season__competition").filter(pk=match_id).first()
    if match is None:
        raise NoForecastError("There is no such match.")
    if match.kickoff_at <= now or match.status != Match.Status.SCHEDULED:
        raise NoForecastError("The match is not a coming fixture, and no forecast of it was published in time.")
    return answered(match, lambda: _frame([match_id]), now=now)


def answered(match: Match, fixture: Callable[[], pd.DataFrame], *, now: datetime) -> Forecast:
    """Answer for one match, stored or not, whose row of `dataset.fixtures` is made when it is needed.

    Raises
    ------
    NoForecastError
        When its world has no champion yet.
    """
    world = match.season.competition.world
    served = serving.latest(world, now=now)
    if served is None and selectors.champion(world) is None:
        raise NoForecastError("No model is champion yet: the first one is being trained, or did not pass its gates.")
    if served is None:
        return _base_rates(match, now=now)
    answer = serving.answer(served, fixture(), now=now)
    metrics.PREDICTIONS.labels(served.world, "live").inc()
    (row,) = _rows(served, [match], answer, now=now)
    return Forecast(version_number=served.version_number, **row)


def _base_rates(match: Match, *, now: datetime) -> Forecast:
    """Return how the latest matches of the competition ended: the last step of the ladder, without any model."""
    results = Match.objects.filter(
        competition=match.season.competition_id, status=Match.Status.FINISHED, known_at__lt=now
    ).order_by("-kickoff_at")[:BASE_MATCHES]
    goals = np.array(results.values_list("home_goals", "away_goals"), dtype=np.float64).reshape(-1, 2)
    if not len(goals):
        raise NoForecastError("No model can be loaded, and no match of this competition has ended yet.")
    margin = np.sign(goals[:, 0] - goals[:, 1])
    # One match of each kind is added: no outcome is impossible because it did not happen lately.
    home, draw, away = ((int((margin == sign).sum()) + 1) / (len(goals) + 3) for sign in (1, 0, -1))
    home_goals, away_goals = goals.mean(axis=0)
    metrics.PREDICTIONS.labels(match.season.competition.world, "live").inc()
    return Forecast(
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
        degraded=BASE_RATES,
    )


def predict_due(*, now: datetime) -> PredictReport:
    """Publish a forecast for every fixture within 15 days whose features changed since the champion's latest."""
    with try_lock(Lock.PREDICT) as ours:
        if not ours:
            return PredictReport({}, {}, busy=True)
        published, looked_at = {}, {}
        for world in World:
            try:
                served = serving.current(world, now=now, may_rebuild=True)
                # Only the champion publishes: a forecast by an earlier version would be graded as the champion's.
                if served is None or served.degraded:
                    continue
                looked_at[str(world)], published[str(world)] = _predict_world(served, now=now)
            except (DatabaseError, ValueError) as error:
                # One world's trouble is not the other's.
                metrics.ERRORS.labels("predict").inc()
                logger.exception("forecasts of the %s world: %s", world, error)
        return PredictReport(published, looked_at)


def _predict_world(served: serving.Served, *, now: datetime) -> tuple[int, int]:
    """Return how many fixtures were looked at and how many forecasts were published."""
    matches = {
        match.pk: match
        for match in Match.objects.filter(
            world=served.world,
            status=Match.Status.SCHEDULED,
            kickoff_at__gt=now + MARGIN,
            kickoff_at__lte=now + WINDOW,
        ).order_by("kickoff_at", "id")
    }
    latest = {
        row.match_id: row
        for row in selectors.newest_predictions(matches, version_id=served.version_id).only(
            "match_id", "features_sha256", "published_at", "data_snapshot", "p_home", "p_draw", "p_away"
        )
    }
    # After a rollback the newest forecast is by the version that was taken back: the champion's takes its place.
    newest = selectors.newest_predictions(matches).values_list("match_id", "version_id")
    taken_back = {match_id for match_id, version_id in newest if version_id != served.version_id}
    asked = [
        match_id
        for match_id in matches
        if match_id not in latest
        or (
            (latest[match_id].published_at <= now - AT_MOST_EVERY or match_id in taken_back)
            and latest[match_id].data_snapshot != served.data_snapshot
        )
    ]
    if not asked:
        return len(matches), 0
    answer = serving.answer(served, _frame(asked), now=now)
    rows = _rows(served, [matches[match_id] for match_id in asked], answer, now=now)
    due = [
        Prediction(
            **{name: value for name, value in row.items() if name != "degraded"},
            version_id=served.version_id,
            published_at=now,
            kickoff_at=matches[row["match_id"]].kickoff_at,
            features_sha256=sha256,
        )
        for row, sha256 in zip(rows, answer.features_sha256, strict=True)
        if row["match_id"] in taken_back or _is_due(latest.get(row["match_id"]), row, sha256)
    ]
    published = sum(_publish(served, due[start : start + CHUNK], now=now) for start in range(0, len(due), CHUNK))
    metrics.PREDICTIONS.labels(served.world, "published").inc(published)
    return len(matches), published


def _publish(served: serving.Served, due: list[Prediction], *, now: datetime) -> int:
    """Write forecasts whose matches have not kicked off by the database's clock; return how many."""
    for _ in range(TRIES):
        open_still = set(
            Match.objects.filter(pk__in=[row.match_id for row in due], kickoff_at__gt=Now() + MARGIN).values_list(
                "id", flat=True
            )
        )
        due = [row for row in due if row.match_id in open_still]
        try:
            with transaction.atomic():
                Prediction.objects.bulk_create(due, ignore_conflicts=True)
                events.publish_many(
                    topic="prediction.published",
                    events=[(str(row.match_id), {"version": served.version_number}) for row in due],
                    now=now,
                )
        except IntegrityError as error:
            # Writing waited for an ingest under way, and a match kicked off meanwhile.
            logger.info("forecasts refused, looking again at what is open: %s", error)
        else:
            return len(due)
    return 0


def _frame(match_ids: list[int]) -> pd.DataFrame:
    # The bridge to frames brings pandas along, which a web process loads in its warm-up and not at its start.
    from apps.ml import dataset

    return dataset.fixtures(match_ids)


def _is_due(latest: Prediction | None, row: dict, features_sha256: str) -> bool:
    """Whether a forecast says something that the latest one of its fixture does not."""
    if latest is None:
        return True
    if latest.features_sha256 == features_sha256:
        return False
    moved = (abs(row[name] - getattr(latest, name)) for name in ("p_home", "p_draw", "p_away"))
    return max(moved) >= MATERIAL


def _rows(served: serving.Served, matches: list[Match], answer: serving.Answer, *, now: datetime) -> list[dict]:
    """Return the fields that a published and a live forecast share, one row a match."""
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
            "degraded": served.degraded,
        }
        for i, match in enumerate(matches)
    ]


def settle_due(*, now: datetime, limit: int = 2000) -> SettleReport:
    """Grade the latest forecast of every finished match against the newest revision of its result."""
    with try_lock(Lock.SETTLE) as ours:
        if not ours:
            return SettleReport(0, busy=True)
        in_time = Prediction.objects.filter(match_id=OuterRef("id"), published_at__lt=OuterRef("kickoff_at"))
        changed = Match.objects.filter(ingest_id__gt=_graded_until(now))
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
            events.publish_many(
                topic="score.settled", events=[(str(row.match_id), {"rps": row.rps}) for row in scores], now=now
            )
        for row in scores:
            metrics.SETTLED.labels(row.world).inc()
        return SettleReport(len(scores))


def _graded_until(now: datetime) -> int:
    """Return the number of the ingest up to which all results were graded; 0 where all are looked at.

    Only an ingest brings or changes a result. Those of the latest day are looked at each time; all of them before the
    first grade and in the first minute of each hour, which finds what a broken round may have left.
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
    of_market = _market_scores(ids, outcomes)
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


def _market_scores(ids: list[int], outcomes: np.ndarray) -> dict[int, tuple[float, float]]:
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
