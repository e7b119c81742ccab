"""What of a club's name tells it from other clubs: its words without legal form, year of foundation and accents.

Pure Python.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

WORDS: Final = Path(__file__).with_name("name_words.csv")
"""Words of clubs' names by what they are."""


class Kind(StrEnum):
    """What a word of `WORDS` is: a legal form, part of the name of a second, youth or women's team, or a small word."""

    LEGAL_FORM = "legal form"
    OTHER_TEAM = "other team"
    SMALL_WORD = "small word"


FOREIGN_LEAGUES: Final = {
    "Andorra": ("Spain",),
    "Canada": ("USA",),
    "England": ("Scotland", "Wales"),
    "Gibraltar": ("Spain",),
    "Guernsey": ("England",),
    "Ireland": ("Northern Ireland",),
    "Isle of Man": ("England",),
    "Jersey": ("England",),
    "Liechtenstein": ("Switzerland",),
    "Monaco": ("France",),
    "New Zealand": ("Australia",),
    "Northern Ireland": ("Ireland",),
    "Puerto Rico": ("USA",),
    "San Marino": ("Italy",),
    "Scotland": ("England",),
    "Wales": ("England",),
}
"""Regions with clubs that play in the leagues of neighbours, each with these neighbours."""

INTERNATIONAL: Final = frozenset(
    {
        *("Africa", "America", "Americas", "Asia", "Central America", "Europe", "International", "North America"),
        *("North & Central America", "Oceania", "South America", "World"),
    }
)
"""Regions of competitions whose teams come from other regions, whatever level they have."""

_LETTERS: Final = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "ı": "i"})
_LIGATURES: Final = str.maketrans({"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "Th"})
_SAINT: Final = dict.fromkeys(("saint", "sankt", "sint"), "st")
_APOSTROPHES: Final = re.compile("['’‘`´]")
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")
_YEAR: Final = re.compile(r"1[89]\d\d|\d\d")
_UMLAUT: Final = re.compile(r"(?<=[aou])e|(?<=a)a")
"""The second letter of a vowel that is also written as one: Koeln and Köln, Aarhus and Århus."""

REFOUNDED: Final = range(1990, 2100)
"""A year in a name that may tell a new club from the one that it succeeds."""

YOUTH: Final = range(15, 26)
"""Numbers that are an age as often as a year."""


class BareName(NamedTuple):
    """What tells a name from others.

    Parameters
    ----------
    words : frozenset of str
        Without legal forms, accents and capitals; their order does not count.
    others : frozenset of str
        Words for a second, youth or women's team, which is another club here.
    years : frozenset of int
        The last two digits of the years in the name.
    """

    words: frozenset[str]
    others: frozenset[str]
    years: frozenset[int]


@lru_cache(maxsize=65_536)
def bare(name: str) -> BareName:
    """Return the words of a name that are neither legal form nor year; all of them where nothing else is left."""
    written = _words(name)
    rest = [word for word in written if not is_no_name(word)]
    if rest and rest[0] == "1" == written[0]:
        del rest[0]
    years = frozenset(int(word) % 100 for word in rest if _is_year(word))
    others = frozenset(word for word in rest if _kinds().get(word) == Kind.OTHER_TEAM)
    words = frozenset(_UMLAUT.sub("", _SAINT.get(word, word)) for word in rest if not _is_year(word)) - others
    return BareName(words, others, years) if words else BareName(frozenset(written), frozenset(), frozenset())


def is_form_alone(name: str) -> bool:
    """Whether a name is nothing but legal forms and years, such as ``AFC`` or ``1910``, which no club is known by."""
    words = _words(name)
    if words[:1] == ["1"] and len(words) > 1:
        del words[0]
    return all(is_no_name(word) or (len(word) == 4 and _is_year(word)) for word in words)


def is_no_name(word: str) -> bool:
    """Whether a word in small letters is a legal form or a small word, which names no club."""
    return _kinds().get(word) in (Kind.LEGAL_FORM, Kind.SMALL_WORD)


def same_but_for_form(one: str, other: str) -> bool:
    """Whether two names differ by legal form, year, punctuation and accents at most."""
    ours, theirs = bare(one), bare(other)
    return letters(one) == letters(other) or (ours[:2] == theirs[:2] and _years_agree(ours, theirs))


@lru_cache(maxsize=65_536)
def letters(name: str) -> str:
    """Return the letters and digits of a name, which two spellings share that differ by punctuation and accents."""
    return "".join(_words(name))


def one_in_other(one: str, other: str) -> bool:
    """Whether each word of the shorter of two names is in the longer, perhaps abbreviated, but one of them in full.

    Such as Racing Ferrol and Ferrol, or Independiente Rivadavia and Ind. Rivadavia.
    """
    shorter, longer = sorted((bare(one), bare(other)), key=lambda name: len(name.words))
    return (
        bool(shorter.words & longer.words)
        and shorter.others == longer.others
        and _years_agree(shorter, longer)
        and all(
            any(_abbreviates(word, full) or _abbreviates(full, word) for full in longer.words) for word in shorter.words
        )
    )


def _years_agree(one: BareName, other: BareName) -> bool:
    return one.years <= other.years or one.years >= other.years


@cache
def _kinds() -> dict[str, Kind]:
    with WORDS.open(encoding="utf-8", newline="") as file:
        return {row["word"]: Kind(row["kind"]) for row in csv.DictReader(file)}


def _words(name: str) -> list[str]:
    text = unicodedata.normalize("NFKD", name.translate(_LETTERS).translate(_LIGATURES)).casefold()
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return _join_initials(word for word in _BETWEEN_WORDS.split(_APOSTROPHES.sub("", text)) if word)


def _join_initials(words: Iterable[str]) -> list[str]:
    """Return words with those of one letter that follow each other as one: D.C. is DC."""
    joined: list[str] = []
    is_open = False
    for word in words:
        is_initial = len(word) == 1 and word.isalpha()
        if is_initial and is_open:
            joined[-1] += word
        else:
            joined.append(word)
        is_open = is_initial
    return joined


def _is_year(word: str) -> bool:
    return bool(_YEAR.fullmatch(word)) and int(word) not in REFOUNDED and int(word) not in YOUTH


def _abbreviates(short: str, full: str) -> bool:
    """Whether a word is another one or, with two letters at least, some of its letters in their order."""
    letters = iter(full)
    return short == full or (
        len(short) > 1 and short[0] == full[0] and all(letter in letters for letter in short) and short.isalpha()
    )
