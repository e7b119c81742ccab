"""The feature state of a loaded model, brought up to the newest data snapshot.

The state observes the new results. After a correction of the past only a worker rebuilds a state from scratch, which
takes long; a web process keeps its own state until a worker has stored a new one.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from apps.matches.selectors import data_snapshot
from apps.ml import metrics
from apps.ml.models import FeatureSnapshot
from apps.ml.serving.served_models import ServedModel

if TYPE_CHECKING:
    from apps.ml.forecasting.features import FeatureState

logger = logging.getLogger(__name__)

SCHEDULE_BACK: Final = timedelta(days=400)
SCHEDULE_AHEAD: Final = timedelta(days=400)
"""The part of the fixture list that rest, congestion and the progress of a season need."""

KEEP_EVERY: Final = timedelta(minutes=10)
"""Shortest time between two states that a worker stores for a version."""


def up_to_date(served: ServedModel, *, now: datetime, may_rebuild: bool) -> ServedModel:
    """Return the model with its state at the newest data snapshot: stored, updated or (in a worker) rebuilt."""
    # Loads pandas: like the model's libraries, only when it is needed.
    from apps.ml import dataset

    newest = data_snapshot(served.world)
    if newest == served.data_snapshot and not dataset.unobserved(served.world, served.state.observed_until, now):
        return served
    served = _with_stored_state(served, newest, may_delete=may_rebuild)
    until = served.state.observed_until
    behind = until is not None and dataset.changed_behind(
        served.world, snapshot=served.data_snapshot, observed_until=until
    )
    if behind and not may_rebuild:
        return served
    if behind:
        state, prices = _rebuilt(served, now=now)
    else:
        # Update copies, because another thread may be reading the states.
        state, prices = served.state.copy(), served.price_state and served.price_state.copy()
        _observe(served, state, prices, after=until, before=now)
    state.adjust(dataset.adjustments(served.world, before=now))
    state.schedule(dataset.schedule(served.world, start=now - SCHEDULE_BACK, until=now + SCHEDULE_AHEAD))
    moved = replace(served, state=state, price_state=prices, data_snapshot=newest)
    lately = FeatureSnapshot.objects.filter(version_id=served.version_id, created_at__gt=now - KEEP_EVERY)
    if may_rebuild and (behind or not lately.exists()):
        _store(moved, now=now)
    return moved


def _with_stored_state(served: ServedModel, newest: int, *, may_delete: bool) -> ServedModel:
    """Return the model with the newest feature state that a worker stored, or as it is where there is none.

    The state may be that of another version with the same parameters, which is equal: workers store none of a version
    that is only requested by name. Without one, such a version stays as it is after a correction of the past.
    A stored state whose bytes have changed, or that this code cannot read, is refused: the state is then brought up to
    date from what this process has, and a worker deletes the row, so that it stores a sound one.
    """
    from apps.ml.forecasting.features import FeatureState, StateFormatError

    alike = Q(version_id=served.version_id)
    if served.price_state is None:
        alike |= Q(version__world=served.world, version__params_sha256=served.version.params_sha256)
    later = FeatureSnapshot.objects.filter(data_snapshot__gt=served.data_snapshot, data_snapshot__lte=newest)
    stored = later.filter(alike).order_by("-data_snapshot").first()
    if stored is None:
        return served
    content = bytes(stored.state)
    try:
        if hashlib.sha256(content).hexdigest() != stored.state_sha256:
            raise StateFormatError("its bytes do not have the sha256 that was stored with them")
        state = FeatureState.from_bytes(content)
        if (state.params, state.families) != (served.state.params, served.state.families):
            return served
        return replace(served, state=state, data_snapshot=stored.data_snapshot)
    except StateFormatError as error:
        metrics.ERRORS.labels("state").inc()
        logger.error(
            "the feature state of model %s (%s) at data snapshot %s is refused: %s",
            *(served.version_number, served.world, stored.data_snapshot, error),
        )
    if may_delete:
        stored.delete()
    return served


def _observe(
    served: ServedModel, state: FeatureState, prices: FeatureState | None, *, after: datetime | None, before: datetime
) -> None:
    """Let states of a version observe the results of a period, with their line-ups and their prices."""
    from apps.ml import dataset
    from apps.ml.forecasting.prices import with_prices

    results = dataset.results_between(served.world, after=after, before=before)
    state.observe(results, lineups=dataset.lineups_between(served.world, after=after, before=before))
    if prices is not None:
        left = dataset.prices_of(results["match_id"])
        prices.observe(with_prices(results, left, served.bundle.manifest.params["prices"]))


def _rebuilt(served: ServedModel, *, now: datetime) -> tuple[FeatureState, FeatureState | None]:
    """Return the states of a version made again from all results."""
    from apps.ml.forecasting.features import FeatureState

    began = time.perf_counter()
    state, prices = FeatureState.new(served.state.params, served.state.families), None
    if served.price_state is not None:
        prices = FeatureState.new(served.price_state.params, served.price_state.families)
    _observe(served, state, prices, after=None, before=now)
    logger.info("state of %s rebuilt in %.1f s", served.world, time.perf_counter() - began)
    return state, prices


def _store(served: ServedModel, *, now: datetime) -> None:
    """Store the state for the other processes, and delete older states of the version."""
    state = served.state.to_bytes()
    kept, _ = FeatureSnapshot.objects.update_or_create(
        version_id=served.version_id,
        data_snapshot=served.data_snapshot,
        defaults={
            "world": served.world,
            "state": state,
            "state_sha256": hashlib.sha256(state).hexdigest(),
            "created_at": now,
        },
    )
    FeatureSnapshot.objects.filter(version_id=served.version_id).exclude(pk=kept.pk).delete()
