"""The order of leagues on pages, and what people call them.

``leagues.csv`` next to this module has a row for each league, the one that most readers look for first: region and name
as stored, and other common names (separated by ``|``). A league without a row follows those with one, by its tier. An
operator may give any competition another position (`Competition.position`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from apps.matches.clubs import LIKENESS, plain
from apps.matches.models import Competition

TABLE: Final = Path(__file__).with_name("leagues.csv")


class KnownLeague(NamedTuple):
    """A row of ``leagues.csv``: its place, 1 for the first, and its other names as `clubs.plain` writes them."""

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
            for place, row in enumerate(csv.DictReader(file), start=1)
        }


Importance = tuple[int, bool, int, str, str]


def default_position(region: str, name: str) -> int:
    """Return the place of a competition in the order of ``leagues.csv``; without a row, the one after all of them."""
    known = known_leagues().get((region, name))
    return known.place if known else len(known_leagues()) + 1


def importance(region: str, name: str, level: int, position: int | None = None) -> Importance:
    """Return a key that sorts competitions by how many readers look for them.

    Parameters
    ----------
    level : int
        Tier; 0 is a cup.
    position : int, optional
        What an operator set. Such a competition comes before the one that has this place by default.
    """
    place = default_position(region, name) if position is None else position
    return (place, position is None, level or 99, region, name)


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
    return sorted(named, key=lambda each: importance(each.region.name, each.name, each.level, each.position))


def _words_of(competition: Competition) -> tuple[str, ...]:
    return _words(competition.region.name, competition.name)


@lru_cache(maxsize=512)
def _words(region: str, name: str) -> tuple[str, ...]:
    known = known_leagues().get((region, name))
    names = (plain(region), plain(name), *(known.other_names if known else ()))
    return tuple(word for name in names for word in (*name.split(), name))
