"""The description of a feature, a row of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Side = Literal["home", "away", "diff", "match"]

SIDES: Final[tuple[Side, ...]] = ("home", "away", "diff")


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the feature matrix."""

    name: str  # of the column, unique over all families
    family: str
    side: Side  # whom it describes; ``diff`` is home minus away, ``match`` belongs to both
    # Matches that count: ``all``, ``venue`` (home matches of the home side, away matches of the away side), ``season``,
    # ``competition``, ``head_to_head`` (meetings of the two clubs), ``region``.
    scope: str
    window: int | None  # number of latest matches; None where the whole past counts
    unit: str  # such as ``goals per match``
    meaning: str  # one sentence for people


def sided(name: str, family: str, scope: str, window: int | None, unit: str, meaning: str) -> list[Feature]:
    """Return the columns of a number that both sides have: home, away and their difference."""
    whose = {"home": "home side", "away": "away side", "diff": "home minus away"}
    return [Feature(f"{name}_{side}", family, side, scope, window, unit, f"{whose[side]}: {meaning}") for side in SIDES]
