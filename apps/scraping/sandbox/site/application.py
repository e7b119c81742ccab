"""The WSGI application: from a path to an answer, with faults, a log, and a lock around the one world."""

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
    League,
    season_and_league,
    season_code,
)
from apps.scraping.sandbox.site.answers import CSV, JSON, TEXT, Answer, json_answer, prepare
from apps.scraping.sandbox.site.breakage import spoil
from apps.scraping.sandbox.site.control import CONTROL_PATHS, control
from apps.scraping.sandbox.site.faults import Faults, Mode
from apps.scraping.sandbox.site.feed import Feed
from apps.scraping.sandbox.site.log import LoggedRequest, RequestLog
from apps.scraping.sandbox.site.stages import MatchView, Stage
from apps.scraping.sandbox.timetable import MATCHES_PER_LEAGUE, MATCHES_PER_SEASON, Season
from apps.scraping.sandbox.world import FIRST_SOURCE_ID, World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

FEEDS_KEPT: Final = 64
"""Stages whose entries stay made; each takes about half a megabyte."""
ANSWERS_KEPT: Final = 64
LONGEST_TARGET: Final = 2_000

ROBOTS: Final = b"User-agent: *\nAllow: /\n"


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer that holds from one moment to another."""

    answer: Answer
    since: datetime
    until: datetime


class NotFoundError(LookupError):
    """No page has this address; the text says what is wrong with it."""


class BadRequestError(ValueError):
    """The address asks for something that cannot be; the text says what."""


class Site:
    """The simulated world as a web site; may be served by several threads.

    Parameters
    ----------
    world : World
        From now on the site's own: it is asked by one thread at a time.
    clock : callable
        Returns the moment, aware, at which the world is looked at.

    Attributes
    ----------
    faults : Faults
        Which paths are broken; programs on this machine switch them at ``/_faults``.
    log : RequestLog
        The latest requests; programs on this machine read them at ``/_log``.
    """

    def __init__(self, world: World, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.faults = Faults()
        self.log = RequestLog()
        self._world = world
        self._clock = clock
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._feeds: OrderedDict[int, Feed] = OrderedDict()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._players = {player.id: player for squad in world.squads for player in squad}
        self._clubs = {player.id: club for club, squad in zip(CLUBS, world.squads, strict=True) for player in squad}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
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
        """Let go of all requests that wait."""
        self._closing.set()

    def page(self, path: str, query: str = "") -> Answer:
        """Return the right answer for a path, whatever is broken."""
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
    def _home(self, now: datetime, query: str) -> Answer:
        past = [season for season in self._seasons(now) if not season.is_dense]
        return Answer(pages.home_page(self._world.season_at(now), past))

    def _tournament(self, now: datetime, query: str, region: str, tournament: str) -> Answer:
        league = _league(region, tournament)
        seasons = self._seasons(now)
        return Answer(pages.season_page(league, seasons[0], seasons))

    def _season(self, now: datetime, query: str, region: str, tournament: str, season: str) -> Answer:
        league = _league(region, tournament)
        number = _number(int(season), FIRST_SEASON_ID, league)
        return Answer(pages.season_page(league, self._told(number, now), self._seasons(now)))

    def _stage(self, now: datetime, query: str, region: str, tournament: str, season: str, stage: str) -> Answer:
        league = _league(region, tournament)
        number = _number(int(stage), FIRST_STAGE_ID, league)
        if number != _number(int(season), FIRST_SEASON_ID, league):
            raise NotFoundError(f"stage {stage} belongs to another season than {season}")
        shown = self._feed(number, league, now).stage
        order = shown.order(now)
        begun = sum(kickoff_at <= now for kickoff_at, _ in order)
        first = min(max(0, begun - pages.SHOWN // 2), len(order) - pages.SHOWN)
        around = [shown.view(match, now) for _, match in order[first : first + pages.SHOWN]]
        return Answer(pages.stage_page(shown, shown.days(now), around))

    def _month(self, now: datetime, query: str, stage: str) -> Answer:
        asked = parse_qs(query).get("d", [""])[-1]
        found = re.fullmatch(r"([0-9]{4})([0-9]{2})", asked)
        if found is None or not 1 <= int(found[2]) <= 12 or not int(found[1]):
            raise BadRequestError("d must be a year and a month from 01 to 12, such as d=202611")
        number, league = season_and_league(int(stage), FIRST_STAGE_ID)
        feed = self._feed(number, league, now)

        def make() -> _Kept:
            since, until = feed.stage.window(now)
            body = feed.month(int(found[1]), int(found[2]), now, since)
            return _Kept(Answer(body, JSON, modified_at=since), since, until)

        return self._keep(f"feed {stage} {asked}", now, make)

    def _live(self, now: datetime, query: str, match: str) -> Answer:
        feed, view = self._match(match, now)
        return Answer(pages.centre_page(feed.stage, view, self._players))

    def _preview(self, now: datetime, query: str, match: str) -> Answer:
        feed, view = self._match(match, now)
        return Answer(pages.preview_page(feed.stage, view))

    def _player(self, now: datetime, query: str, player_id: str) -> Answer:
        player = self._players.get(player_id)
        if player is None:
            raise NotFoundError(f"there is no player {player_id}")
        return Answer(pages.player_page(player, self._clubs[player_id].name))

    # ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _division(self, now: datetime, query: str, code: str, division: str) -> Answer:
        league = next((league for league in LEAGUES if league.division.lower() == division), None)
        past = (season for season in self._seasons(now) if not season.is_dense)
        season = next((season for season in past if season_code(season) == code), None)
        if league is None or season is None:
            raise NotFoundError(f"there is no file of the division {division.upper()} in the season {code}")

        def make() -> _Kept:
            stage = self._feed(season.number, league, now).stage
            since, until = stage.window(now)
            records = [stage.record(match, now) for match in stage.matches]
            played = [record for record in records if record.status is MatchStatus.FINISHED]
            body = tables.season_file(sorted(played, key=_by_kickoff))
            return _Kept(Answer(body, CSV, modified_at=since), since, until)

        return self._keep(f"file {code} {division}", now, make)

    def _fixtures(self, now: datetime, query: str) -> Answer:
        def make() -> _Kept:
            stages = [self._feed(self._world.season_at(now).number, league, now).stage for league in LEAGUES]
            windows = [stage.window(now) for stage in stages]
            since, until = max(window[0] for window in windows), min(window[1] for window in windows)
            records = [stage.record(match, now) for stage in stages for match in stage.matches]
            coming = [record for record in records if record.status is MatchStatus.SCHEDULED]
            body = tables.fixtures_file(sorted(coming, key=_by_kickoff))
            return _Kept(Answer(body, CSV, modified_at=since), since, until)

        return self._keep("fixtures", now, make)

    def _robots(self, now: datetime, query: str) -> Answer:
        return Answer(ROBOTS, TEXT)

    # ── What is known ────────────────────────────────────────────────────────────────────────────────────────────────
    def _seasons(self, now: datetime) -> list[Season]:
        """Return the seasons that are told of, the newest first; LookupError before the first."""
        return [self._world.season(number) for number in range(self._world.season_at(now).number, -1, -1)]

    def _told(self, number: int, now: datetime) -> Season:
        """Return a season; LookupError until its fixtures are out."""
        season = self._world.season(number)
        if now < season.announced_at:
            raise NotFoundError("this season is not known yet")
        return season

    def _feed(self, number: int, league: League, now: datetime) -> Feed:
        stage_id = league.stage_id(self._told(number, now))
        feed = self._feeds.get(stage_id)
        if feed is None:
            feed = self._feeds[stage_id] = Feed(Stage(self._world.sheet(number), league))
            while len(self._feeds) > FEEDS_KEPT:
                self._feeds.popitem(last=False)
        self._feeds.move_to_end(stage_id)
        return feed

    def _match(self, match_id: str, now: datetime) -> tuple[Feed, MatchView]:
        number, match = divmod(int(match_id) - FIRST_SOURCE_ID, MATCHES_PER_SEASON)
        if number < 0:
            raise NotFoundError(f"there is no match {match_id}")
        feed = self._feed(number, LEAGUES[match // MATCHES_PER_LEAGUE], now)
        return feed, feed.stage.view(match, now)

    def _keep(self, key: str, now: datetime, make: Callable[[], _Kept]) -> Answer:
        """Return an answer that was made before and still holds, else make it."""
        kept = self._kept.get(key)
        if kept is None or not kept.since <= now < kept.until:
            kept = self._kept[key] = make()
            while len(self._kept) > ANSWERS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return kept.answer

    # ── Faults ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _answer(self, method: str, path: str, query: str, target: str) -> Answer:
        fault = self.faults.take(target)
        if fault is not None and fault.delay:
            self._closing.wait(fault.delay)
            if fault.mode is Mode.HANG:
                return pages.error_answer(HTTPStatus.GATEWAY_TIMEOUT, "the sandbox let this request hang")
        if method not in ("GET", "HEAD"):
            return pages.error_answer(HTTPStatus.METHOD_NOT_ALLOWED, "pages are only read", {"Allow": "GET, HEAD"})
        answer = self.page(path, query)
        return answer if fault is None else spoil(fault, answer, target)


Make = Callable[..., Answer]
NUMBER: Final = "([0-9]{1,9})"
LEAGUE_PATH: Final = f"/regions/{NUMBER}/tournaments/{NUMBER}"
ROUTES: Final[tuple[tuple[re.Pattern[str], Make], ...]] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        ("/", Site._home),
        (f"{LEAGUE_PATH}(?:/[^/]*)?", Site._tournament),
        (f"{LEAGUE_PATH}/seasons/{NUMBER}(?:/[^/]*)?", Site._season),
        (f"{LEAGUE_PATH}/seasons/{NUMBER}/stages/{NUMBER}/fixtures(?:/[^/]*)?", Site._stage),
        (f"/tournaments/{NUMBER}/data/?", Site._month),
        (f"/matches/{NUMBER}/live(?:/[^/]*)?", Site._live),
        (f"/matches/{NUMBER}/preview(?:/[^/]*)?", Site._preview),
        (f"/players/{NUMBER}/show(?:/[^/]*)?", Site._player),
        ("/mmz4281/([0-9]{4})/([a-z0-9]{1,4})\\.csv", Site._division),
        ("/fixtures\\.csv", Site._fixtures),
        ("/robots\\.txt", Site._robots),
    )
)
"""Paths in small letters → what answers; the groups are handed on."""


class _Logged:
    """The body of an answer.

    The log has its end before the last piece leaves, so that a client that has read it all and asks again at once is
    alone; or when the answer is given up.
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
        """Called by the server at the end, whatever happened."""
        self._log.end(self._entry)


def _send(answer: Answer, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    sent = prepare(answer, method=environ["REQUEST_METHOD"], headers=environ)
    start_response(sent.status, sent.headers)
    return sent.body


def _path_of(environ: WSGIEnvironment) -> str:
    """Return the path as text; WSGI hands its bytes over as Latin-1."""
    return environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace") or "/"


def _by_kickoff(record: MatchRecord) -> tuple[datetime, str]:
    return record.kickoff_at, record.source_id


def _league(region: str, tournament: str) -> League:
    for league in LEAGUES:
        if (league.region_id, league.tournament_id) == (int(region), int(tournament)):
            return league
    raise NotFoundError(f"region {region} has no tournament {tournament}")


def _number(season_or_stage: int, first_id: int, league: League) -> int:
    """Return the number of the season that an id of this league means."""
    number, found = season_and_league(season_or_stage, first_id)
    if found != league:
        raise NotFoundError(f"{season_or_stage} belongs to another tournament than {league.tournament_id}")
    return number
