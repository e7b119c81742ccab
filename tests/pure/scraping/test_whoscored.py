"""WhoScored's parsers, case by case, and on hostile input."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matches.records import (
    CompetitionKey,
    IncidentKind,
    IncidentRecord,
    MatchRecord,
    MatchStatus,
    Moment,
    OddsRecord,
    PlayerKey,
    Side,
)
from apps.scraping.sources import CrawlJob, FetchMethod, Page, ParseError, Request, ScrapeScope, WhoScored, Window
from apps.scraping.sources.whoscored.feed import WhoScoredFeed, read_feed, season_label
from apps.scraping.sources.whoscored.incidents import as_minute
from apps.scraping.sources.whoscored.scores import WhoScoredScore, read_score
from apps.scraping.sources.whoscored.tournaments import (
    Tournament,
    WhoScoredSeason,
    WhoScoredStage,
    season_years,
    seasons_to_enter,
)
from tests.pure.scraping.test_whoscored_golden import FETCHED_AT, FINISHED, FOLDER, LEAGUE, read

URL = "https://football.test/feed"


def entry(**more: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "status": 6,
        "elapsed": "FT",
        "startTime": "2020-09-12T12:30:00",
        "startTimeUtc": "2020-09-12T11:30:00Z",
        "homeTeamId": 301,
        "homeTeamName": "Eastmoor",
        "awayTeamId": 302,
        "awayTeamName": "Harwell",
        "homeScore": 2,
        "awayScore": 1,
        **more,
    }


def document(*matches: Any, **more: Any) -> dict[str, Any]:
    tournament = {
        "tournamentId": 2,
        "regionId": 252,
        "tournamentName": "Premier League",
        "regionName": "England",
        "seasonName": "2020/2021",
        "stageName": "Premier League",
        "sex": 1,
        **more,
        "matches": list(matches),
    }
    return {"tournaments": [tournament]}


def feed(*matches: Any, fetched_at: datetime = FETCHED_AT, **more: Any) -> WhoScoredFeed:
    return read_feed(Page(URL, json.dumps(document(*matches, **more)).encode(), fetched_at))


def only(found: WhoScoredFeed) -> MatchRecord:
    assert found.refused == []
    (record,) = found.records
    return record


# statuses


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (1, MatchStatus.SCHEDULED),
        (2, MatchStatus.POSTPONED),
        (3, MatchStatus.LIVE),
        (4, MatchStatus.LIVE),
        (5, MatchStatus.ABANDONED),
        (6, MatchStatus.FINISHED),
        (7, MatchStatus.CANCELLED),
        (8, MatchStatus.UNKNOWN),
    ],
)
def test_each_status_code_has_its_meaning(code: int, status: MatchStatus) -> None:
    found = feed(entry(status=code))
    assert only(found).status is status
    assert found.notes == {}


@pytest.mark.parametrize("code", [9, 42, -1, None, "x", [], True])
def test_an_unknown_status_code_is_kept_and_counted(code: Any) -> None:
    found = feed(entry(status=code))
    assert only(found).status is MatchStatus.UNKNOWN
    assert len(found.notes) == 1
    assert all(note.startswith("status code ") and note.endswith(" is unknown") for note in found.notes)


def test_only_a_finished_match_has_goals() -> None:
    for code in (1, 2, 3, 4, 5, 7, 8, 9):
        record = only(feed(entry(status=code)))
        assert (record.home_goals, record.away_goals) == (None, None)
    assert (only(feed(entry())).home_goals, only(feed(entry())).away_goals) == (2, 1)


@pytest.mark.parametrize(
    ("elapsed", "period", "minute"),
    [
        ("23'", 1, 23),
        ("47'", 1, 45),
        ("45+2'", 1, 45),
        ("HT", 2, 45),
        ("47'", 3, 47),
        ("90+4'", 3, 90),
        ("94'", 3, 90),
        ("97'", 4, None),
        ("", 1, None),
        (None, None, None),
    ],
)
def test_a_match_in_play_has_a_score_where_its_minute_is_known(elapsed: Any, period: Any, minute: int | None) -> None:
    record = only(feed(entry(status=3, elapsed=elapsed, period=period, homeScore=1, awayScore=0)))
    assert (record.status, record.minute) == (MatchStatus.LIVE, minute)
    assert (record.home_goals, record.away_goals) == ((None, None) if minute is None else (1, 0))
    assert record.is_live_score == (minute is not None)
    assert not only(feed(entry(status=3, elapsed=elapsed, homeScore=None))).is_live_score


def test_a_placeholder_is_counted_and_gives_no_match() -> None:
    found = feed(entry(status=0, homeTeamId=0, homeTeamName=""), entry(id=2))
    assert [record.source_id for record in found.records] == ["2"]
    assert found.notes == {"placeholders whose teams are not decided": 1}


# kick-offs, names, seasons


def test_the_kickoff_is_the_one_in_utc_and_the_uk_clock_serves_where_it_is_missing() -> None:
    expected = datetime(2020, 9, 12, 11, 30, tzinfo=UTC)
    assert only(feed(entry())).kickoff_at == expected
    assert only(feed(entry(startTimeUtc=None))).kickoff_at == expected
    winter = entry(startTimeUtc=None, startTime="2021-01-01T17:30:00")
    assert only(feed(winter)).kickoff_at == datetime(2021, 1, 1, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("2020/2021", "2020-21"),
        ("1999/2000", "1999-00"),
        ("2020", "2020"),
        ("2026-27 S0001", "2026-27 S0001"),
        ("2020-21", "2020-21"),
        ("Apertura", "Apertura"),
    ],
)
def test_a_season_of_two_years_gets_the_label_that_all_sources_share(name: str, label: str) -> None:
    assert season_label(name) == label
    assert only(feed(entry(), seasonName=name)).season == label


def test_an_unknown_tournament_is_a_competition_outside_the_pyramid() -> None:
    record = only(feed(entry(), tournamentId=26, tournamentName="FA Cup"))
    assert record.competition == CompetitionKey("England", "FA Cup", 0)


def test_teams_of_a_world_tournament_come_from_their_own_regions() -> None:
    countries = {"homeTeamCountryName": "Wales", "awayTeamCountryName": "Greece"}
    assert only(feed(entry(**countries))).home_region == ""
    abroad = only(feed(entry(**countries), regionId=250, tournamentId=12))
    assert (abroad.home_region, abroad.away_region) == ("Wales", "Greece")


def test_a_womens_team_is_not_the_mens_team_of_the_same_name() -> None:
    record = only(feed(entry(), sex=2, tournamentId=739, tournamentName="Women's Super League"))
    assert (record.home_team, record.away_team) == ("Eastmoor Women", "Harwell Women")


def test_the_stage_is_reported_where_it_is_not_the_league_itself() -> None:
    assert only(feed(entry())).stage == ""
    assert only(feed(entry(), stageName="Group A")).stage == "Group A"


def test_the_final_whistle_is_taken_where_it_is_told() -> None:
    assert only(feed(entry())).finished_at is None
    told = only(feed(entry(finishedAtUtc="2020-09-12T13:22:05Z")))
    assert told.finished_at == datetime(2020, 9, 12, 13, 22, 5, tzinfo=UTC)
    early = feed(entry(finishedAtUtc="2020-09-12T11:00:00Z"))
    assert only(early).finished_at is None
    assert early.notes == {"final whistles before kick-off": 1}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"homeScore": None}, "finished without a score"),
        ({"homeScore": -1}, "finished without a score"),
        ({"homeScore": 1.5}, "finished without a score"),
        ({"homeScore": 100}, "match: 100 goals"),
        ({"startTimeUtc": None, "startTime": None}, "startTimeUtc None cannot be read"),
        ({"startTimeUtc": "0001-01-01T00:00:00Z", "startTime": ""}, "cannot be read"),
        ({"id": None}, "id None is not an id"),
        ({"id": "x"}, "id 'x' is not an id"),
        ({"homeTeamName": ""}, "both teams need a name"),
        ({"awayTeamId": 301, "awayTeamName": "Eastmoor"}, "cannot play itself"),
    ],
)
def test_an_entry_that_cannot_be_a_match_is_refused_with_its_reason(more: dict[str, Any], reason: str) -> None:
    found = feed(entry(id=2), entry(**more))
    assert len(found.records) == 1
    (refused,) = found.refused
    assert reason in refused.reason
    assert (refused.file, refused.line) == (URL, 2)


# scores


def goal(minute: int | str, field: int, period: int | None, sub_type: int = 1) -> dict[str, Any]:
    return {"minute": minute, "type": 1, "subType": sub_type, "field": field, "period": period}


AFTER_EXTRA = {"elapsed": "AET", "homeScore": 2, "awayScore": 1, "winnerField": 0}
NO_EXTRA = {"homeExtratimeScore": 0, "awayExtratimeScore": 0}
ON_PENALTIES = {"elapsed": "PEN", "homeScore": 1, "awayScore": 1, "homePenaltyScore": 4, "awayPenaltyScore": 2}


@pytest.mark.parametrize(
    ("more", "full_time", "extra_time", "penalties"),
    [
        ({"homeScore": 3, "awayScore": 0}, (3, 0), None, None),
        # some feeds may fill the fields of what was not played with zeros
        ({**NO_EXTRA, "homePenaltyScore": 0, "awayPenaltyScore": 0}, (2, 1), None, None),
        ({**AFTER_EXTRA, "extraResultField": "FT 1:1"}, (1, 1), (2, 1), None),
        ({**AFTER_EXTRA, "extraResultField": "(FT 1 - 1)"}, (1, 1), (2, 1), None),
        ({**AFTER_EXTRA, "elapsed": "AET (FT 1 : 1)"}, (1, 1), (2, 1), None),
        ({**AFTER_EXTRA, "homeExtratimeScore": 1, "awayExtratimeScore": 0}, (1, 1), (2, 1), None),
        ({**AFTER_EXTRA, "incidents": [goal(9, 0, 1), goal("90+4", 1, 3), goal(118, 0, 5)]}, (1, 1), (2, 1), None),
        ({**AFTER_EXTRA, "incidents": [goal(95, 0, 3), goal(96, 1, 3), goal(95, 0, 5)]}, (1, 1), (2, 1), None),
        ({**ON_PENALTIES, "extraResultField": "FT 0:0"}, (0, 0), (1, 1), (4, 2)),
        ({**ON_PENALTIES, "extraResultField": "FT 1:1"}, (1, 1), None, (4, 2)),
        ({**ON_PENALTIES, "homeExtratimeScore": 0, "awayExtratimeScore": 0}, (1, 1), (1, 1), (4, 2)),
        ({**ON_PENALTIES, "homeScore": 0, "awayScore": 0}, (0, 0), None, (4, 2)),
        ({**ON_PENALTIES, "incidents": [goal(12, 0, 1), goal(13, 1, 1)]}, (1, 1), None, (4, 2)),
        # the second of two matches need not be level after 90 minutes
        ({**AFTER_EXTRA, "extraResultField": "FT 2:0", "aggregateWinnerField": 0}, (2, 0), (2, 1), None),
        (
            {**AFTER_EXTRA, "aggregateWinnerField": 0, "incidents": [goal(1, 0, 1), goal(2, 0, 1), goal(99, 1, 5)]},
            (2, 0),
            (2, 1),
            None,
        ),
    ],
)  # fmt: skip
def test_the_score_after_90_minutes_counts(
    more: dict[str, Any],
    full_time: tuple[int, int],
    extra_time: tuple[int, int] | None,
    penalties: tuple[int, int] | None,
) -> None:
    score = read_score(entry(**more))
    assert (score.full_time, score.extra_time, score.penalties) == (full_time, extra_time, penalties)
    record = only(feed(entry(**more)))
    assert (record.home_goals, record.away_goals) == full_time
    assert (record.home_goals_extra_time, record.away_goals_extra_time) == (extra_time or (None, None))
    assert (record.home_penalties, record.away_penalties) == (penalties or (None, None))


@pytest.mark.parametrize(
    "more",
    [
        AFTER_EXTRA,  # nothing says when the goals fell
        ON_PENALTIES,  # extra time may have been played
        {**AFTER_EXTRA, "homeExtratimeScore": 2, "awayExtratimeScore": 1},  # its goals, or the score at its end?
        {**AFTER_EXTRA, "homeExtratimeScore": 1, "awayExtratimeScore": 1},  # 1:0 would not have gone on
        {**AFTER_EXTRA, "homeExtratimeScore": 3, "awayExtratimeScore": 0},
        {**AFTER_EXTRA, "incidents": [goal(9, 0, 1), goal(80, 1, 3)]},  # a goal is missing
        {**AFTER_EXTRA, "incidents": [goal(9, 0, 1), goal(80, 1, 3), goal(95, 0, None)]},  # stoppage or extra time?
        {**AFTER_EXTRA, "incidents": [goal(9, 0, 1), goal(80, 1, 3), goal(113, 0, 3)]},
        {**AFTER_EXTRA, "incidents": [goal(9, 0, 1), goal(80, 1, 5), goal(113, 0, 5)]},
        {**AFTER_EXTRA, "incidents": [goal(9, 0, 1), goal(80, 0, 3), goal(113, 1, 5)]},  # 2:0 would not have gone on
        {**AFTER_EXTRA, "incidents": [goal(9, 0, 1), goal(80, 1, 3), goal("?", 0, 5)]},
        {**AFTER_EXTRA, "incidents": [goal(9, 0, 1), goal(80, 1, 3), goal(113, 7, 5)]},
    ],
)
def test_a_match_whose_score_after_90_minutes_is_in_doubt_is_refused(more: dict[str, Any]) -> None:
    found = feed(entry(**more))
    assert found.records == []
    assert "the score after 90 minutes is missing" in found.refused[0].reason


@pytest.mark.parametrize(
    ("text", "score", "expected"),
    [
        ("HT 0:0 - FT 0:0 - ET 0:0 - PS 4:3", (0, 0), ((0, 0), (0, 0), (0, 0), (4, 3))),
        ("HT 1:0 - FT 1:1 - AET 2:1", (2, 1), ((1, 1), (1, 0), (2, 1), None)),
        ("HT 0-1, FT 1-1, ET 2-2, PEN 5-4", (2, 2), ((1, 1), (0, 1), (2, 2), (5, 4))),
        ("HT 0:1 FT 2:1", (2, 1), ((2, 1), (0, 1), None, None)),
        ("FT 2:1", (2, 1), ((2, 1), None, None, None)),
        ("HT 3:0 FT 2:1", (2, 1), ((2, 1), None, None, None)),
    ],
)
def test_every_part_of_a_score_text_is_read(text: str, score: tuple[int, int], expected: tuple[object, ...]) -> None:
    found = read_score(entry(homeScore=score[0], awayScore=score[1], extraResultField=text))
    assert (found.full_time, found.half_time, found.extra_time, found.penalties) == expected


def test_a_score_after_90_minutes_above_the_last_one_is_refused() -> None:
    found = feed(entry(elapsed="AET", extraResultField="FT 3:3"))
    assert found.refused[0].reason == "the score FT 3:3 is above the last one, 2:1"


def test_what_contradicts_the_score_is_noted_and_the_score_stays() -> None:
    assert feed(entry(winnerField=1)).notes == {"a winner that contradicts the score": 1}
    assert feed(entry(winnerField=0, incidents=[goal(3, 0, 1)])).notes["goals that contradict the score"] == 1
    late = entry(**AFTER_EXTRA, extraResultField="FT 0:0", incidents=[goal(1, 0, 1), goal(2, 1, 1), goal(99, 0, 5)])
    assert feed(late).notes == {"goals that contradict the score after 90 minutes": 1}
    assert only(feed(late)).home_goals == 0
    assert feed(entry(**ON_PENALTIES, winnerField=0, extraResultField="FT 1:1")).notes == {}


@given(
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from(["written", "goals", "own"]),
)
def test_a_score_that_is_reported_is_never_read_wrongly(
    before: tuple[int, int], extra: tuple[int, int], how: str
) -> None:
    before = (before[0], before[0])  # level, as a single match that went on
    total = before[0] + extra[0], before[1] + extra[1]
    match = entry(elapsed="AET", homeScore=total[0], awayScore=total[1])
    if how == "written":
        match["extraResultField"] = f"FT {before[0]}:{before[1]}"
    elif how == "own":
        match |= {"homeExtratimeScore": extra[0], "awayExtratimeScore": extra[1]}
    else:
        early = [goal(20 + i, side, 1) for side in (0, 1) for i in range(before[side])]
        match["incidents"] = early + [goal(100 + i, side, 5) for side in (0, 1) for i in range(extra[side])]
    try:
        score = read_score(match)
    except ValueError:
        assert how == "own"
        return
    assert score == WhoScoredScore(before, extra_time=total, notes=score.notes)


# incidents and cards


def test_goals_and_cards_of_the_feed_are_reported_in_their_order() -> None:
    incidents = [
        {"minute": "8", "type": 1, "subType": 1, "playerName": "Bo Lind", "playerId": 11, "field": 0, "period": 1,
         "participatingPlayerName": "Cy Orr", "participatingPlayerId": 12},
        {"minute": "46", "type": 1, "subType": 2, "playerName": "Dan Mott", "playerId": 21, "field": 1, "period": 1},
        {"minute": "70", "type": 2, "subType": 2, "playerName": "Dan Mott", "playerId": 21, "field": 1, "period": 3},
        {"minute": "93", "type": 1, "subType": 3, "playerName": "Ed Hale", "playerId": 22, "field": 0, "period": 3},
        {"minute": "94", "type": 7, "subType": 3, "field": 0},
    ]  # fmt: skip
    found = feed(entry(winnerField=0, incidents=incidents))
    details = only(found).details
    assert details is not None
    assert details.known_at == datetime(2020, 9, 12, 10, 30, tzinfo=UTC)
    assert details.incidents == (
        IncidentRecord(IncidentKind.GOAL, Side.HOME, 8, PlayerKey("11", "Bo Lind"), PlayerKey("12", "Cy Orr")),
        IncidentRecord(IncidentKind.PENALTY, Side.AWAY, 46, PlayerKey("21", "Dan Mott")),
        IncidentRecord(IncidentKind.SECOND_YELLOW_CARD, Side.AWAY, 70, PlayerKey("21", "Dan Mott")),
        IncidentRecord(IncidentKind.OWN_GOAL, Side.HOME, 93, PlayerKey("22", "Ed Hale")),
    )
    assert found.notes == {"incidents left out": 1}


@pytest.mark.parametrize(
    ("written", "minute"),
    [("71", 71), (71, 71), ("90+4", 94), ("45+", 45), ("x", None), (None, None), ("201", None), ("-3", None)],
)
def test_stoppage_time_is_added_to_the_minute(written: Any, minute: int | None) -> None:
    assert as_minute(written) == minute


def test_cards_are_counted_by_the_feed() -> None:
    record = only(feed(entry(homeYellowCards=2, awayYellowCards=0, homeRedCards=0, awayRedCards=1)))
    assert record.stats is not None
    assert (record.stats.home_yellow_cards, record.stats.away_red_cards) == (2, 1)
    assert only(feed(entry())).stats is None


def test_cards_that_the_feed_leaves_out_beside_others_are_none() -> None:
    stats = only(feed(entry(homeYellowCards=2))).stats
    assert stats is not None
    assert (stats.home_yellow_cards, stats.away_yellow_cards, stats.home_red_cards) == (2, 0, 0)


# odds


def offers(price: Any, bookmaker: Any = "Bet365") -> dict[str, Any]:
    return {"offers": [{"bettingProvider": bookmaker, "oddsDecimal": price}]}


COMING = {"status": 1, "homeScore": None, "awayScore": None}
KICKOFF_AT = datetime(2020, 9, 12, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "moment"),
    [
        (timedelta(days=3), Moment.OPENING),
        (timedelta(minutes=61), Moment.OPENING),
        (timedelta(minutes=60), Moment.CLOSING),
        (timedelta(seconds=1), Moment.CLOSING),
    ],
)
def test_a_price_in_the_last_hour_is_the_closing_one(before: timedelta, moment: Moment) -> None:
    bets = {"home": offers("1.80"), "draw": offers(3.6), "away": offers("4.5")}
    record = only(feed(entry(**COMING, bets=bets), fetched_at=KICKOFF_AT - before))
    assert record.odds == (OddsRecord("B365", moment, 1.8, 3.6, 4.5),)


@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=1), timedelta(days=9)])
def test_prices_seen_at_kickoff_or_later_are_none(after: timedelta) -> None:
    assert only(feed(entry(**COMING, bets={"home": offers("1.8")}), fetched_at=KICKOFF_AT + after)).odds == ()


@pytest.mark.parametrize(
    ("bookmaker", "code"),
    [
        ("Bet365", "B365"),
        ("bet 365", "B365"),
        ("Pinnacle", "PS"),
        ("William Hill", "WH"),
        ("Sky Bet", "SkyBet"),
        ("Kindred Group & Söner", "KindredGroup"),
        ({"name": "Bet365"}, "B365"),
    ],
)
def test_a_bookmaker_has_football_datas_code_or_its_letters(bookmaker: Any, code: str) -> None:
    found = feed(entry(**COMING, bets={"home": offers("1.8", bookmaker)}), fetched_at=KICKOFF_AT - timedelta(days=1))
    assert [odds.bookmaker for odds in only(found).odds] == [code]


@pytest.mark.parametrize("price", ["0", "1", "nan", "inf", "1e9", "", None, True, [], "evens", -2, 10_000])
def test_what_is_no_price_is_counted_and_left_out(price: Any) -> None:
    found = feed(
        entry(**COMING, bets={"home": offers(price), "draw": offers("3.5")}), fetched_at=KICKOFF_AT - timedelta(1)
    )
    assert only(found).odds == (OddsRecord("B365", Moment.OPENING, draw=3.5),)
    assert found.notes == {"prices dropped": 1}


@pytest.mark.parametrize("bets", [None, [], {}, "x", {"home": None}, {"home": {"offers": None}}])
def test_a_match_without_offers_has_no_odds(bets: Any) -> None:
    assert only(feed(entry(**COMING, bets=bets), fetched_at=KICKOFF_AT - timedelta(1))).odds == ()


# doubles and contradictions


def test_a_match_reported_twice_alike_is_one_and_reported_differently_is_none() -> None:
    found = feed(entry(), entry(id=2), entry(), entry(id=2, homeScore=3))
    assert [record.source_id for record in found.records] == ["1"]
    assert [row.reason for row in found.refused] == ["the page lists this match twice, with different data"]
    assert found.notes == {"matches listed twice": 1}


def test_the_feed_of_another_tournament_is_refused_as_a_whole() -> None:
    page = Page(URL, json.dumps(document(entry(), tournamentId=4)).encode(), FETCHED_AT)
    with pytest.raises(ParseError, match="tournament 252/2 is missing"):
        read_feed(page, LEAGUE)


# the way through the site


def walk(site: WhoScored, pages: dict[str, str], job: CrawlJob) -> tuple[list[str], list[MatchRecord]]:
    """Follow a site through pages by the beginning of their paths, as a run does; return paths and records."""
    queue, seen, records = site.start(job), [], []
    while queue:
        request = queue.pop(0)
        path = request.url.removeprefix("https://football.test")
        seen.append(path)
        content = next(
            text for start, text in pages.items() if path == start or (start != "/" and path.startswith(start))
        )
        reading = site.read(request, Page(request.url, content.encode(), job.now), job)
        records += reading.records
        queue += reading.follow
    return seen, records


def script(text: str) -> str:
    return f"<html><body><script>{text}</script></body></html>"


REGION = (
    "{type:0,id:5,name:'Isles',tournaments:[{id:9,url:'/regions/5/tournaments/9/isles',name:'Premier',sortOrder:2}]}"
)
SEASON = "/regions/5/tournaments/9/seasons/101"
WORLD = {
    "/": script(f"var allRegions=[{REGION}];"),
    f"{SEASON}/stages/7": script("var wsCalendar = {mask:{2032:{0:{31:1},1:{1:1,2:1}}}};"),
    SEASON: f'<a href="{SEASON}/stages/7/fixtures/isles">Fixtures</a>',
    "/regions/5/tournaments/9/isles": (
        f'<select id="seasons"><option value="{SEASON}/isles">2031-32 S0001</option></select>'
    ),
    "/tournaments/7/data/?d=203202&isAggregate=false": json.dumps(
        document(
            entry(startTimeUtc="2032-02-01T10:00:00Z", finishedAtUtc="2032-02-01T10:02:00Z"),
            entry(id=2, status=1, homeScore=None, awayScore=None, startTimeUtc="2032-02-01T13:00:00Z"),
            entry(id=3, startTimeUtc="2032-02-20T10:00:00Z"),
            regionId=5,
            tournamentId=9,
            regionName="Isles",
            tournamentName="Premier",
            seasonName="2031-32 S0001",
        )
    ),
    "/matches/1/live/": script('require.config.params["args"] = {matchId: 1, matchCentreData: null};'),
    "/matches/2/preview/": '<div id="missing-players"></div>',
}


def test_a_run_for_results_goes_from_the_home_page_to_the_match_centres_of_its_window() -> None:
    site = WhoScored(base_url="https://football.test", is_simulated=True, name="sandbox")
    job = CrawlJob(ScrapeScope.RESULTS, Window(date(2032, 2, 1), date(2032, 2, 1)), FETCHED_AT)
    seen, records = walk(site, WORLD, job)
    assert seen == [
        "/",
        "/regions/5/tournaments/9/isles",
        "/regions/5/tournaments/9/seasons/101/isles",
        "/regions/5/tournaments/9/seasons/101/stages/7/fixtures/isles",
        "/tournaments/7/data/?d=203202&isAggregate=false",
        "/matches/1/live/isles",
    ]
    assert {record.competition for record in records} == {CompetitionKey("Isles", "Premier", 2, is_simulated=True)}
    assert [record.source_id for record in records] == ["1", "2", "3", "1"]
    assert records[0].finished_at == datetime(2032, 2, 1, 10, 2, tzinfo=UTC)
    assert site.name == "sandbox"


def test_a_run_for_fixtures_asks_for_previews_and_one_for_odds_for_feeds_only() -> None:
    site = WhoScored(base_url="https://football.test", is_simulated=True)
    window = Window(date(2032, 2, 1), date(2032, 2, 16))
    seen, _ = walk(site, WORLD, CrawlJob(ScrapeScope.FIXTURES, window, FETCHED_AT))
    assert seen[5:] == ["/matches/2/preview/isles"]
    seen, _ = walk(site, WORLD, CrawlJob(ScrapeScope.ODDS, window, FETCHED_AT))
    assert seen[5:] == []
    seen, _ = walk(site, WORLD, CrawlJob(ScrapeScope.ODDS, Window(date(2032, 2, 3), date(2032, 2, 16)), FETCHED_AT))
    assert seen[4:] == []


def test_a_re_reading_follows_to_match_centres_and_to_previews_of_any_time() -> None:
    site = WhoScored(base_url="https://football.test", is_simulated=True)
    job = CrawlJob(ScrapeScope.REPARSE, Window(date(2032, 2, 1), date(2032, 2, 16)), FETCHED_AT + timedelta(days=300))
    seen, _ = walk(site, WORLD, job)
    assert seen[5:] == ["/matches/1/live/isles", "/matches/2/preview/isles"]


def test_a_back_fill_asks_for_every_month_with_a_day_in_the_window() -> None:
    site = WhoScored(base_url="https://football.test", is_simulated=True)
    stage = WhoScoredStage(WhoScoredSeason(Tournament(5, 9), 101, "x"), 7)
    job = CrawlJob(ScrapeScope.BACKFILL, Window(date(2032, 1, 31), date(2032, 2, 1)), FETCHED_AT)
    content = WORLD[f"{SEASON}/stages/7"].encode()
    reading = site.read(Request("x", "stage", about=stage), Page("x", content, FETCHED_AT), job)
    assert [request.url.partition("d=")[2][:6] for request in reading.follow] == ["203201", "203202"]
    assert [request.method for request in reading.follow] == [FetchMethod.IN_PAGE] * 2
    assert reading.follow[0].final_after == datetime(2032, 2, 8, tzinfo=UTC)


def test_the_feed_leaves_goals_and_cards_to_the_match_centre() -> None:
    records = read("feed.month.json", (FOLDER / "feed.month.json").read_bytes()).records
    assert [record.details for record in records] == [None, None]


def test_what_is_followed_can_be_chosen_and_an_unlisted_one_is_counted() -> None:
    site = WhoScored(base_url="https://football.test", tournaments=[(252, 2), (206, 4)])
    reading = read("home.html", (FOLDER / "home.html").read_bytes(), site)
    assert [request.url.removeprefix("https://football.test") for request in reading.follow] == [
        "/regions/252/tournaments/2/england-premier-league",
        "/regions/206/tournaments/4",
    ]
    assert reading.notes["tournament 206/4 is not on the home page"] == 1
    assert reading.follow[1].about.competition == CompetitionKey("Spain", "La Liga", 1)


def test_navigation_pages_are_kept_as_long_as_the_caller_says() -> None:
    site = WhoScored(navigation_age=timedelta(minutes=5), calendar_age=timedelta(minutes=1))
    job = CrawlJob(ScrapeScope.RESULTS, Window(date(2032, 2, 1), date(2032, 2, 1)), FETCHED_AT)
    (home,) = site.start(job)
    assert (home.url, home.max_age) == ("https://www.whoscored.com/", timedelta(minutes=5))
    reading = read("season.html", (FOLDER / "season.html").read_bytes(), site)
    assert [request.max_age for request in reading.follow] == [timedelta(minutes=1)]


# seasons


def seasons(*names: str, level: int = 1) -> list[WhoScoredSeason]:
    key = CompetitionKey("England", "League", level)
    return [WhoScoredSeason(Tournament(1, 2, competition=key), 100 - i, name) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "start", "end", "entered"),
    [
        (["2021/2022", "2020/2021", "2019/2020"], date(2020, 10, 1), date(2020, 10, 31), ["2020/2021"]),
        (["2021/2022", "2020/2021", "2019/2020"], date(2020, 8, 1), date(2020, 8, 31), ["2020/2021", "2019/2020"]),
        (["2021/2022", "2020/2021"], date(2031, 8, 1), date(2031, 8, 31), []),
        (["2022", "2021", "2020"], date(2021, 2, 20), date(2021, 2, 26), ["2021", "2020"]),
        (["2022", "2021", "2020"], date(2021, 6, 1), date(2021, 6, 2), ["2021"]),
        (["2026-27 S0003", "2026-27 S0002", "2026-27 S0001", "2025-26"], date(2031, 1, 1), date(2031, 1, 1),
         ["2026-27 S0003", "2026-27 S0002"]),
        (["2020/2021", "Clausura", "Apertura"], date(2020, 10, 1), date(2020, 10, 1), ["2020/2021"]),
    ],
)  # fmt: skip
def test_the_seasons_that_can_overlap_the_window_are_entered(
    names: list[str], start: date, end: date, entered: list[str]
) -> None:
    assert [season.name for season in seasons_to_enter(seasons(*names), Window(start, end))] == entered


def test_a_cup_of_one_year_may_be_played_a_year_away() -> None:
    chosen = seasons_to_enter(seasons("2024", "2020", "2016", level=0), Window(date(2021, 6, 11), date(2021, 7, 11)))
    assert [season.name for season in chosen] == ["2020"]


@pytest.mark.parametrize(
    ("name", "years"),
    [
        ("2020/2021", (2020, 2021)),
        ("1999/00", (1999, 2000)),
        ("2020", (2020, 2020)),
        ("2025-26", (2025, 2026)),
        ("2026-27 S0001", None),
        ("0000", None),
        ("9999", None),
        ("", None),
    ],
)
def test_the_years_of_a_season_are_read_from_its_name(name: str, years: tuple[int, int] | None) -> None:
    assert season_years(name) == years


# paths and literals


def test_paths_count_in_whatever_case() -> None:
    for name in ("tournament.html", "season.html", "season.stages.html"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        for variant in (
            text.replace("/Regions/", "/REGIONS/").replace("/Seasons/", "/seasons/"),
            text.replace("/stages/", "/Stages/"),
        ):
            assert read(name, variant.encode()) == read(name, text.encode())


def test_links_to_other_hosts_and_other_seasons_are_not_followed() -> None:
    text = '<a href="https://elsewhere.test/regions/252/tournaments/2/seasons/940/stages/51/fixtures/x">Fixtures</a>'
    reading = read("season.html", text.encode())
    assert [request.url for request in reading.follow] == [
        "https://football.test/regions/252/tournaments/2/seasons/940/stages/51/fixtures/x"
    ]
    other = text.replace("seasons/940", "seasons/939")
    with pytest.raises(ParseError, match="a stage is missing"):
        read("season.html", other.encode())


def test_a_calendar_may_be_evaluated_already() -> None:
    evaluated = '{"mask": {"2032": {"0": {"10": 1}, "1": {"7": 1}}}, "stageId": 51}'
    reading = read("stage.html", f"<script>wsCalendar = {evaluated};</script>".encode())
    assert len(reading.follow) == 2


# match centres


def centre(**more: Any) -> bytes:
    text = (FOLDER / "match_centre.html").read_text(encoding="utf-8")
    start = text.index("matchCentreData: ") + len("matchCentreData: ")
    data, end = json.JSONDecoder().raw_decode(text[start:])
    for key, value in more.items():
        data = {**data, key: value}
    return (text[:start] + json.dumps(data) + text[start + end :]).encode()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"ftScore": "3 : 1"}, "ftScore 3:1 contradicts the feed's 2:1"),
        ({"ftScore": "", "score": "2 : 2"}, "score 2:2 contradicts the feed's 2:1"),
    ],
)
def test_a_match_centre_with_another_score_is_refused(more: dict[str, Any], reason: str) -> None:
    reading = read("match_centre.html", centre(**more))
    assert reading.records == []
    assert [row.reason for row in reading.refused] == [reason]


def test_the_match_centre_of_another_match_is_refused() -> None:
    text = centre().decode()
    assert read("match_centre.html", text.replace("matchId: 7001", "matchId: 7").encode()).refused[0].reason == (
        "the page is of match 7"
    )
    swapped = text.replace('"teamId": 301', '"teamId": 999')
    assert read("match_centre.html", swapped.encode()).refused[0].reason == "the page has the teams 999 and 302"


def test_events_that_contradict_the_score_leave_the_feeds_goals() -> None:
    reading = read("match_centre.html", centre(events=[{"type": "Goal", "teamId": 301, "minute": 3}]))
    (record,) = reading.records
    assert reading.notes == {"events that contradict the score": 1}
    assert record.details is not None
    assert FINISHED.details is not None
    assert record.details.incidents == FINISHED.details.incidents


def test_events_that_count_minutes_like_the_feed_stay_where_they_are() -> None:
    events = [
        {"type": "Goal", "teamId": 301, "minute": 8, "playerId": 9001},
        {"type": "Card", "teamId": 302, "minute": 21, "cardType": "Yellow", "playerId": 9004},
        {"type": "Goal", "teamId": 302, "minute": 46, "qualifiers": [{"type": "Penalty"}]},
        {"type": "Goal", "teamId": 302, "minute": 93, "isOwnGoal": True},
    ]
    (record,) = read("match_centre.html", centre(events=events)).records
    assert record.details is not None
    assert [(incident.kind.value, incident.minute) for incident in record.details.incidents] == [
        ("goal", 8),
        ("yellow_card", 21),
        ("penalty", 46),
        ("own_goal", 93),
    ]


def test_a_player_named_twice_stands_once_in_the_line_ups() -> None:
    home = {"teamId": 301, "players": [{"playerId": 5, "name": "A"}, {"playerId": 5, "name": "A"}, {"name": "B"}, 7]}
    reading = read("match_centre.html", centre(home=home))
    (record,) = reading.records
    assert record.details is not None
    assert [entry.player.name for entry in record.details.lineups if entry.side is Side.HOME] == ["A"]
    assert reading.notes["players left out of the line-ups"] == 3


@pytest.mark.parametrize(
    ("home", "away", "corners", "fouls"),
    [
        ({"shotsTotal": {"1": 4}, "cornersTotal": {"2": 3}}, {"shotsTotal": {"1": 2}}, (3, 0), (0, 0)),
        ({"shotsTotal": {"1": 4}, "foulsCommited": {}}, {"shotsTotal": {}}, (0, 0), (0, 0)),
        ({"shotsTotal": {"1": 4}}, {"shotsTotal": {"1": 2}}, (None, None), (None, None)),
        ({"shotsTotal": {"1": 4}, "cornersTotal": {"2": 3}}, {}, (3, None), (None, None)),
        ({}, {}, (None, None), (None, None)),
    ],
)
def test_a_count_that_a_full_report_leaves_out_is_zero(
    home: dict[str, Any], away: dict[str, Any], corners: tuple[object, ...], fouls: tuple[object, ...]
) -> None:
    sides = {
        "home": {"teamId": 301, "players": [], "stats": home},
        "away": {"teamId": 302, "players": [], "stats": away},
    }
    stats = read("match_centre.html", centre(**sides)).records[0].stats
    assert stats is not None
    assert (stats.home_corners, stats.away_corners) == corners
    assert (stats.home_fouls, stats.away_fouls) == fouls


@pytest.mark.parametrize("stats", [{"shotsTotal": {"1": "x"}}, {"shotsTotal": {"1": 1e9}}, {"shotsTotal": {"1": -1}}])
def test_a_statistic_that_is_no_count_is_left_out(stats: dict[str, Any]) -> None:
    home = {"teamId": 301, "players": [], "stats": stats}
    reading = read("match_centre.html", centre(home=home))
    assert reading.records[0].stats is not None
    assert reading.records[0].stats.home_shots is None
    assert reading.notes["counts dropped"] == 1


def test_a_half_time_score_above_the_full_time_score_is_dropped() -> None:
    reading = read("match_centre.html", centre(htScore="3 : 0"))
    assert reading.records[0].home_goals_half_time is None
    assert reading.notes == {"half-time scores dropped": 1}


def test_a_month_of_400_matches_is_read_whole() -> None:
    incidents = [goal(10, 0, 1), goal(20, 0, 1), goal(30, 1, 1)]
    content = json.dumps(document(*(entry(id=i + 1, incidents=incidents) for i in range(400)))).encode()
    assert len(read_feed(Page(URL, content, FETCHED_AT)).records) == 400
