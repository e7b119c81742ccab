"""Ids, names and paths of the site.

Ids of different kinds do not overlap: regions from 901, tournaments from 911, seasons from 10,000, stages from
100,000, players from 300,000, matches from 1,000,000.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from apps.matches.records import CompetitionKey
from apps.scraping.sandbox.clubs import COMPETITIONS, LEVELS
from apps.scraping.sandbox.timetable import LATEST_SEASON, SimulatedSeason

CLOCK: Final = ZoneInfo("Europe/London")
"""Time zone of kick-offs in the feed and in the files, as on the real sites."""

FIRST_REGION_ID: Final = 901
FIRST_TOURNAMENT_ID: Final = 911
FIRST_SEASON_ID: Final = 10_000
FIRST_STAGE_ID: Final = 100_000

DIVISIONS: Final = ("XA1", "XA2", "XV1", "XV2")
"""Codes of the leagues in the files. ISO 3166 reserves the country codes XA to XZ for users, so that no real division
can have such a code."""

LABEL: Final = re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True, slots=True)
class SandboxLeague:
    """One league of the world with its ids and paths; `number` is its index in `clubs.COMPETITIONS`."""

    number: int

    @property
    def competition(self) -> CompetitionKey:
        """The league's key."""
        return COMPETITIONS[self.number]

    @property
    def region_id(self) -> int:
        """The id of its region."""
        return FIRST_REGION_ID + self.number // LEVELS

    @property
    def tournament_id(self) -> int:
        """The site's id of the league."""
        return FIRST_TOURNAMENT_ID + self.number

    @property
    def division(self) -> str:
        """Its code in the files."""
        return DIVISIONS[self.number]

    @property
    def slug(self) -> str:
        """The cosmetic end of its paths."""
        return slug(f"{self.competition.region} {self.competition.name}")

    @property
    def path(self) -> str:
        """The path of the league."""
        return f"/regions/{self.region_id}/tournaments/{self.tournament_id}/{self.slug}"

    def season_id(self, season: SimulatedSeason) -> int:
        """Return the site's id of one season of this league."""
        return FIRST_SEASON_ID + season.number * len(COMPETITIONS) + self.number

    def stage_id(self, season: SimulatedSeason) -> int:
        """Return the id of the only stage of a season of this league."""
        return FIRST_STAGE_ID + season.number * len(COMPETITIONS) + self.number

    def season_path(self, season: SimulatedSeason) -> str:
        """Return the path of a season, spelled as in the list of seasons."""
        return (
            f"/Regions/{self.region_id}/Tournaments/{self.tournament_id}/Seasons/{self.season_id(season)}"
            f"/{self.slug}-{slug(season_name(season))}"
        )

    def stage_path(self, season: SimulatedSeason) -> str:
        """Return the path of the fixtures of a season's stage."""
        return (
            f"/regions/{self.region_id}/tournaments/{self.tournament_id}/seasons/{self.season_id(season)}"
            f"/stages/{self.stage_id(season)}/fixtures/{self.slug}-{slug(season_name(season))}"
        )


LEAGUES: Final = tuple(SandboxLeague(number) for number in range(len(COMPETITIONS)))


def season_and_league(stage_or_season_id: int, first_id: int) -> tuple[int, SandboxLeague]:
    """Return number of the season and league of an id.

    Raises
    ------
    LookupError
        When there is no such id.
    """
    number, league = divmod(stage_or_season_id - first_id, len(COMPETITIONS))
    if not 0 <= number <= LATEST_SEASON:
        raise LookupError(f"there is no id {stage_or_season_id} here")
    return number, LEAGUES[league]


def season_name(season: SimulatedSeason) -> str:
    """Return a season's name on the site: ``"2018/2019"``, and of a dense season its label."""
    found = LABEL.fullmatch(season.label)
    if found is None:
        return season.label
    first = int(found[1])
    return f"{first}/{first + 1}"


def season_code(season: SimulatedSeason) -> str:
    """Return the code of a past season in the paths of files, such as ``"1819"``."""
    return season.label[2:4] + season.label[5:7]


def match_path(match_id: str, page: str, home: str, away: str) -> str:
    """Return the path of a match's page, such as ``"live"``."""
    return f"/matches/{match_id}/{page}/{slug(f'{home} {away}')}"


def slug(text: str) -> str:
    """Return a text in small letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def on_clock(moment: datetime) -> datetime:
    """Return a moment in the time zone of the site."""
    return moment.astimezone(CLOCK)


def utc_text(moment: datetime) -> str:
    """Return a moment in UTC as ``2026-11-23T08:30:00Z``."""
    return moment.replace(tzinfo=None, microsecond=0).isoformat() + "Z"
