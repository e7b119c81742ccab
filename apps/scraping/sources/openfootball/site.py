"""Crawler of openfootball's repository: one file per competition and season."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from apps.scraping.sources.base import CrawlJob, Page, Reading, Request, ScrapeScope, usable_age
from apps.scraping.sources.competitions import OPENFOOTBALL_CODES
from apps.scraping.sources.openfootball.reader import Openfootball
from apps.scraping.sources.years import season_starts

BASE_URL: Final = "https://raw.githubusercontent.com/openfootball/football.json/master"

FIRST_SEASON: Final = 2010

CALENDAR_YEAR_CODES: Final = frozenset({"br.1", "cn.1", "jp.1"})
"""Codes whose files are in folders of one year, such as ``2020``."""


class OpenfootballSite:
    """The site of openfootball's football.json files.

    No competition has a file for every season, so that any file may be missing.

    Parameters
    ----------
    base_url : str
        Part of the address before ``/2024-25/en.1.json``.
    codes : sequence of str
        Competitions to follow, from `OPENFOOTBALL_CODES`.

    Raises
    ------
    ValueError
        When a code is unknown.
    """

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        name: str = Openfootball.name,
        codes: Sequence[str] = tuple(OPENFOOTBALL_CODES),
    ) -> None:
        unknown = [code for code in codes if code not in OPENFOOTBALL_CODES]
        if unknown:
            raise ValueError(f"openfootball: codes {unknown} are unknown")
        self._base_url = base_url.rstrip("/")
        self._name = name
        self._codes = tuple(codes)
        self._files = Openfootball()

    @property
    def name(self) -> str:
        """Name of the source of its records."""
        return self._name

    @property
    def markers(self) -> tuple[str, ...]:
        """See `apps.scraping.sources.base.Site`."""
        return ("openfootball", "football.json")

    def start(self, job: CrawlJob) -> list[Request]:
        """Return the files of the seasons that can overlap the window; none for odds: openfootball has no odds."""
        if job.scope is ScrapeScope.ODDS:
            return []
        return [
            Request(
                f"{self._base_url}/{folder}/{code}.json",
                "file",
                about=f"{folder}/{code}.json",
                final_after=final_after,
                max_age=usable_age(job),
                may_be_missing=True,
                is_file=True,
            )
            for code in self._codes
            for folder, final_after in _folders(code, job)
        ]

    def read(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        """Read one file; see `apps.scraping.sources.base.Site`."""
        parsed = self._files.parse_file(str(request.about or page.url), page.content)
        return Reading(parsed.records, refused=parsed.refused, notes=parsed.notes, may_be_empty=False)


def _folders(code: str, job: CrawlJob) -> list[tuple[str, datetime]]:
    """Return the folders of the seasons that can overlap the window, and when each of them is final."""
    window = job.window
    if code in CALENDAR_YEAR_CODES:
        # Some seasons ended in the next year because of Covid.
        years = range(max(window.start.year - (window.start.month <= 2), FIRST_SEASON), window.end.year + 1)
        return [(str(year), datetime(year + 1, 7, 1, tzinfo=UTC)) for year in years]
    starts = season_starts(window, first=FIRST_SEASON)
    return [(f"{year}-{(year + 1) % 100:02d}", datetime(year + 1, 10, 1, tzinfo=UTC)) for year in starts]
