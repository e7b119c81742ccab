"""Different names of one club, between sources and between years of one source.

``aliases.csv`` next to this module holds region, name and the club's name in the latest football-data file. Names are
unique within a region only. Names of openfootball's leagues were found by their results: two names are one club where
date, score and opponent agree through a season. The others (cups, lower divisions, changed spellings, renamed clubs,
the names on WhoScored) were entered by hand. A club that succeeds a dissolved one is not its alias; a second team never
is. A name that stands for itself is a club that only its name's form tells from another, such as AFC Wimbledon: no two
clubs of the table are ever joined.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

TABLE: Final = Path(__file__).with_name("aliases.csv")


def aliases_for(region: str) -> MappingProxyType[str, str]:
    """Return the alternative names of the clubs of a region, as in `CompetitionKey`, each with the club's main name."""
    return MappingProxyType(_table().get(region, {}))


@cache
def _table() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            table.setdefault(row["region"], {})[row["name"]] = row["club"]
    return table
