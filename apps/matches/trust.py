"""Whose word stands where sources tell different results of one match: the order of trust.

Pure Python. A newcomer who adds a source gives it a place here, or leaves it out: what is not named is trusted least.
Decision record 0012 gives the reasons.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

OPERATOR: Final = "operator"
"""Who corrects a result in the admin; also the source of the ingests that such decisions make."""

ORDER: Final = (OPERATOR, "football-data", "whoscored", "openfootball")
"""The most trusted first. Every other source comes after these, and all others are equal: among them, the sandbox's two
ways in (``sandbox``, ``sandbox-files``) included, whoever tells a result first stands."""

_RANKS: Final = {source: rank for rank, source in enumerate(ORDER)}


class DecisionReason(StrEnum):
    """Why one of two results stands."""

    TRUST = "trust"
    FIRST = "first"
    OPERATOR = "operator"


def rank(source: str) -> int:
    """Return the place of a source in the order of trust, 0 for the most trusted."""
    return _RANKS.get(source, len(ORDER))


def outranks(source: str, other: str) -> bool:
    """Whether a source is trusted more than another one."""
    return rank(source) < rank(other)


def decision(*, standing: str, other: str) -> DecisionReason:
    """Return why the word of the source `standing` stands against that of `other`."""
    if standing == OPERATOR:
        return DecisionReason.OPERATOR
    return DecisionReason.TRUST if outranks(standing, other) else DecisionReason.FIRST
