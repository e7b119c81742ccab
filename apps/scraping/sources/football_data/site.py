"""football-data.co.uk as a site: where its files are, and which of them a job needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from apps.matches.records import CompetitionKey, MatchRecord
from apps.scraping.sources.base import CrawlJob, Page, ParseError, Reading, Request, ScrapeScope, usable_age
from apps.scraping.sources.competitions import DIVISIONS, LEAGUES
from apps.scraping.sources.football_data.reader import MATCH_MISSING, FootballData
from apps.scraping.sources.years import season_starts

BASE_URL: Final = "https://www.football-data.co.uk"

COUNTRIES: Final = (
    "ARG", "AUT", "BRA", "CHN", "DNK", "FIN", "IRL", "JPN", "MEX", "NOR", "POL", "ROU", "RUS", "SWE", "SWZ", "USA",
)  # fmt: skip
"""Codes of the extra files; each has all seasons of a country's league."""

FIRST_SEASONS: Final = {
    "EC": 2005,
    "SC2": 1997,
    "SC3": 1997,
    "SP2": 1996,
    "I2": 1997,
    "F2": 1996,
    "B1": 1995,
} | dict.fromkeys(("SC0", "SC1", "P1", "T1", "G1"), 1994)
"""First season of a division on the site, where it is later than `FIRST_SEASON`."""

FIRST_SEASON: Final = 1993
FIRST_EXTRA_YEAR: Final = 2012

YOUNG: Final = timedelta(days=60)
"""A season's file may be missing or empty until so long after the earliest beginning of the season."""

CORRECTED_WITHIN: Final = timedelta(days=60)
"""Extra files hold ten years and more; a run for results reads only matches that are at most so old."""


class FootballDataSite:
    """The site football-data.co.uk, or one with the same files.

    Parameters
    ----------
    base_url : str
        Part of the address before ``/mmz4281/2425/E0.csv``.
    divisions : mapping of str to CompetitionKey
        The competitions to follow in main files and lists of fixtures, by the code in their column ``Div``.
    countries : sequence of str
        Codes of the extra files to follow.
    """

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        name: str = FootballData.name,
        divisions: Mapping[str, CompetitionKey] = DIVISIONS,
        countries: Sequence[str] = COUNTRIES,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._name = name
        self._divisions = dict(divisions)
        self._countries = tuple(countries)
        # A list of fixtures has all divisions: those that are not followed are no errors.
        self._files = FootballData({**DIVISIONS, **divisions})
        self._followed = {*divisions.values(), *(LEAGUES.values() if countries else ())}

    @property
    def name(self) -> str:
        """Name of the source of its records."""
        return self._name

    @property
    def markers(self) -> tuple[str, ...]:
        """See `apps.scraping.sources.base.Site`."""
        return ("football-data", "footballdata")

    def start(self, job: CrawlJob) -> list[Request]:
        """Return the lists of fixtures, which also have the odds, or the files of seasons that can overlap the window.

        The file of a season is final in October after it; an extra file never is, since its latest season continues.
        """
        if job.scope in (ScrapeScope.FIXTURES, ScrapeScope.ODDS):
            return self._lists(job)
        # Files of results come later, since they correct the lists of fixtures.
        lists = self._lists(job) if job.scope is ScrapeScope.REPARSE else []
        divisions = [
            self._request(
                job,
                f"mmz4281/{start % 100:02d}{(start + 1) % 100:02d}/{division}.csv",
                "division",
                final_after=datetime(start + 1, 10, 1, tzinfo=UTC),
                may_be_missing=division not in DIVISIONS or _is_young(start, job),
            )
            for division in self._divisions
            for start in season_starts(job.window, first=FIRST_SEASONS.get(division, FIRST_SEASON))
        ]
        countries = self._countries if job.window.end.year >= FIRST_EXTRA_YEAR else ()
        return [*lists, *divisions, *(self._request(job, f"new/{country}.csv", "country") for country in countries)]

    def _lists(self, job: CrawlJob) -> list[Request]:
        lists = ["fixtures.csv"] if self._divisions else []
        lists += ["new_league_fixtures.csv"] if self._countries else []
        return [self._request(job, path, "fixtures") for path in lists]

    def read(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        """Read one file; see `apps.scraping.sources.base.Site`."""
        try:
            parsed = self._files.parse_file(str(request.about or page.url), page.content)
        except ParseError as error:
            if request.may_be_missing and error.missing == MATCH_MISSING and not error.detail:
                return Reading(notes={"files of a season that has not begun": 1})
            raise
        records, notes = parsed.records, Counter(parsed.notes)
        if request.kind == "fixtures":
            records = [record for record in records if record.competition in self._followed]
            notes["fixtures of competitions that are not followed"] += len(parsed.records) - len(records)
        elif request.kind == "division":
            # The address names the season. In an imported file the dates decide it, but in the simulated world they
            # cannot: there a season may be played at any time of the year.
            label = _season_of(str(request.about))
            records = [replace(record, season=label) for record in records]
        elif request.kind == "country":
            records = _of_window(records, job)
        return Reading(
            records,
            refused=parsed.refused,
            notes=dict(+notes),
            may_be_empty=request.kind != "division",
            varies=request.kind != "division",
        )

    def _request(
        self, job: CrawlJob, path: str, kind: str, *, final_after: datetime | None = None, may_be_missing: bool = False
    ) -> Request:
        return Request(
            f"{self._base_url}/{path}",
            kind,
            about=path.removeprefix("mmz4281/"),
            final_after=final_after,
            max_age=usable_age(job),
            may_be_missing=may_be_missing,
            is_file=True,
        )


def _season_of(path: str) -> str:
    """Return the season of a path: ``2019-20`` for ``1920/E0.csv``."""
    start = int(path[:2])
    year = start + (1900 if start + 1900 >= FIRST_SEASON else 2000)
    return f"{year}-{(year + 1) % 100:02d}"


def _is_young(start: int, job: CrawlJob) -> bool:
    return job.now < datetime(start, 7, 10, tzinfo=UTC) + YOUNG


def _of_window(records: list[MatchRecord], job: CrawlJob) -> list[MatchRecord]:
    """Return the records of an extra file that lie in the window of a job."""
    start, end = job.window.start, job.window.end
    if job.scope is ScrapeScope.RESULTS:
        start -= CORRECTED_WITHIN
    return [record for record in records if start <= record.kickoff_at.date() <= end]
