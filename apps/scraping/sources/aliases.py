"""Names of one club in different sources."""

from __future__ import annotations

from typing import Final

ALIASES: Final[dict[str, dict[str, str]]] = {
    "Germany": {"St. Pauli": "St Pauli", "Dusseld": "Fortuna Dusseldorf"},
    "Scotland": {"Raith": "Raith Rvs"},
}


def aliases_for(region: str) -> dict[str, str]:
    """Return the other names of the clubs of a region, each with the name that football-data uses."""
    return ALIASES.get(region, {})
