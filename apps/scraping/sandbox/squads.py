"""The footballers of the simulated clubs: 24 for each, with invented names that never change."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from apps.scraping.sandbox.clubs import CLUBS, COMPETITIONS

FIRST_PLAYER_ID: Final = 300_000
IDS_PER_CLUB: Final = 100
"""A player's id is FIRST_PLAYER_ID + IDS_PER_CLUB × number of the club + shirt number."""

POSITIONS: Final = (
    *("GK", "GK", "GK"),
    *("DR", "DC", "DC", "DL", "DR", "DC", "DC", "DL"),
    *("MC", "MC", "MR", "ML", "DMC", "MC", "AMR", "AML"),
    *("FW", "FW", "FW", "AMC", "FW"),
)
"""By shirt number from 1; the first letter is the line of a player (``A`` plays behind the strikers)."""

GIVEN_NAMES: Final = (
    "Alban Bram Corin Dorrin Edric Fenn Garrit Hale Ivo Jarrin Kester Lorne Merrit Nils Orrin Perrin Quill "
    "Roald Selwin Tarrin Ulric Varl Wendel Yorrick",
    "Abelo Bruno Caetan Dario Elio Fabrin Gaspar Hugo Ilario Joaco Lázaro Mauro Nevio Osvan Pascual Quirino "
    "Rafel Silvan Tadeo Ugo Valerio Wiro Xavi Zeno",
)
FAMILY_NAMES: Final = (
    "Ackerby Aldwark Barrowgate Blenkarn Brockhurst Calderbank Cobbold Crowmarsh Dallimore Dunstall Eddowes "
    "Fairclow Garside Gillingwater Hackthorn Haverstock Inskip Jarrold Kellow Kirkstone Langrish Lockyear "
    "Maddern Marlpit Netherway O'Garrow Oldroyd Penhallam Pickersgill Quarmby Ravenhall Roxburn Sallowfield "
    "Skelhorn Standish Thackwray Tolpuddle Underhay Varnish Wakelam Wetherill Winnard Yarwick Zouchley",
    "Albareda Almenar Barranca Belmira Brunete Calvera Carmona-Sil Cordovan D'Astera Duarez Escaló Espinar "
    "Farnesi Ferrán Galdona Garmendal Herradon Ibarrúa Iglesón Juncal Lanzarol Lermavide Madrigal Maravel "
    "Mezquira Montiró Navascal Oliván Ordóñer Palencar Perugal Quesalba Riberal Rondavo Salvatierro Serrapio "
    "Tamarin Torralbo Ubrique Valdosera Vegamar Villaroz Yébenal Zamoril",
)
"""By region, in the order of `clubs.COMPETITIONS`."""

YOUNGEST: Final = 18
OLDEST: Final = 35


@dataclass(frozen=True, slots=True)
class SimulatedPlayer:
    """One footballer; the name is unique within the club, and the age never changes."""

    id: str
    name: str
    shirt_number: int
    position: str
    age: int

    @property
    def line(self) -> str:
        """Line of the player: ``"G"``, ``"D"``, ``"M"`` or ``"F"``."""
        if self.position == "AMC":
            return "F"
        return "M" if self.position[0] == "A" or self.position == "DMC" else self.position[0]


Squad = tuple[SimulatedPlayer, ...]


def draw_squads(seed: int) -> tuple[Squad, ...]:
    """Return the squad of each club, in the order of `clubs.CLUBS`."""
    regions = list(dict.fromkeys(competition.region for competition in COMPETITIONS))
    squads = []
    for club in CLUBS:
        rng = random.Random(f"squad {seed} {club.number}")
        region = regions.index(club.region)
        given = GIVEN_NAMES[region].split()
        families = rng.sample(FAMILY_NAMES[region].split(), len(POSITIONS))
        squads.append(
            tuple(
                SimulatedPlayer(
                    id=str(FIRST_PLAYER_ID + IDS_PER_CLUB * club.number + shirt),
                    name=f"{rng.choice(given)} {family}",
                    shirt_number=shirt,
                    position=position,
                    age=rng.randint(YOUNGEST, OLDEST),
                )
                for shirt, (family, position) in enumerate(zip(families, POSITIONS, strict=True), start=1)
            )
        )
    return tuple(squads)
