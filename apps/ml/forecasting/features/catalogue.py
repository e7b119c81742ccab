"""The description of a feature, a row of the catalogue."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, Literal

Side = Literal["home", "away", "diff", "match"]

SIDES: Final[tuple[Side, ...]] = ("home", "away", "diff")


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the feature matrix.

    Parameters
    ----------
    name : str
        Name of the column, unique over all families.
    family : str
        Family that computes it.
    side : {"home", "away", "diff", "match"}
        Team that it describes; ``diff`` is home minus away, ``match`` belongs to both.
    scope : str
        Matches that count: ``all``, ``venue`` (home matches of the home side, away matches of the away side),
        ``season``, ``competition``, ``head_to_head`` (meetings of the two clubs), ``region``.
    window : int or None
        Number of latest matches, or None where the whole past counts.
    unit : str
        Unit of the number, such as ``goals per match``.
    meaning : str
        One sentence for people.
    """

    name: str
    family: str
    side: Side
    scope: str
    window: int | None
    unit: str
    meaning: str

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the row as a plain dictionary, for JSON."""
        return asdict(self)
