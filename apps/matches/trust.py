"""The order of trust: which result is stored where sources report different results of one match.

Pure Python. A source that is not named here comes after those in `ORDER` and before those in `UNDATED`. Decision record
0012 gives the reasons.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

OPERATOR: Final = "operator"
"""The source of results that a person corrects in the admin, and of the ingests of such corrections."""

ORDER: Final = (OPERATOR, "football-data", "whoscored", "openfootball")
"""The most trusted first. All other sources come after these and are equal, also the two sources of the sandbox
(``sandbox``, ``sandbox-files``): of their results the first reported one is stored."""

UNDATED: Final = frozenset({"understat"})
"""Sources that are read for their statistics, whose days may be wrong (decision record 0047): trusted least of all."""

_RANKS: Final = {source: rank for rank, source in enumerate(ORDER)} | dict.fromkeys(UNDATED, len(ORDER) + 1)


class DecisionReason(StrEnum):
    """Why one of two results is stored."""

    TRUST = "trust"
    FIRST = "first"
    OPERATOR = "operator"


def rank(source: str) -> int:
    """Return the place of a source in the order of trust, 0 for the most trusted."""
    return _RANKS.get(source, len(ORDER))


def is_undated(source: str) -> bool:
    """Whether the dates of a source may be wrong, so that they decide nothing."""
    return source in UNDATED


def outranks(source: str, other: str) -> bool:
    """Whether a source is trusted more than another one."""
    return rank(source) < rank(other)


def decision(*, stored: str, other: str) -> DecisionReason:
    """Return why the result of the source `stored` is stored, and not that of `other`."""
    if stored == OPERATOR:
        return DecisionReason.OPERATOR
    return DecisionReason.TRUST if outranks(stored, other) else DecisionReason.FIRST
