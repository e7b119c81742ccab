"""Work of a kind that this release does not know, which a newer one has queued."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Final

logger = logging.getLogger(__name__)

NEXT_STEP: Final = (
    "It stays in the queue for a worker that knows the kind. Upgrade this worker to the release that queued it, or "
    "restart it where the code is that of the newer release already."
)


def says_unknown(work: str, kind: str) -> str:
    """Return that this release does not know the kind of a piece of work, and what to do."""
    return f"{work} is of the kind “{kind}”, which this release does not know. {NEXT_STEP}"


# A cache, so that each process says it once, and not whenever it looks for work.
@lru_cache(maxsize=1024)
def warn_of_unknown(work: str, kind: str) -> None:
    """Log that this process leaves a piece of work in its queue, because it does not know its kind."""
    logger.warning("%s", says_unknown(work, kind))
