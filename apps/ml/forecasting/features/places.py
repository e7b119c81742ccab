"""Lines in the table of a league, such as the title, European places and relegation.

The numbers are those of the competitions' regulations in most years since 1993, with play-off places on the better (or
worse) side of their line. Changes by one place in single years are ignored. Leagues that are not listed have the most
common numbers of their level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Places(NamedTuple):
    """How many places lie above (or, at the lower end, below) each line."""

    title: int
    first: int  # places of the highest European competition, or of direct promotion
    second: int  # places of any European competition, or of promotion and its play-offs
    play_off: int  # places from the end that are relegated directly or by play-offs
    down: int  # places from the end that are relegated directly


LINES: Final = Places._fields

TOP: Final = Places(1, 3, 5, 3, 2)
LOWER: Final = Places(1, 2, 6, 3, 3)
NONE: Final = Places(0, 0, 0, 0, 0)

PLACES: Final[Mapping[tuple[str, int], Places]] = {
    # Premier League Handbook, sections B and D; EFL Regulations, sections 8 to 11; National League, article 12.
    ("England", 1): Places(1, 4, 6, 3, 3),
    ("England", 2): Places(1, 2, 6, 3, 3),
    ("England", 3): Places(1, 2, 6, 4, 4),
    ("England", 4): Places(1, 3, 7, 2, 2),
    ("England", 5): Places(1, 1, 5, 4, 4),
    # SPFL Rules, section C.
    ("Scotland", 1): Places(1, 2, 4, 2, 1),
    ("Scotland", 2): Places(1, 1, 4, 2, 1),
    ("Scotland", 3): Places(1, 1, 4, 2, 1),
    ("Scotland", 4): Places(1, 1, 4, 1, 1),
    # DFL Spielordnung; Durchführungsbestimmungen on relegation matches.
    ("Germany", 1): Places(1, 4, 6, 3, 2),
    ("Germany", 2): Places(1, 2, 3, 3, 2),
    # RFEF, Normas reguladoras y bases de competición.
    ("Spain", 1): Places(1, 4, 6, 3, 3),
    ("Spain", 2): Places(1, 2, 6, 4, 4),
    # FIGC, Norme Organizzative Interne; Lega B, regolamento play-off e play-out.
    ("Italy", 1): Places(1, 4, 6, 3, 3),
    ("Italy", 2): Places(1, 2, 8, 5, 3),
    # LFP, règlement des compétitions.
    ("France", 1): Places(1, 3, 5, 3, 2),
    ("France", 2): Places(1, 2, 5, 4, 3),
    # KNVB, reglement betaald voetbal.
    ("Netherlands", 1): Places(1, 2, 7, 3, 1),
    # Royal Belgian Football Association, federal regulations.
    ("Belgium", 1): Places(1, 2, 6, 2, 1),
    # Liga Portugal, Regulamento das Competições.
    ("Portugal", 1): Places(1, 2, 5, 3, 2),
    # TFF, Süper Lig statüsü.
    ("Turkey", 1): Places(1, 2, 4, 3, 3),
    # Super League Greece, proclamation.
    ("Greece", 1): Places(1, 2, 5, 3, 2),
}
"""By region and level."""


def places_of(region: str, level: int) -> Places:
    """Return the lines of a league; a cup, which has level 0, has none."""
    if level < 1:
        return NONE
    return PLACES.get((region, level), TOP if level == 1 else LOWER)
