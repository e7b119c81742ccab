"""Tournaments, seasons and stages of the site: their addresses, and which seasons to crawl."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import quote, unquote

from apps.matches.records import CompetitionKey
from apps.scraping.sources.base import Window

PATH: Final = re.compile(
    r"/regions/(?P<region>\d{1,12})/tournaments/(?P<tournament>\d{1,12})"
    r"(?:/seasons/(?P<season>\d{1,12}))?(?:/stages/(?P<stage>\d{1,12}))?(?:/(?P<page>fixtures|show)\b)?"
    r"(?:/(?P<slug>[^/?#\s]{1,200}))?",
    re.IGNORECASE,
)
"""A path of the site, in upper or lower case."""

TWO_YEARS: Final = re.compile(r"(\d{4})\s?[/-]\s?(\d{2}|\d{4})")
ONE_YEAR: Final = re.compile(r"\d{4}")


@dataclass(frozen=True, slots=True)
class Tournament:
    """A competition that is followed; `competition` is None if only the feed has its name."""

    region_id: int
    tournament_id: int
    slug: str = ""
    competition: CompetitionKey | None = None

    @property
    def path(self) -> str:
        """Path of its page."""
        return _path(f"/regions/{self.region_id}/tournaments/{self.tournament_id}", self.slug)


@dataclass(frozen=True, slots=True)
class WhoScoredSeason:
    """A season of a tournament, `name` as the site writes it."""

    tournament: Tournament
    season_id: int
    name: str
    slug: str = ""

    @property
    def path(self) -> str:
        """Path of its page."""
        return _path(f"{_bare(self.tournament)}/seasons/{self.season_id}", self.slug)

    @property
    def final_after(self) -> datetime | None:
        """When nothing of it changes any more: half a year after it; None if the name does not contain its years."""
        years = season_years(self.name)
        return datetime(years[1] + 1, 7, 1, tzinfo=UTC) if years else None


@dataclass(frozen=True, slots=True)
class WhoScoredStage:
    """A stage of a season, such as a group phase; most leagues have one."""

    season: WhoScoredSeason
    stage_id: int
    name: str = ""
    slug: str = ""

    @property
    def path(self) -> str:
        """Path of the page with its calendar."""
        season = self.season
        return _path(
            f"{_bare(season.tournament)}/seasons/{season.season_id}/stages/{self.stage_id}/fixtures", self.slug
        )


def season_years(name: str) -> tuple[int, int] | None:
    """Return first and last year of ``"2020/2021"`` or ``"2020"``; None for any other name."""
    if ONE_YEAR.fullmatch(name):
        year = int(name)
        return (year, year) if date.min.year <= year < date.max.year - 1 else None
    found = TWO_YEARS.fullmatch(name)
    if found is None:
        return None
    first = int(found[1])
    last = int(found[2]) if len(found[2]) == 4 else first - first % 100 + int(found[2])
    last += 100 if last < first else 0
    return (first, last) if date.min.year <= first <= last < date.max.year - 1 else None


def season_span(name: str, *, is_cup: bool) -> tuple[date, date] | None:
    """Return the days between which a season of this name is played, None if the name does not contain its years.

    Seasons begin in June at the earliest (qualifiers) and end in August at the latest (2019-20); those of one year end
    in March of the next at the latest (Brazil 2020). A cup of one year may be played half a year before or after it:
    qualifiers for the World Cup 2022 in 2021, EURO 2020 in 2021.
    """
    years = season_years(name)
    if years is None:
        return None
    first, last = years
    if first != last:
        return date(first, 6, 1), date(last, 9, 15)
    if is_cup:
        return date(max(first - 1, 1), 1, 1), date(last + 1, 12, 31)
    return date(first, 1, 1), date(last + 1, 3, 31)


def seasons_to_enter(seasons: list[WhoScoredSeason], window: Window) -> list[WhoScoredSeason]:
    """Return the seasons that can overlap a window, in their order.

    A season whose name does not contain its years is crawled if it is the newest or the one before: a season that ended
    this morning still has results of today.
    """
    newest = sorted((season.season_id for season in seasons if season_years(season.name) is None), reverse=True)[:2]
    top = max((season.season_id for season in seasons), default=0)
    if top not in newest:
        newest = []
    return [season for season in seasons if _can_overlap(season, window, newest)]


def clean_slug(slug: str | None) -> str:
    """Return the last part of a path, which the site ignores, quoted for use in an address."""
    return quote(unquote(slug or ""), safe="-_.~")


def _can_overlap(season: WhoScoredSeason, window: Window, newest: list[int]) -> bool:
    competition = season.tournament.competition
    span = season_span(season.name, is_cup=competition is None or competition.level == 0)
    if span is None:
        return season.season_id in newest
    return span[0] <= window.end and window.start <= span[1]


def _bare(tournament: Tournament) -> str:
    return f"/regions/{tournament.region_id}/tournaments/{tournament.tournament_id}"


def _path(path: str, slug: str) -> str:
    return f"{path}/{slug}" if slug else path
