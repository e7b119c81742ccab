"""The order of leagues on pages, and what people call them.

``leagues.csv`` next to this module has a row for each league, the one that most readers look for first: region and name
as stored, and other common names (separated by ``|``). A league without a row follows those with one, by its tier.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from apps.matches.clubs import LIKENESS, plain
from apps.matches.models import Competition

TABLE: Final = Path(__file__).with_name("leagues.csv")


class KnownLeague(NamedTuple):
    """A row of ``leagues.csv``: its place in the order, and the other names of the league as `clubs.plain` has them."""

    place: int
    other_names: tuple[str, ...]


@cache
def known_leagues() -> dict[tuple[str, str], KnownLeague]:
    """Return all rows of ``leagues.csv`` by region and name."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {
            (row["region"], row["name"]): KnownLeague(
                place, tuple(plain(name) for name in row["other_names"].split("|") if name)
            )
            for place, row in enumerate(csv.DictReader(file))
        }


def importance(region: str, name: str, level: int) -> tuple[int, int, str, str]:
    """Return a key that sorts competitions by how many readers look for them; level 0 is a cup."""
    known = known_leagues().get((region, name))
    return (known.place if known else len(known_leagues()), level or 99, region, name)


def named_leagues(text: str, found: Iterable[Competition]) -> list[Competition]:
    """Return those of some competitions that a text names, the most important first; none for an empty text.

    Each word of the text begins a word of the region, of the name or of another name; where none is found, "bundeslga"
    means what is spelled most like it.
    """
    words = plain(text).split()
    texts = {each: _words_of(each) for each in found} if words else {}

    def holds(names: Iterable[str], wanted: Iterable[str]) -> bool:
        return all(any(name.startswith(word) for name in names) for word in wanted)

    named = [each for each, names in texts.items() if holds(names, words)]
    if not named:
        known = {name for names in texts.values() for name in names}
        meant = [next(iter(get_close_matches(word, known, 1, LIKENESS)), word) for word in words]
        named = [each for each, names in texts.items() if holds(names, meant)]
    return sorted(named, key=lambda each: importance(each.region.name, each.name, each.level))


def _words_of(competition: Competition) -> list[str]:
    known = known_leagues().get((competition.region.name, competition.name))
    names = (plain(competition.region.name), plain(competition.name), *(known.other_names if known else ()))
    return [word for name in names for word in (*name.split(), name)]
