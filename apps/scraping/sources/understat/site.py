"""Crawler of Understat: one response for each league and season."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from apps.scraping.sources.base import CrawlJob, Page, Reading, Request, ScrapeScope, usable_age
from apps.scraping.sources.competitions import UNDERSTAT_LEAGUES
from apps.scraping.sources.understat.reader import Understat
from apps.scraping.sources.years import season_starts

BASE_URL: Final = "https://understat.com"

LEAGUES: Final = ("EPL", "La_liga", "Bundesliga", "Serie_A", "Ligue_1", "RFPL")

FIRST_SEASON: Final = 2014

HEADERS: Final = (("x-requested-with", "XMLHttpRequest"),)
"""Without it the site answers 404."""

AGE: Final = timedelta(hours=6)
"""xG is used from the next day on, so that a younger response serves in every run."""


class UnderstatSite:
    """The site with its lists of matches; it gives no fixtures with a known kick-off, and no odds.

    Parameters
    ----------
    base_url : str
        Part of the address before ``/getLeagueData/EPL/2020``.
    leagues : sequence of str
        Leagues to follow, from `LEAGUES`; empty for all.

    Raises
    ------
    ValueError
        When a league is unknown.
    """

    def __init__(self, *, base_url: str = BASE_URL, name: str = Understat.name, leagues: Sequence[str] = ()) -> None:
        unknown = [league for league in leagues if league.replace("_", " ").lower() not in UNDERSTAT_LEAGUES]
        if unknown:
            raise ValueError(f"understat: leagues {unknown} are unknown")
        self._base_url = base_url.rstrip("/")
        self._name = name
        self._leagues = tuple(leagues) or LEAGUES
        self._files = Understat()

    @property
    def name(self) -> str:
        """Name of the source of its records."""
        return self._name

    @property
    def markers(self) -> tuple[str, ...]:
        """See `apps.scraping.sources.base.Site`."""
        return ("understat",)

    def start(self, job: CrawlJob) -> list[Request]:
        """Return the lists of the seasons that can overlap the window; none for fixtures and odds."""
        if job.scope in (ScrapeScope.FIXTURES, ScrapeScope.ODDS):
            return []
        return [
            Request(
                f"{self._base_url}/getLeagueData/{league}/{year}",
                "league",
                about=f"{league}/{year}.json",
                final_after=datetime(year + 1, 10, 1, tzinfo=UTC),
                max_age=usable_age(job) or AGE,
                headers=HEADERS,
                may_be_missing=True,
            )
            for league in self._leagues
            for year in season_starts(job.window, first=FIRST_SEASON)
        ]

    def read(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        """Read one list; see `apps.scraping.sources.base.Site`."""
        parsed = self._files.parse_file(str(request.about or page.url), page.content)
        return Reading(parsed.records, refused=parsed.refused, notes=parsed.notes)
