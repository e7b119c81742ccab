"""Crawler of WhoScored: which pages to fetch, from the home page to each match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from apps.matches.records import MatchRecord, MatchStatus
from apps.scraping.sources.base import CrawlJob, FetchMethod, Page, ParseError, Reading, Request, ScrapeScope
from apps.scraping.sources.whoscored.feed import WhoScoredFeed, read_feed
from apps.scraping.sources.whoscored.home import read_home
from apps.scraping.sources.whoscored.match_centre import read_match_centre
from apps.scraping.sources.whoscored.preview import MISSING_PLAYERS, read_preview
from apps.scraping.sources.whoscored.season import FIXTURES_LINK, SEASONS, read_season, read_tournament
from apps.scraping.sources.whoscored.stage import read_calendar
from apps.scraping.sources.whoscored.tournaments import Tournament, WhoScoredSeason, WhoScoredStage, seasons_to_enter

BASE_URL: Final = "https://www.whoscored.com"

SCRIPT: Final = "script"
"""Selector for pages whose data are in a script, which is attached but never visible."""

NO_SLUG: Final = "match"
"""End of a match's address if its tournament has no slug; the site ignores it."""

FEED_IS_FINAL: Final = timedelta(days=7)
"""After the end of its month; until then the site makes corrections."""

DAY: Final = timedelta(days=1)
QUARTER_DAY: Final = timedelta(hours=6)

T = TypeVar("T")


class WhoScored:
    """The site whoscored.com, or one with the same pages.

    Parameters
    ----------
    tournaments : sequence of (int, int)
        Ids of region and tournament of the competitions to follow; empty for all on the home page.
    is_simulated : bool
        Whether its competitions are simulated. They have the names on the home page, and `sortOrder` is the tier.
    navigation_age : timedelta
        A stored home, tournament or season page younger than this is not fetched again.
    calendar_age : timedelta
        Likewise for the page of a stage, whose calendar shows which months have matches.
    preview_age : timedelta
        Likewise for a preview.
    preview_before : timedelta
        Previews are fetched from so long before kick-off.
    match_is_final : timedelta
        So long after kick-off a match centre is final.
    """

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        tournaments: Sequence[tuple[int, int]] = (),
        is_simulated: bool = False,
        name: str = "whoscored",
        navigation_age: timedelta = DAY,
        calendar_age: timedelta = QUARTER_DAY,
        preview_age: timedelta = QUARTER_DAY,
        preview_before: timedelta = 2 * DAY,
        match_is_final: timedelta = QUARTER_DAY,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._tournaments = tuple(tournaments)
        self._is_simulated = is_simulated
        self._name = name
        self._navigation_age = navigation_age
        self._calendar_age = calendar_age
        self._preview_age = preview_age
        self._preview_before = preview_before
        self._match_is_final = match_is_final
        self._readers = {
            "home": self._read_home,
            "tournament": self._read_tournament,
            "season": self._read_season,
            "stage": self._read_stage,
            "feed": self._read_feed,
            "match_centre": self._read_match_centre,
            "preview": self._read_preview,
        }

    @property
    def name(self) -> str:
        """Name of the source of its records."""
        return self._name

    @property
    def markers(self) -> tuple[str, ...]:
        """See `apps.scraping.sources.base.Site`."""
        return ("whoscored", "/regions/", "/tournaments/", "/matches/", "wscalendar")

    def start(self, job: CrawlJob) -> list[Request]:
        """Return the request of the home page."""
        return [self._browse("/", "home", wait_for=SCRIPT, max_age=self._navigation_age)]

    def read(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        """Read one page; see `apps.scraping.sources.base.Site`."""
        reader = self._readers.get(request.kind)
        if reader is None:
            raise ParseError(f"a reader of pages of the kind {request.kind!r}", page.url)
        return reader(request, page, job)

    def _read_home(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        notes: Counter[str] = Counter()
        tournaments = read_home(page, self._tournaments, is_simulated=self._is_simulated, notes=notes)
        follow = [
            replace(
                self._browse(found.path, "tournament", wait_for=SEASONS, about=found, max_age=self._navigation_age),
                begins_chain=True,
            )
            for found in tournaments
        ]
        return Reading(follow=follow, notes=dict(notes))

    def _read_tournament(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        seasons = read_tournament(page, _about(request, Tournament, page))
        follow = [
            self._browse(
                season.path,
                "season",
                wait_for=FIXTURES_LINK,
                about=season,
                final_after=season.final_after,
                max_age=self._navigation_age,
            )
            for season in seasons_to_enter(seasons, job.window)
        ]
        return Reading(follow=follow, notes={} if follow else {"tournaments without a season in the window": 1})

    def _read_season(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        season = _about(request, WhoScoredSeason, page)
        follow = [
            self._browse(
                stage.path,
                "stage",
                wait_for=SCRIPT,
                about=stage,
                final_after=season.final_after,
                max_age=self._calendar_age,
            )
            for stage in read_season(page, season)
        ]
        return Reading(follow=follow)

    def _read_stage(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        stage = _about(request, WhoScoredStage, page)
        months = dict.fromkeys((day.year, day.month) for day in read_calendar(page) if day in job.window)
        return Reading(follow=[self._feed(stage, year, month) for year, month in months])

    def _read_feed(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        tournament = _about(request, WhoScoredStage, page).season.tournament
        feed = read_feed(page, tournament)
        follow = self._follow_matches(feed, tournament.slug or NO_SLUG, job)
        return Reading(
            # Only one page may give goals and cards: otherwise those of the feed and of the match centre would replace
            # each other at each run. For a match without a match centre, `read_match_centre` returns the feed's.
            [replace(record, details=None) for record in feed.records],
            follow,
            feed.refused,
            dict(feed.notes),
            # According to the calendar the month has matches.
            may_be_empty=bool(feed.notes),
        )

    def _read_match_centre(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        return read_match_centre(page, _about(request, MatchRecord, page))

    def _read_preview(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        return read_preview(page, _about(request, MatchRecord, page))

    def _follow_matches(self, feed: WhoScoredFeed, slug: str, job: CrawlJob) -> list[Request]:
        matches = [record for record in feed.records if record.kickoff_at in job.window]
        is_reparse = job.scope is ScrapeScope.REPARSE
        follow: list[Request] = []
        if job.scope in (ScrapeScope.REPARSE, ScrapeScope.RESULTS, ScrapeScope.BACKFILL):
            follow += [
                self._browse(
                    f"/matches/{match.source_id}/live/{slug}",
                    "match_centre",
                    wait_for=SCRIPT,
                    about=match,
                    final_after=match.kickoff_at + self._match_is_final,
                    is_leaf=True,
                    may_be_missing=True,
                )
                for match in matches
                if match.status is MatchStatus.FINISHED
            ]
        if is_reparse or job.scope is ScrapeScope.FIXTURES:
            follow += [
                self._browse(
                    f"/matches/{match.source_id}/preview/{slug}",
                    "preview",
                    wait_for=MISSING_PLAYERS,
                    about=match,
                    max_age=self._preview_age,
                    may_be_missing=True,
                )
                for match in matches
                if match.status is MatchStatus.SCHEDULED
                and (is_reparse or job.now < match.kickoff_at <= job.now + self._preview_before)
                and match.source_id not in feed.without_preview
            ]
        return follow

    def _feed(self, stage: WhoScoredStage, year: int, month: int) -> Request:
        ends_at = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return Request(
            f"{self._base_url}/tournaments/{stage.stage_id}/data/?d={year:04d}{month:02d}&isAggregate=false",
            "feed",
            FetchMethod.IN_PAGE,
            about=stage,
            final_after=ends_at + FEED_IS_FINAL,
        )

    def _browse(
        self,
        path: str,
        kind: str,
        *,
        wait_for: str,
        about: object = None,
        final_after: datetime | None = None,
        max_age: timedelta | None = None,
        is_leaf: bool = False,
        may_be_missing: bool = False,
    ) -> Request:
        return Request(
            self._base_url + path,
            kind,
            FetchMethod.BROWSER,
            wait_for,
            about,
            final_after,
            max_age,
            is_leaf=is_leaf,
            may_be_missing=may_be_missing,
        )


def _about(request: Request, kind: type[T], page: Page) -> T:
    """Return what is known from the pages before; ParseError when nothing is, so that the page cannot be read."""
    if not isinstance(request.about, kind):
        raise ParseError(f"the {kind.__name__} of the pages before", page.url)
    return request.about
