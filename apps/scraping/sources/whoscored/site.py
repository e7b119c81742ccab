"""WhoScored as a site: from the home page to each match, and what each page leads to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from apps.matches.records import MatchRecord, MatchStatus
from apps.scraping.sources.base import Door, Errand, Page, ParseError, Reading, Request, Scope
from apps.scraping.sources.whoscored.feed import Feed, read_feed
from apps.scraping.sources.whoscored.home import read_home
from apps.scraping.sources.whoscored.match_centre import read_match_centre
from apps.scraping.sources.whoscored.preview import MISSING_PLAYERS, read_preview
from apps.scraping.sources.whoscored.season import FIXTURES_LINK, SEASONS, read_season, read_tournament
from apps.scraping.sources.whoscored.stage import read_calendar
from apps.scraping.sources.whoscored.trail import Season, Stage, Tournament, seasons_to_enter

BASE_URL: Final = "https://www.whoscored.com"

SCRIPT: Final = "script"
"""What pages show whose data stand in a script; attached, never visible."""

NO_SLUG: Final = "match"
"""Ends the address of a match where its tournament has none; the site ignores it."""

FEED_IS_FINAL: Final = timedelta(days=7)
"""After the end of its month; until then corrections are seen."""

DAY: Final = timedelta(days=1)
QUARTER_DAY: Final = timedelta(hours=6)

T = TypeVar("T")


class WhoScored:
    """The site whoscored.com, and every site of its shape.

    Parameters
    ----------
    base_url : str
        Where the site is, such as ``"https://www.whoscored.com"``.
    tournaments : sequence of (int, int)
        Ids of region and tournament of the competitions to follow; empty for all that the home page lists.
    is_simulated : bool
        Whether its competitions are simulated ones. They have the names of the home page, and `sortOrder` is the tier.
    name : str
        The name under which its records are stored.
    navigation_age : timedelta
        A kept home, tournament or season page younger than this serves in place of a new one.
    calendar_age : timedelta
        Likewise for the page of a stage, whose calendar says which months have matches.
    preview_age : timedelta
        Likewise for a preview.
    preview_before : timedelta
        Previews are asked for from so long before kick-off.
    match_is_final : timedelta
        So long after kick-off a match centre does not change any more.
    with_match_centres : bool
        Whether to ask for the match centre of each finished match; without them goals and cards are those of the feed.
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
        with_match_centres: bool = True,
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
        self._with_match_centres = with_match_centres
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
        """The name under which its records are stored."""
        return self._name

    def start(self, errand: Errand) -> list[Request]:
        """Return the request of the home page."""
        return [self._browse("/", "home", wait_for=SCRIPT, max_age=self._navigation_age)]

    def read(self, request: Request, page: Page, errand: Errand) -> Reading:
        """Read one page; see `apps.scraping.sources.base.Site`."""
        reader = self._readers.get(request.kind)
        if reader is None:
            raise ParseError(f"a reader of pages of the kind {request.kind!r}", page.url)
        return reader(request, page, errand)

    def _read_home(self, request: Request, page: Page, errand: Errand) -> Reading:
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

    def _read_tournament(self, request: Request, page: Page, errand: Errand) -> Reading:
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
            for season in seasons_to_enter(seasons, errand.window)
        ]
        return Reading(follow=follow, notes={} if follow else {"tournaments without a season in the window": 1})

    def _read_season(self, request: Request, page: Page, errand: Errand) -> Reading:
        season = _about(request, Season, page)
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

    def _read_stage(self, request: Request, page: Page, errand: Errand) -> Reading:
        stage = _about(request, Stage, page)
        months = dict.fromkeys((day.year, day.month) for day in read_calendar(page) if day in errand.window)
        return Reading(follow=[self._feed(stage, year, month) for year, month in months])

    def _read_feed(self, request: Request, page: Page, errand: Errand) -> Reading:
        tournament = _about(request, Stage, page).season.tournament
        feed = read_feed(page, tournament)
        follow = self._follow_matches(feed, tournament.slug or NO_SLUG, errand)
        return Reading(
            [self._without_sheet(record) for record in feed.records],
            follow,
            feed.refused,
            dict(feed.notes),
            # The calendar said that the month has matches.
            may_be_empty=bool(feed.notes),
        )

    def _read_match_centre(self, request: Request, page: Page, errand: Errand) -> Reading:
        return read_match_centre(page, _about(request, MatchRecord, page))

    def _read_preview(self, request: Request, page: Page, errand: Errand) -> Reading:
        return read_preview(page, _about(request, MatchRecord, page))

    def _without_sheet(self, record: MatchRecord) -> MatchRecord:
        """Return a record as the feed's page gives it.

        Goals and cards are told by one page only, or those of the feed and those of the match centre would replace
        each other for ever. Where match centres are asked for, it is theirs, and a match that is not covered gives the
        feed's there.
        """
        return replace(record, details=None) if self._with_match_centres else record

    def _follow_matches(self, feed: Feed, slug: str, errand: Errand) -> list[Request]:
        matches = [record for record in feed.records if record.kickoff_at in errand.window]
        is_reparse = errand.scope is Scope.REPARSE
        follow: list[Request] = []
        if (is_reparse or errand.scope in (Scope.RESULTS, Scope.BACKFILL)) and self._with_match_centres:
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
        if is_reparse or errand.scope is Scope.FIXTURES:
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
                and (is_reparse or errand.now < match.kickoff_at <= errand.now + self._preview_before)
                and match.source_id not in feed.without_preview
            ]
        return follow

    def _feed(self, stage: Stage, year: int, month: int) -> Request:
        ends_at = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return Request(
            f"{self._base_url}/tournaments/{stage.stage_id}/data/?d={year:04d}{month:02d}&isAggregate=false",
            "feed",
            Door.IN_PAGE,
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
            Door.BROWSER,
            wait_for,
            about,
            final_after,
            max_age,
            is_leaf=is_leaf,
            may_be_missing=may_be_missing,
        )


def _about(request: Request, kind: type[T], page: Page) -> T:
    """Return what the pages before told.

    Raises
    ------
    ParseError
        When they told nothing, so that the page cannot be placed.
    """
    if not isinstance(request.about, kind):
        raise ParseError(f"what the pages before tell of this {kind.__name__}", page.url)
    return request.about
