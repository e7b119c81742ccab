"""A prediction job of half a second, for the workers of `benchmarks.jobs`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from apps.api.services import job_kinds
from benchmarks.jobs import SECONDS

PIECES = 5


def half_second(parameters: dict[str, Any], now: datetime) -> job_kinds.JobWork:
    """Wait for half a second, in pieces, as a job waits that computes in chunks."""

    def chunks() -> Iterator[tuple[int, bytes]]:
        for number in range(1, PIECES + 1):
            time.sleep(SECONDS / PIECES)
            yield number, b"{}\n"

    return job_kinds.JobWork(PIECES, job_kinds.NDJSON, chunks())


job_kinds.KINDS["half_second"] = half_second
