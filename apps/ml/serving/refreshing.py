"""The thread of a web process that keeps its champions current.

It looks for a new promotion when it is notified of a change, and every few seconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.db import DatabaseError, connection

from apps.matches.models import World
from apps.ml.serving import loaded_models, loading
from apps.ml.serving.champions import CHECK_SECONDS, current
from apps.ml.serving.feature_states import SCHEDULE_AHEAD
from apps.ml.serving.forecasts import forecast
from apps.ml.serving.requested_versions import load_requested
from apps.ml.serving.served_models import ServedModel

logger = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 5.0
"""Longest time between two rounds of `refresh_models`: for a change without a notification."""


def refresh_models(*, clock: Callable[[], datetime], rounds: int | None = None) -> None:
    """Load, warm up and replace the champions, in a background thread; see `request_refresh`.

    Existing champions are loaded in the first round, before the process reports that it is ready. Without one,
    libraries and kernels are loaded after that round, so that the first champion serves within seconds. No request
    waits for a library, a kernel or a model.

    Parameters
    ----------
    rounds
        Number of rounds; endless by default.
    """
    warmed: dict[World, int] = {}
    prepare_at = time.monotonic()
    while rounds is None or rounds > 0:
        loaded_models.facts_changed.clear()
        try:
            for world in World:
                _refresh(world, warmed, clock)
            load_requested(now=clock())
        except DatabaseError as error:
            logger.warning("the champions cannot be updated: %s; trying again", error)
            connection.close()
        except Exception:
            # The thread must not end: without it the process would never load another champion.
            logger.exception("the champions cannot be updated; trying again")
        loaded_models.first_round_over.set()
        if time.monotonic() >= prepare_at:
            try:
                # This may wait for another process that compiles. An existing champion has been loaded above, unless
                # that failed.
                loading.prepare()
            except Exception:
                logger.exception(
                    "libraries and kernels cannot be loaded; trying again in %.0f s", loading.RETRY_SECONDS
                )
                prepare_at = time.monotonic() + loading.RETRY_SECONDS
        rounds = None if rounds is None else rounds - 1
        end = time.monotonic() + (REFRESH_SECONDS if rounds is None else 0)
        while (
            time.monotonic() < end
            and not loaded_models.refresh_now.wait(CHECK_SECONDS)
            and not loaded_models.facts_changed.is_set()
        ):
            pass
        loaded_models.refresh_now.clear()


def _refresh(world: World, warmed: dict[World, int], clock: Callable[[], datetime]) -> None:
    """Bring the champion of a world up to date, and warm up a new one; an error is logged, and stops no other world.

    Raises
    ------
    DatabaseError
        Which concerns all worlds.
    """
    try:
        served = current(world, now=clock())
        if served is not None and warmed.get(world) != served.version_id:
            _answer_one(served, now=clock())
            warmed[world] = served.version_id
    except DatabaseError:
        raise
    except ValueError as error:
        logger.warning("the champion of the %s world cannot be updated: %s; trying again", world, error)
    except Exception:
        logger.exception("the champion of the %s world cannot be updated; trying again", world)


def _answer_one(served: ServedModel, *, now: datetime) -> None:
    """Forecast one fixture, if there is any, so that lazily loaded parts of the model are loaded."""
    from apps.ml import dataset

    fixtures = dataset.upcoming(served.world, now=now, until=now + SCHEDULE_AHEAD).head(1)
    if len(fixtures):
        forecast(served, fixtures, now=now)
