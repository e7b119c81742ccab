"""The names, codes and colours of clubs, and the comparison of names as people type them.

``clubs.csv`` next to this module has a row for each club: region and name as stored (`Team.name`), the full name, the
name that pages show, other common names (separated by ``|``), a three-letter code and two colours. A club without a row
keeps its name, gets a code made of it, and neutral colours.
"""

from __future__ import annotations

import csv
import unicodedata
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from apps.matches.club_names import is_no_name

TABLE: Final = Path(__file__).with_name("clubs.csv")

LETTER_PAIRS: Final = {"ß": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "&": " and "}
"""What stands for two letters or more."""

_LETTERS: Final = "".join(
    letter for letter in (*map(chr, range(0xC0, 0x180)), *"ȘșȚț") if unicodedata.normalize("NFKD", letter)[0].isascii()
)
_BASES: Final = "".join(unicodedata.normalize("NFKD", letter)[0].lower() for letter in _LETTERS)
_SPACES: Final = '-–—_/,;:()[]"“”'

FOLDED: Final = _LETTERS + "øØłŁđĐıðÐħĦ" + _SPACES
FOLDED_TO: Final = _BASES + "oollddiddhh" + " " * len(_SPACES)
"""Letters and signs, and what each becomes when names are compared."""

DROPPED: Final = "'’‘`´."
"""Signs that are left out when names are compared: D.C. is DC."""

_TABLE: Final = str.maketrans(FOLDED + "|", FOLDED_TO + " ", DROPPED)

LIKENESS: Final = 0.8
"""Least `difflib` ratio of a word and the one that it is taken for."""


class ClubNames(NamedTuple):
    """The names, the code and the colours of a club; empty where they are not known.

    Parameters
    ----------
    full_name, short_name : str
        Such as Manchester United Football Club, and the name that pages show.
    other_names : str
        Separated by ``" | "``.
    code : str
        Three letters; two clubs of different countries may share one.
    first_colour, second_colour : str
        Such as ``#da291c``.
    """

    full_name: str = ""
    short_name: str = ""
    other_names: str = ""
    code: str = ""
    first_colour: str = ""
    second_colour: str = ""


def club_of(region: str, name: str) -> ClubNames:
    """Return what ``clubs.csv`` holds about a club, by its region and stored name, or else another one of its names.

    Other names count without the words that many clubs share, and without numbers: Como 1907, Wrexham AFC.
    """
    return clubs().get((region, name)) or clubs().get((region, _bare(name))) or ClubNames()


@cache
def clubs() -> dict[tuple[str, str], ClubNames]:
    """Return all clubs of ``clubs.csv``, by region and stored name, and by what is left of each of their names."""
    by_name: dict[tuple[str, str], ClubNames] = {}
    by_bare_name: dict[tuple[str, str], ClubNames] = {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            region, name = row.pop("region"), row.pop("name")
            club = ClubNames(**row | {"other_names": row["other_names"].replace("|", " | ")})
            by_name[region, name] = club
            by_bare_name |= {(region, _bare(each)): club for each in (name, club.full_name, club.short_name) if each}
    return by_bare_name | by_name


def _bare(name: str) -> str:
    words = plain(name).split()
    return " ".join(word for word in words if not is_no_name(word) and not word.isdigit()) or " ".join(words)


def plain(text: str) -> str:
    """Return a name as names are compared: in small letters without accents, apostrophes and full stops."""
    for letter, pair in LETTER_PAIRS.items():
        text = text.replace(letter, pair)
    return " ".join(text.translate(_TABLE).lower().split())


def respelled(text: str) -> str:
    """Return a text, as `plain` writes it, with each word that no club has replaced by the one spelled most like it."""
    words = _words()
    return " ".join(
        word if word in words or len(word) < 4 else next(iter(get_close_matches(word, words, 1, LIKENESS)), word)
        for word in text.split()
    )


@cache
def _words() -> frozenset[str]:
    names = (name for club in clubs().values() for name in (club.full_name, club.short_name, club.other_names))
    return frozenset(word for name in (*names, *(key[1] for key in clubs())) for word in plain(name).split())


@lru_cache(maxsize=4096)
def code_of(name: str) -> str:
    """Return three letters made of a name."""
    words = _bare(name).split()
    if len(words) > 2:
        letters = "".join(word[0] for word in words)
    elif len(words) == 2 and len(words[0]) > 2:
        letters = words[0][:2] + words[1][0]
    else:
        letters = "".join(words)
    return letters[:3].upper()
