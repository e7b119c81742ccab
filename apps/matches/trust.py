"""The order of trust: which result is stored where sources report different results of one match.

Pure Python. A new source gets a place here or is left out: what is not named comes after what is, and before the
sources of `UNDATED`. Decision record 0012 gives the reasons.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

OPERATOR: Final = "operator"
"""Who corrects a result in the admin; also the source of the ingests that such decisions make."""

ORDER: Final = (OPERATOR, "football-data", "whoscored", "openfootball")
"""The most trusted first. Every other source comes after these, and all others are equal: among them, the sandbox's two
ways in (``sandbox``, ``sandbox-files``) included, the first reported result is kept."""

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
    """Whether the days of a source may be wrong by any number, so that they decide nothing."""
    return source in UNDATED


def outranks(source: str, other: str) -> bool:
    """Whether a source is trusted more than another one."""
    return rank(source) < rank(other)


def decision(*, standing: str, other: str) -> DecisionReason:
    """Return why the result of the source `standing` is stored, and not that of `other`."""
    if standing == OPERATOR:
        return DecisionReason.OPERATOR
    return DecisionReason.TRUST if outranks(standing, other) else DecisionReason.FIRST
