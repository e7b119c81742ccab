from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator
from zoneinfo import ZoneInfo

import chompjs
import pytest

from apps.matches.records import MatchRecord, MatchStatus, Moment
from apps.scraping.sandbox.clubs import COMPETITIONS
from apps.scraping.sandbox.site import SandboxSite
from apps.scraping.sandbox.site.script import literal
from apps.scraping.sandbox.world import SimulatedWorld

SEED = 7
ANCHOR = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=61, seconds=30)
MINUTE = timedelta(minutes=1)
JUST = timedelta(microseconds=1)
LONDON = ZoneInfo("Europe/London")
REAL_DATA = os.environ.get("SPAI_REAL_DATA", "")

STAGE_S0001 = [100_032, 100_033, 100_034, 100_035]
FEED = "/tournaments/100032/data/"
NOVEMBER = "d=202611&isAggregate=false"

GENUINE_KEYS = (
    "stageId id status startTime homeTeamId homeTeamName homeYellowCards homeRedCards awayTeamId awayTeamName "
    "awayYellowCards awayRedCards hasIncidentsSummary hasPreview scoreChangedAt elapsed lastScorer isTopMatch "
    "homeTeamCountryCode awayTeamCountryCode commentCount isLineupConfirmed isStreamAvailable matchIsOpta "
    "homeTeamCountryName awayTeamCountryName startTimeUtc homeScore awayScore incidents bets aggregateWinnerField "
    "winnerField period extraResultField homeExtratimeScore awayExtratimeScore homePenaltyScore awayPenaltyScore "
    "startedAtUtc firstHalfEndedAtUtc secondHalfStartedAtUtc"
)


class Clock:
    """The moment at which a test looks at the world."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(site: SandboxSite, target: str, method: str = "GET", **headers: str) -> Reply:
    """Send one request to the application, which the standard library's validator watches."""
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": query,
    }
    environ |= {"REMOTE_ADDR": "127.0.0.1", **{f"HTTP_{name.upper()}": value for name, value in headers.items()}}
    setup_testing_defaults(environ)
    environ["wsgi.input"] = BytesIO()
    told: list[tuple[str, list[tuple[str, str]]]] = []
    body = validator(site)(environ, lambda status, headers, exc_info=None: told.append((status, headers)))
    content = b"".join(body)
    body.close()
    return Reply(int(told[0][0].split()[0]), dict(told[0][1]), content)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def shared(clock: Clock) -> SandboxSite:
    return SandboxSite(SimulatedWorld(SEED, ANCHOR), clock)


@pytest.fixture
def site(shared: SandboxSite, clock: Clock) -> SandboxSite:
    """One site for all tests, at the usual moment and whole."""
    clock.now = NOW
    shared.faults.clear()
    return shared


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    """The same world, to compare with."""
    return SimulatedWorld(SEED, ANCHOR)


def get_json(site: SandboxSite, target: str) -> dict:
    reply = ask(site, target)
    assert reply.status == 200, reply.text
    return json.loads(reply.body)


def entries(site: SandboxSite, stage: int, month: str = "202611") -> list[dict]:
    feed = get_json(site, f"/tournaments/{stage}/data/?d={month}&isAggregate=false")
    return [entry for tournament in feed["tournaments"] for entry in tournament["matches"]]


def variable(page: str, name: str) -> str:
    """The literal that a script assigns to a variable."""
    found = re.search(rf"var {name} = (.*);\n", page)
    assert found, f"no {name}"
    return found[1]


def options(page: str, name: str) -> list[tuple[str, str]]:
    found = re.search(rf'<select id="{name}".*?</select>', page, re.DOTALL)
    assert found, f"no select {name}"
    return re.findall(r'<option value="([^"]*)"[^>]*>([^<]*)</option>', found[0])


def centre(site: SandboxSite, match_id: int) -> dict | None:
    page = ask(site, f"/Matches/{match_id}/Live/of-no-importance").text
    found = re.search(r'require\.config\.params\["args"\] = (\{.*?\n\});', page, re.DOTALL)
    assert found
    assert f"matchId: {match_id}," in found[1]
    data = re.search(r"matchCentreData: (.*),\n  matchCentreEventTypeJson: ", found[1])
    assert data
    return json.loads(data[1])


def stage_pages(site: SandboxSite) -> dict[int, str]:
    """Walk from the home page to all stages, as a reader would."""
    found = {}
    regions = chompjs.parse_js_object(variable(ask(site, "/").text, "allRegions"))
    for region in regions:
        for tournament in region["tournaments"]:
            for season_path, _ in options(ask(site, tournament["url"]).text, "seasons"):
                link = re.search(r'<a href="([^"]+)">Fixtures</a>', ask(site, season_path).text)
                assert link
                stage = re.search(r"/stages/([0-9]+)/fixtures/", link[1])
                assert stage
                found[int(stage[1])] = ask(site, link[1]).text
    return found


# The way through the site


def test_home_names_all_leagues_in_a_literal_that_is_no_json(site: SandboxSite) -> None:
    page = ask(site, "/").text
    text = variable(page, "allRegions")
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    regions = chompjs.parse_js_object(text)
    assert [set(region) for region in regions] == [{"type", "id", "flg", "name", "tournaments"}] * 2
    leagues = [
        (region["name"], tournament["name"], tournament["sortOrder"])
        for region in regions
        for tournament in region["tournaments"]
    ]
    assert leagues == [(c.region, c.name, c.level) for c in COMPETITIONS]
    assert "simulated" in page


def test_every_league_lists_its_seasons_the_newest_first(site: SandboxSite) -> None:
    for path in ("/regions/901/tournaments/911/a", "/regions/902/tournaments/914"):
        listed = options(ask(site, path).text, "seasons")
        assert [name for _, name in listed] == [
            "2026-27 S0001",
            *(f"{year}/{year + 1}" for year in range(2025, 2017, -1)),
        ]
        assert all(re.fullmatch(r"/Regions/\d+/Tournaments/\d+/Seasons/\d+/[a-z0-9-]+", value) for value, _ in listed)


def test_all_stages_are_reached_by_links_alone(site: SandboxSite) -> None:
    found = stage_pages(site)
    assert len(found) == 9 * 4
    for stage, page in found.items():
        assert f"stageId: {stage}," in page
        assert len(options(page, "stages")) == 1


def test_a_season_that_was_just_announced_is_there_and_the_next_is_not(
    site: SandboxSite, clock: Clock, world: SimulatedWorld
) -> None:
    clock.now = world.season(9).announced_at - JUST
    assert len(options(ask(site, "/regions/901/tournaments/911").text, "seasons")) == 9
    assert ask(site, "/tournaments/100036/data/?d=202611").status == 404
    clock.now += JUST
    assert options(ask(site, "/regions/901/tournaments/911").text, "seasons")[0][1] == "2026-27 S0002"
    assert len(entries(site, 100_036)) == 132


def test_months_of_the_calendar_count_from_zero(site: SandboxSite) -> None:
    for stage in (100_000, 100_030, 100_032):
        league = 911 + stage % 4
        path = f"/regions/{901 + stage % 4 // 2}/tournaments/{league}/seasons/{stage - 90_000}/stages/{stage}/fixtures"
        text = variable(ask(site, path).text, "wsCalendar")
        bounds = [tuple(map(int, found)) for found in re.findall(r"\(new Date\((\d+), (\d+), (\d+)\)\)", text)]
        mask = chompjs.parse_js_object(text)["mask"]
        days = {(int(y), int(m) + 1, int(d)) for y, months in mask.items() for m, some in months.items() for d in some}
        months = sorted({(y, m) for y, m, _ in days})
        assert all(0 <= int(month) <= 11 for some in mask.values() for month in some)
        starts = [e["startTime"] for y, m in months for e in entries(site, stage, f"{y}{m:02d}")]
        assert len(starts) == 132
        assert days == {(int(t[:4]), int(t[5:7]), int(t[8:10])) for t in starts}
        first, last = min(days), max(days)
        assert bounds[:2] == [(first[0], first[1] - 1, first[2]), (last[0], last[1] - 1, last[2])]


# The feed


def test_an_entry_has_the_keys_of_the_genuine_feed_and_one_of_our_own(site: SandboxSite) -> None:
    for entry in entries(site, 100_032):
        assert set(entry) == set(GENUINE_KEYS.split()) | ({"finishedAtUtc"} if entry["status"] == 6 else set())


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA, reason="SPAI_REAL_DATA is not set: no genuine feed to compare with")
def test_the_feed_has_the_shape_of_a_genuine_one(site: SandboxSite) -> None:
    genuine = json.loads((Path(REAL_DATA) / "whoscored" / "fixtures_stage18685_202101.json").read_text())
    ours = get_json(site, f"{FEED}?{NOVEMBER}")
    assert set(ours) == set(genuine)
    assert set(ours["tournaments"][0]) == set(genuine["tournaments"][0])
    theirs = {key: type(value) for key, value in genuine["tournaments"][0]["matches"][0].items() if value is not None}
    finished = next(entry for entry in ours["tournaments"][0]["matches"] if entry["incidents"])
    assert set(finished) == set(genuine["tournaments"][0]["matches"][0]) | {"finishedAtUtc"}
    assert all(isinstance(finished[key], (kind, type(None))) for key, kind in theirs.items())
    incident = genuine["tournaments"][0]["matches"][0]["incidents"][0]
    assert set(finished["incidents"][0]) == set(incident)


@pytest.mark.parametrize("minutes", [-20, 0, 5, 61.5, 300, 8 * 60 + 49])
def test_the_feed_reports_what_the_world_tells(
    site: SandboxSite, clock: Clock, world: SimulatedWorld, minutes: float
) -> None:
    clock.now = now = ANCHOR + minutes * MINUTE
    told = {int(r.source_id): r for r in world.records(now, ANCHOR) if r.season == "2026-27 S0001"}
    found = {entry["id"]: entry for stage in STAGE_S0001 for entry in entries(site, stage)}
    assert len(told) == 528
    assert set(found) == set(told)
    for number, entry in found.items():
        agrees(entry, told[number])


def test_past_seasons_report_what_the_world_tells(site: SandboxSite, world: SimulatedWorld) -> None:
    told = [r for r in world.records(NOW) if r.season == "2025-26"]
    found = {
        entry["id"]: entry
        for stage in (100_028, 100_029, 100_030, 100_031)
        for month in range(1, 13)
        for entry in entries(site, stage, f"2026{month:02d}")
    }
    assert len(found) == len(told) == 528
    for record in told:
        agrees(found[int(record.source_id)], record)
        assert record.stats
        cards = (record.stats.home_yellow_cards, record.stats.away_yellow_cards)
        assert (
            found[int(record.source_id)]["homeYellowCards"],
            found[int(record.source_id)]["awayYellowCards"],
        ) == cards


def agrees(entry: dict, record: MatchRecord) -> None:
    kickoff = record.kickoff_at
    assert entry["startTimeUtc"] == f"{kickoff:%Y-%m-%dT%H:%M:%SZ}"
    assert entry["startTime"] == f"{kickoff.astimezone(LONDON):%Y-%m-%dT%H:%M:%S}"
    assert (str(entry["homeTeamId"]), entry["homeTeamName"]) == (record.home_team_id, record.home_team)
    assert (str(entry["awayTeamId"]), entry["awayTeamName"]) == (record.away_team_id, record.away_team)
    expected = {MatchStatus.SCHEDULED: 1, MatchStatus.POSTPONED: 2, MatchStatus.LIVE: 3, MatchStatus.FINISHED: 6}[
        record.status
    ]
    assert entry["status"] == expected
    goals = Counter(incident["field"] for incident in entry["incidents"] if incident["type"] == 1)
    reds = Counter(incident["field"] for incident in entry["incidents"] if incident["type"] == 2)
    assert (entry["homeRedCards"], entry["awayRedCards"]) == (reds[0], reds[1])
    if record.status is MatchStatus.FINISHED:
        assert record.finished_at
        assert record.stats
        assert entry["elapsed"] == "FT"
        assert entry["finishedAtUtc"] == f"{record.finished_at:%Y-%m-%dT%H:%M:%SZ}"
        assert (
            (entry["homeScore"], entry["awayScore"]) == (record.home_goals, record.away_goals) == (goals[0], goals[1])
        )
        halves = Counter(i["field"] for i in entry["incidents"] if i["type"] == 1 and i["period"] == 1)
        assert (halves[0], halves[1]) == (record.home_goals_half_time, record.away_goals_half_time)
        assert (reds[0], reds[1]) == (record.stats.home_red_cards, record.stats.away_red_cards)
        assert entry["winnerField"] == (None if goals[0] == goals[1] else int(goals[0] < goals[1]))
    elif record.status is MatchStatus.LIVE:
        assert re.fullmatch(r"[0-9]{1,2}'", entry["elapsed"])
        assert (entry["homeScore"], entry["awayScore"]) == (goals[0], goals[1])
        assert entry["winnerField"] is None
    else:
        assert entry["homeScore"] is entry["awayScore"] is entry["winnerField"] is None
        assert entry["incidents"] == []
    latest = {quote.moment: quote for quote in record.odds}
    moment = Moment.CLOSING if Moment.CLOSING in latest else Moment.OPENING
    if record.status is MatchStatus.SCHEDULED and record.odds:
        for market, field in (("home", "home"), ("draw", "draw"), ("away", "away"), ("over25", "over_2_5")):
            offers = {o["bettingProvider"]: o["oddsDecimal"] for o in entry["bets"][market]["offers"]}
            assert offers == {q.bookmaker: getattr(q, field) for q in record.odds if q.moment is moment}
        assert ("TRUE" in offers) == (moment is Moment.CLOSING)
    else:
        assert entry["bets"] is None


def test_a_postponed_match_is_called_off_and_comes_back_with_a_new_date(world: SimulatedWorld) -> None:
    sheet = world.season_records(7)
    match = next(m for m in range(528) if sheet.dates[m].called_off_kickoff_at)
    dates, clock = sheet.dates[match], Clock()
    site = SandboxSite(SimulatedWorld(SEED, ANCHOR), clock)

    def seen(now: datetime) -> dict:
        clock.now = now
        found = [e for month in range(4, 12) for e in entries(site, 100_028 + match // 132, f"2026{month:02d}")]
        return next(entry for entry in found if entry["id"] == 1_000_000 + 7 * 528 + match)

    planned = dates.called_off_kickoff_at
    assert planned
    before = seen(planned - timedelta(days=1))
    assert (before["status"], before["startTimeUtc"]) == (1, f"{planned:%Y-%m-%dT%H:%M:%SZ}")
    called_off = seen(planned)
    assert (called_off["status"], called_off["elapsed"], called_off["bets"]) == (2, "Post", None)
    assert called_off["startTimeUtc"] == before["startTimeUtc"]
    again = seen(planned + timedelta(days=7))
    assert (again["status"], again["startTimeUtc"]) == (1, f"{dates.kickoff_at:%Y-%m-%dT%H:%M:%SZ}")
    assert seen(dates.finished_at)["status"] == 6


def test_a_month_without_matches_names_no_tournament(site: SandboxSite) -> None:
    assert get_json(site, f"{FEED}?d=202601&isAggregate=false")["tournaments"] == []


# Match centre and preview


def test_line_ups_come_ten_minutes_before_a_dense_match_and_an_hour_before_another(
    clock: Clock, site: SandboxSite
) -> None:
    for match_id, kickoff, before in (
        (1_004_240, ANCHOR + 64 * MINUTE, 10 * MINUTE),
        (1_003_700, datetime(2026, 4, 18, 13, 0, tzinfo=UTC), 60 * MINUTE),
    ):
        clock.now = NOW
        stage = 100_032 if match_id > 1_004_000 else 100_028
        entry = next(e for m in range(4, 12) for e in entries(site, stage, f"2026{m:02d}") if e["id"] == match_id)
        kickoff = datetime.fromisoformat(entry["startTimeUtc"])
        clock.now = kickoff - before - JUST
        assert centre(site, match_id) is None
        clock.now += JUST
        data = centre(site, match_id)
        assert data
        assert (data["score"], data["attendance"], data["events"], data["statusCode"]) == ("", None, [], 1)
        assert all(len(data[side]["players"]) == 18 for side in ("home", "away"))


def test_a_match_centre_agrees_with_the_feed_and_the_counts(site: SandboxSite, world: SimulatedWorld) -> None:
    told = {int(r.source_id): r for r in world.records(NOW) if r.season == "2025-26" and r.competition.level == 1}
    feed = {
        e["id"]: e for stage in (100_028, 100_030) for m in range(4, 12) for e in entries(site, stage, f"2026{m:02d}")
    }
    for match_id, record in list(told.items())[::7]:
        data = centre(site, match_id)
        assert data
        check_centre(data, feed[match_id], record)


def check_centre(data: dict, entry: dict, record: MatchRecord) -> None:
    stats = record.stats
    assert stats
    assert data["score"] == data["ftScore"] == f"{record.home_goals} : {record.away_goals}"
    assert data["htScore"] == f"{record.home_goals_half_time} : {record.away_goals_half_time}"
    assert (data["attendance"], data["referee"]["name"]) == (stats.attendance, stats.referee)
    events = data["events"]
    goals = [e for e in events if e["type"]["displayName"] == "Goal"]
    told = [i for i in entry["incidents"] if i["type"] == 1]
    assert [(str(e["minute"]), e["playerId"], e.get("relatedPlayerId", 0)) for e in goals] == [
        (i["minute"], i["playerId"], i["participatingPlayerId"]) for i in told
    ]
    for side in ("home", "away"):
        team = data[side]
        assert (str(team["teamId"]), team["name"]) == (
            getattr(record, f"{side}_team_id"),
            getattr(record, f"{side}_team"),
        )
        players = team["players"]
        assert [player["isFirstEleven"] for player in players] == [True] * 11 + [False] * 7
        assert len({player["playerId"] for player in players}) == len({p["shirtNo"] for p in players}) == 18
        assert [player["position"] for player in players].count("GK") == 1
        for name, field in (
            ("shotsTotal", "shots"),
            ("shotsOnTarget", "shots_on_target"),
            ("cornersTotal", "corners"),
            ("foulsCommited", "fouls"),
        ):
            assert sum(team["stats"][name].values()) == getattr(stats, f"{side}_{field}")
        own = [event for event in events if event["teamId"] == team["teamId"]]
        cards = Counter(event["cardType"]["displayName"] for event in own if "cardType" in event)
        assert cards["Yellow"] == getattr(stats, f"{side}_yellow_cards")
        assert cards["Red"] + cards["SecondYellow"] == getattr(stats, f"{side}_red_cards")
        check_presence(players, own)


def check_presence(players: list[dict], events: list[dict]) -> None:
    """Whoever scores or is replaced is on the pitch at that minute."""
    on = {player["playerId"] for player in players if player["isFirstEleven"]}
    squad = {player["playerId"] for player in players}
    booked = set()
    for event in events:
        kind, player = event["type"]["displayName"], event["playerId"]
        assert player in squad
        if kind == "SubstitutionOff":
            assert player in on
            on.discard(player)
        elif kind == "SubstitutionOn":
            assert player not in on
            on.add(player)
        elif kind == "Goal":
            assert player in on
        elif event["cardType"]["displayName"] == "Yellow":
            assert player not in booked
            booked.add(player)
        else:
            assert player in on
            assert (event["cardType"]["displayName"] == "SecondYellow") <= (player in booked)
            on.discard(player)


def test_a_running_match_shows_nothing_of_its_future(site: SandboxSite, clock: Clock) -> None:
    match_id, kickoff = 1_004_240, ANCHOR + 64 * MINUTE
    clock.now = kickoff + 3 * MINUTE
    final = centre(site, match_id)
    assert final
    minutes = []
    for seconds in range(0, 120, 7):
        clock.now = kickoff + timedelta(seconds=seconds)
        data = centre(site, match_id)
        assert data
        entry = next(e for e in entries(site, 100_032) if e["id"] == match_id)
        minute = int(entry["elapsed"].rstrip("'"))
        minutes.append(minute)
        assert data["maxMinute"] == minute
        assert data["events"] == [e for e in final["events"] if e["minute"] <= minute]
        assert data["score"] == f"{entry['homeScore']} : {entry['awayScore']}"
        assert (data["ftScore"], data["attendance"], data["statusCode"]) == ("", None, 3)
        assert bool(data["htScore"]) == (minute > 45)
        assert all(int(m) <= minute for side in ("home", "away") for s in data[side]["stats"].values() for m in s)
    assert minutes == sorted(minutes)
    assert (minutes[0], minutes[-1]) == (1, 94)


def test_nobody_who_is_reported_missing_plays(site: SandboxSite, clock: Clock) -> None:
    for match_id in range(1_003_696, 1_003_720):
        page = ask(site, f"/matches/{match_id}/preview/x").text
        section = page[page.index('<div id="missing-players">') :]
        missing = [int(found) for found in re.findall(r'href="/Players/([0-9]+)/Show/', section)]
        assert 2 <= len(missing) <= 6
        rows = re.findall(
            r'<td class="reason"><span title="([a-z ]+)">.*?<td class="confirmed">(Out|Doubtful)</td>', section
        )
        assert len(rows) == len(missing)
        data = centre(site, match_id)
        assert data
        assert not set(missing) & {p["playerId"] for side in ("home", "away") for p in data[side]["players"]}


def test_a_missing_player_has_a_page(site: SandboxSite) -> None:
    link = re.search(r'href="(/Players/[^"]+)">([^<]+)<', ask(site, "/matches/1003696/preview").text)
    assert link
    assert f"<h1>{link[2]}</h1>" in ask(site, link[1]).text
    assert ask(site, "/players/300000/show").status == 404


def test_absences_are_reported_an_hour_before_a_dense_match(site: SandboxSite, clock: Clock) -> None:
    clock.now = ANCHOR + 64 * MINUTE - 60 * MINUTE - JUST
    assert "/Players/" not in ask(site, "/matches/1004240/preview").text
    clock.now += JUST
    assert "/Players/" in ask(site, "/matches/1004240/preview").text
    assert next(e for e in entries(site, 100_032) if e["id"] == 1_004_240)["hasPreview"] is True


def test_names_are_escaped_in_pages(site: SandboxSite) -> None:
    pages = "".join(ask(site, f"/matches/{match_id}/live").text for match_id in range(1_003_696, 1_003_716))
    names = {unescape(name) for name in re.findall(r"<td>[0-9]+ ([^<]+)</td>", pages)}
    assert any("'" in name for name in names)
    assert not re.search(r"<td>[0-9]+ [^<]*'", pages)


@pytest.mark.parametrize("text", ["O'Garrow", "a\\b", "</script><script>alert(1)</script>", "\n", "é ñ"])
def test_a_text_cannot_leave_its_literal(text: str) -> None:
    written = literal({"name": text})
    assert "</script" not in written
    assert chompjs.parse_js_object(written.replace("\\x3C", "<")) == {"name": text}


def test_a_value_without_a_literal_is_refused() -> None:
    with pytest.raises(TypeError, match="has no literal"):
        literal({"odds": 1.5})


# The same bytes, whoever asks


PATHS = [
    "/",
    "/fixtures.csv",
    "/mmz4281/1819/XV2.csv",
    "/regions/902/tournaments/913/x",
    "/Regions/902/Tournaments/913/Seasons/10002/x",
    "/regions/902/tournaments/913/seasons/10034/stages/100034/fixtures/x",
    f"{FEED}?{NOVEMBER}",
    "/matches/1004240/live",
    "/matches/1004240/preview",
    "/robots.txt",
]


def digest(site: SandboxSite) -> str:
    return hashlib.sha256(b"".join(ask(site, path).body for path in PATHS)).hexdigest()


def test_another_process_serves_the_same_bytes(site: SandboxSite) -> None:
    program = (
        "import hashlib\nfrom datetime import datetime\nfrom apps.scraping.sandbox.world import SimulatedWorld\n"
        "from apps.scraping.sandbox.site import SandboxSite\n"
        f"site = SandboxSite(SimulatedWorld({SEED}, datetime.fromisoformat('{ANCHOR.isoformat()}')), "
        f"lambda: datetime.fromisoformat('{NOW.isoformat()}'))\n"
        f"bodies = [site.page(*path.split('?')).body for path in {PATHS!r}]\n"
        "print(hashlib.sha256(b''.join(bodies)).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        env={"PYTHONHASHSEED": "99"},
    )
    assert other.stdout.strip() == digest(site)


def test_what_is_kept_never_differs_from_what_is_made_anew(clock: Clock, site: SandboxSite) -> None:
    moments = [NOW + timedelta(seconds=seconds) for seconds in (0, 0.4, 1.3, 5, 29.9, 30, 31, 90, 150, 150.5, 30, 3600)]
    targets = [f"{FEED}?{NOVEMBER}", "/fixtures.csv", "/mmz4281/2526/XA1.csv"]
    kept, fresh, other = [], [], SimulatedWorld(SEED, ANCHOR)
    for moment in moments:
        clock.now = moment
        kept += [ask(site, target).body for target in targets]
        again = SandboxSite(other, clock)
        fresh += [ask(again, target).body for target in targets]
    assert kept == fresh


def test_threads_see_what_one_thread_sees(site: SandboxSite) -> None:
    targets = [*PATHS, *(f"/matches/{number}/live" for number in range(1_004_224, 1_004_244))] * 3
    alone = {target: ask(site, target).body for target in targets}
    again = SandboxSite(SimulatedWorld(SEED, ANCHOR), Clock())
    with ThreadPoolExecutor(8) as threads:
        bodies = list(threads.map(lambda target: ask(again, target).body, targets))
    assert bodies == [alone[target] for target in targets]
    assert all(entry["finished"] is not None for entry in again.log.entries())


# HTTP


@pytest.mark.parametrize("target", [f"{FEED}?{NOVEMBER}", "/mmz4281/1819/XA1.csv", "/fixtures.csv"])
def test_what_has_not_changed_is_not_sent_again(site: SandboxSite, clock: Clock, target: str) -> None:
    first = ask(site, target)
    assert {"ETag", "Last-Modified", "Vary"} <= set(first.headers)
    for header in (
        {"if_none_match": first.headers["ETag"]},
        {"if_none_match": f'"other", {first.headers["ETag"]}'},
        {"if_none_match": first.headers["ETag"].removeprefix("W/")},
        {"if_none_match": "*"},
        {"if_modified_since": first.headers["Last-Modified"]},
    ):
        again = ask(site, target, **header)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    for header in (
        {"if_none_match": '"other"'},
        {"if_modified_since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"if_modified_since": "nonsense"},
        {"if_none_match": '"other"', "if_modified_since": first.headers["Last-Modified"]},
    ):
        assert ask(site, target, **header).status == 200


def test_a_result_changes_the_feed_and_its_date(site: SandboxSite, clock: Clock) -> None:
    clock.now = ANCHOR + 62 * MINUTE - JUST
    before = ask(site, f"{FEED}?{NOVEMBER}")
    clock.now += JUST
    after = ask(site, f"{FEED}?{NOVEMBER}", if_none_match=before.headers["ETag"])
    assert after.status == 200
    assert after.headers["Last-Modified"] == "Mon, 23 Nov 2026 09:32:00 GMT"


def test_bodies_are_compressed_for_those_who_can_read_it(site: SandboxSite) -> None:
    plain = ask(site, f"{FEED}?{NOVEMBER}")
    assert "Content-Encoding" not in plain.headers
    for accepted in ("gzip", "deflate, GZIP;q=0.5", "*"):
        packed = ask(site, f"{FEED}?{NOVEMBER}", accept_encoding=accepted)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["ETag"] == plain.headers["ETag"]
    assert "Content-Encoding" not in ask(site, f"{FEED}?{NOVEMBER}", accept_encoding="gzip;q=0").headers
    assert "Content-Encoding" not in ask(site, "/robots.txt", accept_encoding="gzip").headers


def test_head_has_no_body_and_other_methods_are_refused(site: SandboxSite) -> None:
    head = ask(site, f"{FEED}?{NOVEMBER}", "HEAD")
    assert head.body == b""
    assert int(head.headers["Content-Length"]) > 100_000
    refused = ask(site, "/", "POST")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")


def test_robots_may_come_in_everywhere(site: SandboxSite) -> None:
    reply = ask(site, "/robots.txt")
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert reply.text == "User-agent: *\nAllow: /\n"


def test_it_says_that_it_lives_without_counting_that(site: SandboxSite) -> None:
    before = len(site.log.entries())
    assert get_json(site, "/livez") == {"status": "alive"}
    assert len(site.log.entries()) == before


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_paths_may_be_written_small_or_large(site: SandboxSite, change: Callable[[str], str]) -> None:
    for path in ("/Matches/1004224/Live", "/regions/901/tournaments/911", "/mmz4281/1819/XA1.csv"):
        assert ask(site, change(path)).body == ask(site, path).body


@pytest.mark.parametrize(
    ("target", "status", "says"),
    [
        ("/nowhere", 404, "no page has this address"),
        ("//", 404, "no page has this address"),
        ("/matches/", 404, "no page has this address"),
        ("/matches/0/live", 404, "there is no match 0"),
        ("/matches/999999/live", 404, "there is no match 999999"),
        ("/matches/1004752/live", 404, "this season is not known yet"),
        ("/matches/999999999/live", 404, "the sandbox has no season"),
        ("/matches/-1/live", 404, "no page has this address"),
        ("/matches/١٢٣/live", 404, "no page has this address"),
        ("/matches/1" + "0" * 400 + "/live", 404, "no page has this address"),
        ("/matches/1004224/live/a/b", 404, "no page has this address"),
        ("/matches/1004224/live/\x00", 200, "Pellridge"),
        ("/../../etc/passwd", 404, "no page has this address"),
        ("/mmz4281/1819/../1920/XA1.csv", 404, "no page has this address"),
        ("/mmz4281/1819/XA1.csv.bak", 404, "no page has this address"),
        ("/<script>alert(1)</script>", 404, "no page has this address"),
        ("/regions/901/tournaments/999", 404, "region 901 has no tournament 999"),
        ("/regions/901/tournaments/911/seasons/10033", 404, "10033 belongs to another tournament"),
        ("/regions/901/tournaments/911/seasons/9", 404, "there is no id 9 here"),
        ("/regions/901/tournaments/911/seasons/10036", 404, "this season is not known yet"),
        ("/regions/901/tournaments/911/seasons/10028/stages/100032/fixtures", 404, "another season than 10028"),
        ("/tournaments/911/data/?d=202611", 404, "there is no id 911 here"),
        ("/tournaments/100036/data/?d=202611", 404, "this season is not known yet"),
        (FEED, 400, "d must be a year and a month"),
        (f"{FEED}?d=", 400, "d must be a year and a month"),
        (f"{FEED}?d=202613", 400, "d must be a year and a month"),
        (f"{FEED}?d=202600", 400, "d must be a year and a month"),
        (f"{FEED}?d=000001", 400, "d must be a year and a month"),
        (f"{FEED}?d=２０２６１１", 400, "d must be a year and a month"),
        (f"{FEED}?d=202611%00", 400, "d must be a year and a month"),
        (f"{FEED}?{'d=1&' * 600}", 400, "the address is too long"),
        ("/" + "a" * 5_000, 400, "the address is too long"),
    ],
)
def test_a_hostile_or_mistaken_address_gets_a_clear_answer(
    site: SandboxSite, target: str, status: int, says: str
) -> None:
    reply = ask(site, target.replace("２０２６１１", "%EF%BC%92%EF%BC%90%EF%BC%92%EF%BC%96%EF%BC%91%EF%BC%91"))
    assert reply.status == status
    assert says in reply.text
    assert "alert(1)" not in reply.text


def test_bytes_that_are_no_text_are_no_address(site: SandboxSite) -> None:
    environ: dict = {
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "PATH_INFO": "/matches/\xff\xfe/live",
        "REMOTE_ADDR": "127.0.0.1",
    }
    setup_testing_defaults(environ)
    told = []
    body = validator(site)(environ, lambda status, headers, exc_info=None: told.append(status))
    assert b"no page has this address" in b"".join(body)
    body.close()
    assert told == ["404 Not Found"]


def test_before_the_world_begins_there_is_no_page_but_a_reason(clock: Clock, site: SandboxSite) -> None:
    clock.now = datetime(2001, 1, 1, tzinfo=UTC)
    for path in ("/", "/fixtures.csv", "/regions/901/tournaments/911"):
        reply = ask(site, path)
        assert reply.status == 404
        assert "the sandbox begins at" in reply.text
    assert ask(site, "/robots.txt").status == 200
