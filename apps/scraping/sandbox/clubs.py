"""Regions, leagues, clubs and referees of the simulated world. All names are invented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apps.matches.records import CompetitionKey

LEAGUE_SIZE: Final = 12
LEVELS: Final = 2
REGION_SIZE: Final = LEAGUE_SIZE * LEVELS

ALDERMARK: Final = "Aldermark"
VALDORIA: Final = "Valdoria"

COMPETITIONS: Final = (
    CompetitionKey(ALDERMARK, "Crown League", level=1, is_simulated=True),
    CompetitionKey(ALDERMARK, "Shield League", level=2, is_simulated=True),
    CompetitionKey(VALDORIA, "Liga Dorada", level=1, is_simulated=True),
    CompetitionKey(VALDORIA, "Liga de Plata", level=2, is_simulated=True),
)
"""The leagues in the order of their numbers: league 2 × region + (level − 1)."""

CLUB_NAMES: Final = (
    # Aldermark
    "Ashcombe Rovers",
    "Brackwater United",
    "Coldharrow",
    "Dunmere Athletic",
    "Eastmarch City",
    "Fennick Vale",
    "Greywick Town",
    "Hallowmoor",
    "Irongate Works",
    "Jessamy Park",
    "Kestrel Bay",
    "Larkwell Albion",
    "Marrowgate Docks",
    "Netherfold",
    "Oxmoor Wanderers",
    "Pellridge",
    "Quarrytown Borough",
    "Ravensholt",
    "Saltmarsh Harbour",
    "Thistledown Rangers",
    "Umberford",
    "Vexley Orient",
    "Whitmarsh County",
    "Yarrowby",
    # Valdoria
    "Atlético Brisane",
    "Bellacosta",
    "Campo Lirio",
    "Deportivo Almaroz",
    "Doravento",
    "Estrella Polvara",
    "Ferravalle 1911",
    "Gransol",
    "Hespera",
    "Isola Verde",
    "Juventud Jaranza",
    "Lagoscuro",
    "Montefalda",
    "Nuova Ombrana",
    "Olivarda",
    "Porto Zafir",
    "Quintarela",
    "Real Esmeria",
    "Rocavento",
    "San Telmaro",
    "Torrescura",
    "Unión Cardeira",
    "Virtus Pardena",
    "Zafarosa",
)

REFEREES: Final = (
    ("A. Brindle", "C. Hathersett", "D. Oakes-Wray", "E. Pell", "G. Marchbank", "J. Tunnard", "M. Sallow", "P. Wexham"),
    ("A. Belgrani", "B. Tordesa", "C. Valmonte", "D. Iruela", "F. Sorbera", "L. Quintavar", "N. Esparro", "R. Almanza"),
)
"""Referees of each region."""


@dataclass(frozen=True, slots=True)
class Club:
    """One club of the world; `number` is its index in `CLUBS`, `id` that of the team in the sources of this world."""

    number: int
    id: str
    name: str
    region: str


CLUBS: Final = tuple(
    Club(number=number, id=str(101 + number), name=name, region=COMPETITIONS[2 * (number // REGION_SIZE)].region)
    for number, name in enumerate(CLUB_NAMES)
)
