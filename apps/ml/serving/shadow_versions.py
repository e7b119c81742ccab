"""Versions that forecast in shadow beside the champion."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime

from apps.matches.models import World
from apps.matches.replicas import from_primary
from apps.ml import metrics
from apps.ml.models import ModelVersion
from apps.ml.serving import loaded_models
from apps.ml.serving.feature_states import up_to_date
from apps.ml.serving.loading import RETRY_SECONDS, load
from apps.ml.serving.served_models import ServedModel

logger = logging.getLogger(__name__)


@from_primary()
def shadows(world: World, version_ids: Sequence[int], *, now: datetime) -> list[ServedModel]:
    """Return up-to-date copies of versions beside the champion, for a worker; those that cannot be loaded are left out.

    Other versions of the world are dropped.
    """
    found = []
    with loaded_models.lock:
        for version_id, present in list(loaded_models.shadows.items()):
            if isinstance(present, ServedModel) and present.world == world and version_id not in version_ids:
                del loaded_models.shadows[version_id]
        for version_id in version_ids:
            known = loaded_models.shadows.get(version_id, 0.0)
            if isinstance(known, float) and time.monotonic() < known:
                continue
            try:
                model = known if isinstance(known, ServedModel) else load(world, version_id, degraded="")
                model = loaded_models.shadows[version_id] = up_to_date(model, now=now, may_rebuild=True)
                found.append(model)
            except (ValueError, OSError, ModelVersion.DoesNotExist) as error:
                loaded_models.shadows[version_id] = time.monotonic() + RETRY_SECONDS
                metrics.ERRORS.labels("load").inc()
                logger.error("version %s of %s cannot forecast in shadow: %s", version_id, world, error)
    return found
