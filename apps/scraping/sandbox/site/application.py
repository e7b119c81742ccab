"""The WSGI application: routes, faults, the log, and a lock around the world."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from apps.matches.records import MatchRecord, MatchStatus
from apps.scraping.sandbox.clubs import CLUBS
from apps.scraping.sandbox.site import pages, tables
from apps.scraping.sandbox.site.addresses import (
    FIRST_SEASON_ID,
    FIRST_STAGE_ID,
    LEAGUES,
    SandboxLeague,
    season_and_league,
    season_code,
)
from apps.scraping.sandbox.site.answers import CSV, JSON, TEXT, SiteAnswer, json_answer, prepare
from apps.scraping.sandbox.site.breakage import spoil
from apps.scraping.sandbox.site.control import CONTROL_PATHS, control
from apps.scraping.sandbox.site.faults import Faults, Mode
from apps.scraping.sandbox.site.feed import FeedWriter
from apps.scraping.sandbox.site.log import LoggedRequest, RequestLog
from apps.scraping.sandbox.site.stages import MatchView, SandboxStage
from apps.scraping.sandbox.timetable import MATCHES_PER_LEAGUE, MATCHES_PER_SEASON, SimulatedSeason
from apps.scraping.sandbox.world import FIRST_SOURCE_ID, SimulatedWorld

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

FEEDS_KEPT: Final = 64
"""Stages whose entries are cached; each takes about half a megabyte."""
MOST_CACHED: Final = 64
LONGEST_TARGET: Final = 2_000

ROBOTS: Final = b"User-agent: *\nAllow: /\n"


@dataclass(frozen=True, slots=True)
class _CachedAnswer:
    """A response that is valid from one moment to another."""

    answer: SiteAnswer
    since: datetime
    until: datetime


class NotFoundError(LookupError):
    """There is no page at this address; the text says why."""


class BadRequestError(ValueError):
    """The address has an invalid parameter; the text says which."""


class SandboxSite:
    """The simulated world as a web site; may be served by several threads.

    The site uses `world` in one thread at a time: it must not be used elsewhere. `clock` gives the moment at which the
    world is shown.
    """

    def __init__(self, world: SimulatedWorld, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.faults = Faults()
        self.log = RequestLog()
        self._world = world
        self._clock = clock
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._feeds: OrderedDict[int, FeedWriter] = OrderedDict()
        self._cache: OrderedDict[str, _CachedAnswer] = OrderedDict()
        self._players = {player.id: player for squad in world.squads for player in squad}
        self._clubs = {player.id: club for club, squad in zip(CLUBS, world.squads, strict=True) for player in squad}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to one request."""
        path, query = _path_of(environ), environ.get("QUERY_STRING", "")
        method = environ["REQUEST_METHOD"]
        if path in CONTROL_PATHS:
            return _send(control(path, query, environ, self.faults, self.log), environ, start_response)
        if path == "/livez":
            return _send(json_answer({"status": "alive"}), environ, start_response)
        target = f"{path}?{query}" if query else path
        entry = self.log.begin(method, target, environ.get("HTTP_USER_AGENT", ""))
        try:
            answer = self._answer(method, path, query, target)
            entry.status = answer.status.value
            return _Logged(_send(answer, environ, start_response), self.log, entry)
        except BaseException:
            self.log.end(entry)
            raise

    def close(self) -> None:
        """End all waiting requests."""
        self._closing.set()

    def page(self, path: str, query: str = "") -> SiteAnswer:
        """Return the correct response for a path, whatever its faults."""
        try:
            if len(path) + len(query) > LONGEST_TARGET:
                raise BadRequestError("the address is too long")
            for pattern, make in ROUTES:
                found = pattern.fullmatch(path.lower())
                if found is not None:
                    with self._lock:
                        return make(self, self._clock().astimezone(UTC), query, *found.groups())
            raise NotFoundError("no page has this address")
        except BadRequestError as error:
            return pages.error_answer(HTTPStatus.BAD_REQUEST, str(error))
        except LookupError as error:
            return pages.error_answer(HTTPStatus.NOT_FOUND, str(error))

    # ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _home(self, now: datetime, query: str) -> SiteAnswer:
        past = [season for season in self._seasons(now) if not season.is_dense]
        return SiteAnswer(pages.home_page(self._world.season_at(now), past))

    def _tournament(self, now: datetime, query: str, region: str, tournament: str) -> SiteAnswer:
        league = _league(region, tournament)
        seasons = self._seasons(now)
        return SiteAnswer(pages.season_page(league, seasons[0], seasons))

    def _season(self, now: datetime, query: str, region: str, tournament: str, season: str) -> SiteAnswer:
        league = _league(region, tournament)
        number = _number(int(season), FIRST_SEASON_ID, league)
        return SiteAnswer(pages.season_page(league, self._announced(number, now), self._seasons(now)))

    def _stage(self, now: datetime, query: str, region: str, tournament: str, season: str, stage: str) -> SiteAnswer:
        league = _league(region, tournament)
        number = _number(int(stage), FIRST_STAGE_ID, league)
        if number != _number(int(season), FIRST_SEASON_ID, league):
            raise NotFoundError(f"stage {stage} belongs to another season than {season}")
        shown = self._feed(number, league, now).stage
        order = shown.order(now)
        begun = sum(kickoff_at <= now for kickoff_at, _ in order)
        first = min(max(0, begun - pages.SHOWN // 2), len(order) - pages.SHOWN)
        around = [shown.view(match, now) for _, match in order[first : first + pages.SHOWN]]
        return SiteAnswer(pages.stage_page(shown, shown.days(now), around))

    def _month(self, now: datetime, query: str, stage: str) -> SiteAnswer:
        month = parse_qs(query).get("d", [""])[-1]
        found = re.fullmatch(r"([0-9]{4})([0-9]{2})", month)
        if found is None or not 1 <= int(found[2]) <= 12 or not int(found[1]):
            raise BadRequestError("d must be a year and a month from 01 to 12, such as d=202611")
        number, league = season_and_league(int(stage), FIRST_STAGE_ID)
        feed = self._feed(number, league, now)

        def make() -> _CachedAnswer:
            since, until = feed.stage.window(now)
            body = feed.month(int(found[1]), int(found[2]), now, since)
            return _CachedAnswer(SiteAnswer(body, JSON, modified_at=since), since, until)

        return self._cached(f"feed {stage} {month}", now, make)

    def _live(self, now: datetime, query: str, match: str) -> SiteAnswer:
        feed, view = self._match(match, now)
        return SiteAnswer(pages.centre_page(feed.stage, view, self._players))

    def _preview(self, now: datetime, query: str, match: str) -> SiteAnswer:
        feed, view = self._match(match, now)
        return SiteAnswer(pages.preview_page(feed.stage, view))

    def _player(self, now: datetime, query: str, player_id: str) -> SiteAnswer:
        player = self._players.get(player_id)
        if player is None:
            raise NotFoundError(f"there is no player {player_id}")
        return SiteAnswer(pages.player_page(player, self._clubs[player_id].name))

    # ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _division(self, now: datetime, query: str, code: str, division: str) -> SiteAnswer:
        league = next((league for league in LEAGUES if league.division.lower() == division), None)
        past = (season for season in self._seasons(now) if not season.is_dense)
        season = next((season for season in past if season_code(season) == code), None)
        if league is None or season is None:
            raise NotFoundError(f"there is no file of the division {division.upper()} in the season {code}")

        def make() -> _CachedAnswer:
            stage = self._feed(season.number, league, now).stage
            since, until = stage.window(now)
            records = [stage.record(match, now) for match in stage.matches]
            played = [record for record in records if record.status is MatchStatus.FINISHED]
            body = tables.season_file(sorted(played, key=_by_kickoff))
            return _CachedAnswer(SiteAnswer(body, CSV, modified_at=since), since, until)

        return self._cached(f"file {code} {division}", now, make)

    def _fixtures(self, now: datetime, query: str) -> SiteAnswer:
        def make() -> _CachedAnswer:
            stages = [self._feed(self._world.season_at(now).number, league, now).stage for league in LEAGUES]
            windows = [stage.window(now) for stage in stages]
            since, until = max(window[0] for window in windows), min(window[1] for window in windows)
            records = [stage.record(match, now) for stage in stages for match in stage.matches]
            coming = [record for record in records if record.status is MatchStatus.SCHEDULED]
            body = tables.fixtures_file(sorted(coming, key=_by_kickoff))
            return _CachedAnswer(SiteAnswer(body, CSV, modified_at=since), since, until)

        return self._cached("fixtures", now, make)

    def _robots(self, now: datetime, query: str) -> SiteAnswer:
        return SiteAnswer(ROBOTS, TEXT)

    # ── Announced data ────────────────────────────────────────────────────────────────────────────────────────────────
    def _seasons(self, now: datetime) -> list[SimulatedSeason]:
        """Return the announced seasons, the newest first; LookupError before the first."""
        return [self._world.season(number) for number in range(self._world.season_at(now).number, -1, -1)]

    def _announced(self, number: int, now: datetime) -> SimulatedSeason:
        """Return a season; LookupError until its fixtures are announced."""
        season = self._world.season(number)
        if now < season.announced_at:
            raise NotFoundError("this season is not known yet")
        return season

    def _feed(self, number: int, league: SandboxLeague, now: datetime) -> FeedWriter:
        stage_id = league.stage_id(self._announced(number, now))
        feed = self._feeds.get(stage_id)
        if feed is None:
            feed = self._feeds[stage_id] = FeedWriter(SandboxStage(self._world.season_records(number), league))
            while len(self._feeds) > FEEDS_KEPT:
                self._feeds.popitem(last=False)
        self._feeds.move_to_end(stage_id)
        return feed

    def _match(self, match_id: str, now: datetime) -> tuple[FeedWriter, MatchView]:
        number, match = divmod(int(match_id) - FIRST_SOURCE_ID, MATCHES_PER_SEASON)
        if number < 0:
            raise NotFoundError(f"there is no match {match_id}")
        feed = self._feed(number, LEAGUES[match // MATCHES_PER_LEAGUE], now)
        return feed, feed.stage.view(match, now)

    def _cached(self, key: str, now: datetime, make: Callable[[], _CachedAnswer]) -> SiteAnswer:
        """Return the cached response if it is still valid, else make it."""
        cached = self._cache.get(key)
        if cached is None or not cached.since <= now < cached.until:
            cached = self._cache[key] = make()
            while len(self._cache) > MOST_CACHED:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return cached.answer

    # ── Faults ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _answer(self, method: str, path: str, query: str, target: str) -> SiteAnswer:
        fault = self.faults.take(target)
        if fault is not None and fault.delay:
            self._closing.wait(fault.delay)
            if fault.mode is Mode.HANG:
                return pages.error_answer(HTTPStatus.GATEWAY_TIMEOUT, "the sandbox let this request hang")
        if method not in ("GET", "HEAD"):
            return pages.error_answer(HTTPStatus.METHOD_NOT_ALLOWED, "pages are only read", {"Allow": "GET, HEAD"})
        answer = self.page(path, query)
        return answer if fault is None else spoil(fault, answer, target)


Make = Callable[..., SiteAnswer]
NUMBER: Final = "([0-9]{1,9})"
LEAGUE_PATH: Final = f"/regions/{NUMBER}/tournaments/{NUMBER}"
ROUTES: Final[tuple[tuple[re.Pattern[str], Make], ...]] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        ("/", SandboxSite._home),
        (f"{LEAGUE_PATH}(?:/[^/]*)?", SandboxSite._tournament),
        (f"{LEAGUE_PATH}/seasons/{NUMBER}(?:/[^/]*)?", SandboxSite._season),
        (f"{LEAGUE_PATH}/seasons/{NUMBER}/stages/{NUMBER}/fixtures(?:/[^/]*)?", SandboxSite._stage),
        (f"/tournaments/{NUMBER}/data/?", SandboxSite._month),
        (f"/matches/{NUMBER}/live(?:/[^/]*)?", SandboxSite._live),
        (f"/matches/{NUMBER}/preview(?:/[^/]*)?", SandboxSite._preview),
        (f"/players/{NUMBER}/show(?:/[^/]*)?", SandboxSite._player),
        ("/mmz4281/([0-9]{4})/([a-z0-9]{1,4})\\.csv", SandboxSite._division),
        ("/fixtures\\.csv", SandboxSite._fixtures),
        ("/robots\\.txt", SandboxSite._robots),
    )
)
"""Path in lower case → method, which gets the groups as arguments."""


class _Logged:
    """The body of a response that ends its entry in the log.

    The entry ends before the last piece is sent, so that the next request of a client that has read the whole body does
    not count as concurrent; or when the response is given up.
    """

    def __init__(self, body: Iterable[bytes], log: RequestLog, entry: LoggedRequest) -> None:
        self._body, self._log, self._entry = body, log, entry

    def __iter__(self) -> Iterator[bytes]:
        try:
            held = b""
            for piece in self._body:
                if held:
                    yield held
                held = piece
        finally:
            self._log.end(self._entry)
        if held:
            yield held

    def close(self) -> None:
        """End the entry; called by the server in any case."""
        self._log.end(self._entry)


def _send(answer: SiteAnswer, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    sent = prepare(answer, method=environ["REQUEST_METHOD"], headers=environ)
    start_response(sent.status, sent.headers)
    return sent.body


def _path_of(environ: WSGIEnvironment) -> str:
    """Return the path as text; WSGI decodes its bytes as Latin-1."""
    return environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace") or "/"


def _by_kickoff(record: MatchRecord) -> tuple[datetime, str]:
    return record.kickoff_at, record.source_id


def _league(region: str, tournament: str) -> SandboxLeague:
    for league in LEAGUES:
        if (league.region_id, league.tournament_id) == (int(region), int(tournament)):
            return league
    raise NotFoundError(f"region {region} has no tournament {tournament}")


def _number(season_or_stage: int, first_id: int, league: SandboxLeague) -> int:
    """Return the number of the season of an id of this league."""
    number, found = season_and_league(season_or_stage, first_id)
    if found != league:
        raise NotFoundError(f"{season_or_stage} belongs to another tournament than {league.tournament_id}")
    return number
