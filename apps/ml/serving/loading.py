"""Load a version with its feature state, and the libraries and kernels of a forecast."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import Final

from django.conf import settings

from apps.matches.models import World
from apps.ml.models import ModelVersion
from apps.ml.serving.served_models import ServedModel

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 60.0
"""Time after a failed load before it is tried again."""


@cache
def prepare() -> None:
    """Import the libraries of a forecast and load its kernels, once in a process."""
    import xgboost  # noqa: F401  most champions contain trees

    from apps.ml import dataset  # noqa: F401
    from apps.ml.pipeline import warm_up

    logger.info("kernels loaded in %.1f s", warm_up.run())


def load(world: World, version_id: int, *, degraded: str) -> ServedModel:
    """Load a version with its feature state, and check its bundle."""
    # Heavy libraries are loaded here, after the start of the process and before its first request.
    prepare()
    from apps.ml.pipeline import bundle as bundles

    began = time.perf_counter()
    version = ModelVersion.objects.defer("bundle", "metrics", "gates").get(pk=version_id)
    folder = settings.SPAI_VAR_DIR / "bundles" / version.bundle_sha256
    content = ModelVersion.objects.values_list("bundle", flat=True).get(pk=version_id)
    bundle = bundles.unpack(bytes(content), folder, sha256=version.bundle_sha256)
    if bundle.manifest.world != world:
        raise bundles.BundleError(
            f"the bundle was trained on the {bundle.manifest.world} world, not on the {world} one"
        )
    if version.is_labelled and not bundle.price_state_bytes:
        raise bundles.BundleError(
            "it was registered before bundles held the ratings made of prices; the next run makes one that has them"
        )
    served = ServedModel(
        world=world,
        version_id=version.pk,
        version_number=version.number,
        version=version,
        bundle=bundle,
        state=bundle.state(),
        data_snapshot=bundle.manifest.data_snapshot,
        degraded=degraded,
        price_state=bundle.price_state(),
    )
    if missing := sorted(set(bundle.manifest.names).difference(served.described)):
        raise bundles.BundleError(
            f"this code no longer makes the features {', '.join(missing[:3])}; the next run makes a version for it"
        )
    logger.info("model %s of %s loaded in %.2f s", version.number, world, time.perf_counter() - began)
    return served
