"""The record of forecasts, computed after matches were graded, and the back-tests of champions, kept when new.

Beside them the gap to the closing line: that of published forecasts, and that of the champion's newest back-test.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.db import DatabaseError, connection, transaction

from apps.matches.locks import Lock, try_lock
from apps.matches.models import World
from apps.ml import metrics, selectors
from apps.ml.forecasting import closing_gap, record, scoring
from apps.ml.forecasting.arrays import Records
from apps.ml.models import (
    BackTest,
    BackTestForecasts,
    ClosingGap,
    EvaluationArtifacts,
    Promotion,
    RecordSummary,
)
from apps.ml.services import workspaces
from apps.ml.services.forecasts import market_scores

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

REST: Final = 20
"""Shortest time between two computations of a record, in times that the last one took."""

AT_LEAST_EVERY: Final = timedelta(hours=6)
"""Longest time between two: a corrected kick-off makes a forecast void, which no new score tells of."""

CHUNK: Final = 20_000


@dataclass(frozen=True, slots=True)
class RecordReport:
    """Worlds whose record was computed, and world → number of back-tests stored; `busy` when another round ran."""

    computed: list[str]
    back_tested: dict[str, int]
    busy: bool = False


def summarize_due(*, now: datetime) -> RecordReport:
    """Compute the record of each world that has new grades, and store new back-tests of its champion."""
    computed: list[str] = []
    back_tested: dict[str, int] = {}
    with try_lock(Lock.RECORD) as ours:
        if not ours:
            return RecordReport(computed, back_tested, busy=True)
        for world in World:
            try:
                live = _summarize(world, now) if _is_due(world, now) else None
                if live is not None:
                    computed.append(world.value)
                promotion = selectors.champion(world)
                if promotion is not None and _is_new(promotion):
                    back_tested[world.value] = _keep_back_tests(promotion, now)
                if live is not None or world.value in back_tested or selectors.closing_gap(world) is None:
                    _compare_gaps(world, selectors.graded_forecasts(world) if live is None else live, now)
            except (DatabaseError, ValueError) as error:
                # An error in one world must not stop the other.
                metrics.ERRORS.labels("record").inc()
                logger.exception("the record of the %s world: %s", world, error)
    return RecordReport(computed, back_tested)


def _is_due(world: World, now: datetime) -> bool:
    newest, present = selectors.newest_grade(world), selectors.record(world)
    if present is None or newest is None:
        return newest is not None
    rested = now - present.computed_at >= REST * timedelta(seconds=present.seconds)
    has_new = newest != present.content["newest_grade"]
    return (has_new and rested) or now - present.computed_at >= AT_LEAST_EVERY


def _summarize(world: World, now: datetime) -> Records:
    """Store the record of published forecasts; return these."""
    began = time.monotonic()
    # Before the rows are read: grades that come meanwhile are new the next time.
    newest = selectors.newest_grade(world)
    rows = selectors.graded_forecasts(world)
    content = record.summary(rows) if len(rows) else {"n": 0}
    _store(world, content | {"void": selectors.late_forecasts(world), "newest_grade": newest}, now, began)
    return rows


def _store(world: World, content: dict[str, Any], now: datetime, began: float, version_id: int | None = None) -> None:
    RecordSummary.objects.update_or_create(
        world=world,
        is_back_tested=version_id is not None,
        defaults={
            "version_id": version_id,
            "content": content,
            "computed_at": now,
            "seconds": time.monotonic() - began,
        },
    )


def _is_new(promotion: Promotion) -> bool:
    """Return whether back-tests of a champion are still to be stored; one without forecasts has none."""
    present = selectors.record(World(promotion.world), is_back_tested=True)
    if present is None or present.version_id != promotion.version_id:
        return True
    newest = selectors.newest_back_test(promotion.version_id)
    return newest is not None and newest.run_id != present.content.get("run")


@transaction.atomic
def _keep_back_tests(promotion: Promotion, now: datetime) -> int:
    """Store the champion's back-tests in place of those that are stored, with their record.

    They are what it forecast in its training, and for the matches of its newest back-test what that run forecast.
    """
    began, world, version_id = time.monotonic(), World(promotion.world), promotion.version_id
    artifacts = EvaluationArtifacts.objects.filter(version=version_id)
    trained = artifacts.values_list("forecasts", flat=True).first()
    newest = selectors.newest_back_test(version_id)
    present = selectors.record(world, is_back_tested=True)
    for version in {version_id, present.version_id if present is not None else version_id}:
        BackTest.objects.filter(version=version).delete()
    rows = np.empty(0, dtype=record.GRADED)
    if trained is not None or newest is not None:
        _copy(version_id, None if trained is None else bytes(trained), newest)
        rows = _with_others(selectors.graded_back_tests(version_id))
    summary = record.summary(rows) if len(rows) else {"n": 0}
    if newest is not None:
        summary["run"] = newest.run_id
    _store(world, summary, now, began, version_id)
    return len(rows)


def _copy(version_id: int, trained: bytes | None, newest: BackTestForecasts | None) -> None:
    # Loads pandas: only when there is something new.
    from apps.ml.pipeline import comparison

    found: list[tuple[int | None, pd.DataFrame]]
    found = [] if newest is None else [(newest.run_id, comparison.forecasts_in(bytes(newest.forecasts)))]
    if trained is not None:
        rows = comparison.forecasts_in(trained)
        for _, renewed in found:
            rows = rows[~rows["match_id"].isin(renewed["match_id"])]
        found = [(None, rows), *found]
    columns = "match_id, version_id, run_id, as_of, p_home, p_draw, p_away"
    with connection.cursor() as cursor, cursor.copy(f"COPY ml_backtest ({columns}) FROM STDIN") as copy:
        for run_id, rows in found:
            p = comparison.normal(rows[list(comparison.RAW)].to_numpy(dtype=np.float64))
            for match_id, as_of, triple in zip(rows["match_id"], rows["as_of"], p.tolist(), strict=True):
                copy.write_row((match_id, version_id, run_id, as_of, *triple))
    with connection.cursor() as cursor:
        cursor.execute("SELECT spai_analyze('ml_backtest')")


def _compare_gaps(world: World, live: Records, now: datetime) -> None:
    """Store how far published forecasts and the champion's newest back-test are from the closing line."""
    promotion = selectors.champion(world)
    newest = None if promotion is None else selectors.newest_back_test(promotion.version_id)
    if newest is None and not len(live):
        ClosingGap.objects.filter(world=world).delete()
        return
    rows = np.empty(0, dtype=record.GRADED)
    if promotion is not None and newest is not None:
        rows = _with_others(selectors.graded_back_tests(promotion.version_id, run_id=newest.run_id))
    content = closing_gap.comparison(live, rows, closing_gap.GapTest(**workspaces.read_params()["back_test"]))
    if newest is not None and len(rows):
        content["back_test"] |= {"from": int(rows["kickoff"].min()), "to": int(rows["kickoff"].max())}
    ClosingGap.objects.update_or_create(
        world=world,
        defaults={
            "version_id": None if newest is None or promotion is None else promotion.version_id,
            "run_id": None if newest is None else newest.run_id,
            "content": content,
            "computed_at": now,
        },
    )


def _with_others(rows: Records) -> Records:
    """Return back-tests with the scores of the closing prices, and of the league's averages until the day before."""
    y = rows["outcome"].astype(np.int64)
    averages = record.averages_before(rows["competition"], rows["kickoff"], y)
    rows["base_loss"], rows["base_rps"] = scoring.log_loss_each(averages, y), scoring.rps_each(averages, y)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        found = market_scores(part["match"].tolist(), part["outcome"])
        nothing = (np.nan, np.nan)
        scores = np.array([found.get(match_id, nothing) for match_id in part["match"].tolist()])
        part["market_loss"], part["market_rps"] = scores[:, 0], scores[:, 1]
    return rows
