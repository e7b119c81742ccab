"""The champion of each world, loaded and checked while the old one still serves, then replaced in one assignment.

When loading fails, the latest good version stays, and its forecasts are marked as degraded.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from apps.matches.models import World
from apps.matches.replicas import from_primary
from apps.ml import metrics, selectors
from apps.ml.models import ModelVersion
from apps.ml.serving import loaded_models
from apps.ml.serving.feature_states import up_to_date
from apps.ml.serving.loaded_models import is_warm
from apps.ml.serving.loading import RETRY_SECONDS, load
from apps.ml.serving.served_models import ServedModel

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 1.0
"""Shortest time between two looks at the champion and the data snapshot, but for a promotion that was announced."""

LATEST_GOOD: Final = "latest good version"
"""First fallback when the champion cannot be loaded; base rates are the second."""


@from_primary()
def current(
    world: World, *, now: datetime, may_rebuild: bool = False, clock: Callable[[], float] = time.monotonic
) -> ServedModel | None:
    """Return the up-to-date model of a world in this process; None when no champion can be loaded.

    Only workers may rebuild the state after a correction of a known result, which takes up to a minute.
    """
    if not may_rebuild and clock() - loaded_models.checked_at.get(world, -CHECK_SECONDS) < CHECK_SECONDS:
        return loaded_models.champions.get(world)
    with loaded_models.lock:
        loaded_models.checked_at[world] = clock()
        served = _champion_loaded(world, clock)
        is_missing = served.degraded if served else world in loaded_models.refused
        metrics.CHAMPION_NOT_SERVED.labels(world).set(bool(is_missing))
        if served is None:
            return None
        loaded_models.champions[world] = up_to_date(served, now=now, may_rebuild=may_rebuild)
        return loaded_models.champions[world]


def _champion_loaded(world: World, clock: Callable[[], float]) -> ServedModel | None:
    """Return the loaded champion, or the latest good version when it cannot be loaded."""
    promotion = selectors.champion(world)
    if promotion is None:
        return None
    present = loaded_models.champions.get(world)
    if present is not None and present.version_id == promotion.version_id:
        return replace(present, degraded="") if present.degraded else present
    version_id, again_at = loaded_models.refused.get(world, (None, 0.0))
    if version_id == promotion.version_id and clock() < again_at:
        return present
    try:
        return load(world, promotion.version_id, degraded="")
    except (ValueError, OSError, ModelVersion.DoesNotExist) as error:
        loaded_models.refused[world] = (promotion.version_id, clock() + RETRY_SECONDS)
        metrics.ERRORS.labels("load").inc()
        logger.error("champion %s of %s cannot be served: %s", promotion.version.number, world, error)
    if present is not None:
        return replace(present, degraded=LATEST_GOOD)
    return _latest_good(world, but=promotion.version_id)


def _latest_good(world: World, *, but: int) -> ServedModel | None:
    """Return the newest earlier champion that can be loaded."""
    tried = {but}
    for earlier in selectors.promotions(world):
        if earlier.version_id in tried:
            continue
        tried.add(earlier.version_id)
        try:
            return load(world, earlier.version_id, degraded=LATEST_GOOD)
        except (ValueError, OSError) as error:
            metrics.ERRORS.labels("load").inc()
            logger.error("version %s of %s cannot be served either: %s", earlier.version.number, world, error)
    return None


def latest(world: World, *, now: datetime) -> ServedModel | None:
    """Return the model that `refresh_models` has loaded; load it now where that does not run."""
    return loaded_models.champions.get(world) if is_warm() else current(world, now=now)
