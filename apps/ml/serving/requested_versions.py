"""Versions that clients ask for by name, beside the champions; few at a time, and dropped when nobody asks for them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from apps.matches.models import World
from apps.matches.replicas import from_primary
from apps.ml import metrics
from apps.ml.models import ModelVersion
from apps.ml.serving import loaded_models
from apps.ml.serving.champions import latest
from apps.ml.serving.feature_states import up_to_date
from apps.ml.serving.loaded_models import is_warm
from apps.ml.serving.loading import RETRY_SECONDS, load
from apps.ml.serving.served_models import NotServedError, ServedModel, StillLoadingError

logger = logging.getLogger(__name__)

REQUESTED_LIMIT: Final = 2
"""Versions besides the champions that a process has loaded at a time, because a client asked for them by name."""

REQUESTED_SECONDS: Final = 600.0
"""Time after which such a version is dropped when nobody has asked for it."""


@from_primary()
def version(wanted: ModelVersion, *, now: datetime) -> ServedModel:
    """Return a version that was requested by name, which `refresh_models` loads where it runs.

    Raises
    ------
    StillLoadingError
        When it is being loaded.
    NotServedError
        When it cannot be loaded.
    """
    champion = latest(World(wanted.world), now=now)
    if champion is not None and champion.version_id == wanted.pk:
        return champion
    if wanted.files_deleted_at is not None:
        raise NotServedError(
            f"The files of version {wanted.number} were deleted on {wanted.files_deleted_at:%Y-%m-%d}, because it "
            "never served. Its metrics are kept."
        )
    loaded_models.requested_at[wanted.pk] = time.monotonic()
    if not is_warm():
        load_requested(now=now)
    found = loaded_models.requested_versions.get(wanted.pk)
    if found is not None:
        return found
    if (refusal := loaded_models.not_served.get(wanted.pk)) is not None:
        # A new error each time: one that is raised again would keep every request that it ended in its traceback.
        raise NotServedError(refusal[0])
    loaded_models.refresh_now.set()
    raise StillLoadingError(f"Version {wanted.number} is being loaded. Ask again in a few seconds.")


def load_requested(*, now: datetime, clock: Callable[[], float] = time.monotonic) -> None:
    """Load the versions that were requested lately, bring their states up to date, and drop the others.

    One that cannot be loaded is tried again after `RETRY_SECONDS`.
    """
    lately = sorted(loaded_models.requested_at.items(), key=lambda item: -item[1])[:REQUESTED_LIMIT]
    wanted = {version_id for version_id, at in lately if at > clock() - REQUESTED_SECONDS}
    for version_id in set(loaded_models.requested_at) - wanted:
        loaded_models.requested_at.pop(version_id, None)
        loaded_models.requested_versions.pop(version_id, None)
        loaded_models.not_served.pop(version_id, None)
    for version_id in wanted:
        _, again_at = loaded_models.not_served.get(version_id, ("", 0.0))
        if clock() < again_at:
            continue
        present = loaded_models.requested_versions.get(version_id)
        try:
            if present is None:
                present = load(
                    World(ModelVersion.objects.only("world").get(pk=version_id).world), version_id, degraded=""
                )
            loaded_models.requested_versions[version_id] = up_to_date(present, now=now, may_rebuild=False)
            loaded_models.not_served.pop(version_id, None)
        except (ValueError, OSError, ModelVersion.DoesNotExist) as error:
            metrics.ERRORS.labels("load").inc()
            logger.error("version %s cannot be served: %s", version_id, error)
            reason = f"This version cannot be served: {error}."
            loaded_models.not_served[version_id] = (reason, clock() + RETRY_SECONDS)
            loaded_models.requested_versions.pop(version_id, None)
