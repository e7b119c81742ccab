"""openfootball's files, one fault at a time; whole pages are in test_sources_golden.py."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.matches.records import KickoffPrecision, MatchRecord, MatchStatus
from apps.scraping.sources import SOURCES, ParsedFile, ParseError, UnknownCompetitionError
from apps.scraping.sources.competitions import DIVISIONS, LEAGUES, OPENFOOTBALL_CODES, OPENFOOTBALL_TITLES

SOURCE = SOURCES["openfootball"]


def entry(**changes: Any) -> dict[str, Any]:
    base = {
        "round": "Matchday 1",
        "date": "2018-08-11",
        "time": "15:00",
        "team1": "Eastmoor",
        "team2": "Northbridge",
        "score": {"ht": [1, 0], "ft": [2, 1]},
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def parse(*entries: Any, name: str = "2018-19/en.1.json", title: str = "English Premier League 2018/19") -> ParsedFile:
    return SOURCE.parse_file(name, json.dumps({"name": title, "matches": list(entries)}).encode())


def only(parsed: ParsedFile) -> MatchRecord:
    assert parsed.refused == []
    (record,) = parsed.records
    return record


# competition and season


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("en.1", DIVISIONS["E0"]),
        ("sco.1", DIVISIONS["SC0"]),
        ("de.2", DIVISIONS["D2"]),
        ("at.1", LEAGUES["austria", "bundesliga"]),
        ("br.1", LEAGUES["brazil", "serie a"]),
    ],
)
def test_a_league_has_the_key_that_football_data_gives_it(code: str, key: object) -> None:
    assert only(parse(entry(), name=f"2018-19/{code}.json")).competition == key


def test_no_two_codes_mean_one_competition() -> None:
    assert len(set(OPENFOOTBALL_CODES.values())) == len(OPENFOOTBALL_CODES)


@pytest.mark.parametrize(
    ("title", "name", "season"),
    [
        ("English Premier League 2018/19", "elsewhere/en.1.json", "2018-19"),
        ("Japan | J1 League 2019", "2018-19/jp.1.json", "2019"),
        ("Bundesliga 1999/2000", "x/de.1.json", "1999-00"),
        ("Bundesliga", "2018-19/de.1.json", "2018-19"),
        ("Série A", "data/2020/br.1.json", "2020"),
    ],
)
def test_the_season_stands_in_the_title_else_in_the_folder(title: str, name: str, season: str) -> None:
    assert only(parse(entry(), name=name, title=title)).season == season


# times


@pytest.mark.parametrize(
    ("code", "date", "clock", "utc"),
    [
        ("en.1", "2018-08-11", "15:00", datetime(2018, 8, 11, 14, 0, tzinfo=UTC)),
        ("de.1", "2018-12-22", "15:30", datetime(2018, 12, 22, 14, 30, tzinfo=UTC)),
        ("br.1", "2019-04-27", "21:00", datetime(2019, 4, 28, 0, 0, tzinfo=UTC)),
        ("jp.1", "2019-02-22", "19:00", datetime(2019, 2, 22, 10, 0, tzinfo=UTC)),
        ("uefa.cl", "2012-03-07", "20:45", datetime(2012, 3, 7, 19, 45, tzinfo=UTC)),
        ("tr.1", "2018-12-22", "16:00", datetime(2018, 12, 22, 13, 0, tzinfo=UTC)),  # no winter time since 2016
        ("en.1", "2018-08-11", "9:05", datetime(2018, 8, 11, 8, 5, tzinfo=UTC)),
    ],
)
def test_clock_times_are_those_of_the_country(code: str, date: str, clock: str, utc: datetime) -> None:
    record = only(parse(entry(date=date, time=clock), name=f"2018-19/{code}.json"))
    assert record.kickoff_at == utc
    assert record.kickoff_precision == KickoffPrecision.MINUTE


@pytest.mark.parametrize(
    ("code", "clock", "noted"),
    [("en.1", ..., False), ("en.1", "15:00 UTC+1", True), ("en.1", "25:00", True), ("au.1", "19:50", True)],
)
def test_without_a_known_clock_a_match_has_the_precision_of_its_date(code: str, clock: Any, noted: bool) -> None:
    parsed = parse(entry(time=clock), name=f"2018-19/{code}.json")
    assert only(parsed).kickoff_at == datetime(2018, 8, 11, tzinfo=UTC)
    assert only(parsed).kickoff_precision == KickoffPrecision.DATE
    assert parsed.notes == ({"times without a known clock": 1} if noted else {})


def test_a_date_a_year_too_early_is_corrected_and_noted() -> None:
    parsed = parse(
        entry(date="2019-08-09"),
        entry(date="2020-06-30", team1="Harwell"),
        entry(date="2019-07-01", team1="Glenfoot"),
        entry(date="2019-07-26", team1="Strathend"),
    )
    assert [r.kickoff_at.date().isoformat() for r in parsed.records] == [
        "2019-08-09", "2020-06-30", "2020-07-01", "2020-07-26"
    ]  # fmt: skip
    assert parsed.notes == {"dates a year too early, corrected": 2}


def test_a_match_that_was_brought_forward_keeps_its_date() -> None:
    parsed = parse(entry(date="2020-04-18"), entry(date="2019-08-10", team1="Harwell"))
    assert parsed.records[1].kickoff_at.date().isoformat() == "2019-08-10"
    assert parsed.notes == {}


# scores


def test_goals_are_those_of_ninety_minutes_and_extra_time_stands_apart() -> None:
    record = only(parse(entry(score={"ht": [1, 0], "ft": [2, 2], "et": [3, 3], "p": [4, 3]})))
    assert (record.home_goals, record.away_goals) == (2, 2)
    assert (record.home_goals_half_time, record.away_goals_half_time) == (1, 0)
    assert (record.home_goals_extra_time, record.away_goals_extra_time) == (3, 3)
    assert (record.home_penalties, record.away_penalties) == (4, 3)


def test_part_scores_that_contradict_the_result_are_dropped_and_noted() -> None:
    parsed = parse(entry(score={"ht": [3, 0], "ft": [2, 2], "et": [1, 2]}))
    record = only(parsed)
    assert (record.home_goals_half_time, record.home_goals_extra_time) == (None, None)
    assert parsed.notes == {"half-time scores dropped": 1, "extra-time scores dropped": 1}


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("awarded", MatchStatus.AWARDED),
        ("cancelled", MatchStatus.CANCELLED),
        ("postponed", MatchStatus.POSTPONED),
        ("abandoned", MatchStatus.ABANDONED),
    ],
)
def test_a_status_is_kept(written: str, status: MatchStatus) -> None:
    assert only(parse(entry(status=written))).status == status


def test_a_new_status_is_unknown_and_noted() -> None:
    parsed = parse(entry(status="replayed"))
    assert only(parsed).status == MatchStatus.UNKNOWN
    assert parsed.notes == {"status 'replayed' is unknown": 1}


def test_a_match_without_goals_is_scheduled_when_it_lies_ahead_and_unknown_otherwise() -> None:
    parsed = parse(
        entry(date="2018-08-11", score={}),
        entry(date="2018-08-12"),
        entry(date="2018-08-12", time="17:30", score=...),
        entry(date="2018-08-19", score=None),
    )
    assert [r.status for r in parsed.records] == [
        MatchStatus.UNKNOWN, MatchStatus.FINISHED, MatchStatus.SCHEDULED, MatchStatus.SCHEDULED
    ]  # fmt: skip


# teams, stages


def test_a_country_behind_the_name_is_where_the_team_comes_from() -> None:
    parsed = parse(entry(team1="APOEL Nikosia (CYP)", team2="Chelsea FC (ENG)"), name="2018-19/uefa.cl.json")
    record = only(parsed)
    assert (record.home_team, record.home_region) == ("APOEL Nikosia", "Cyprus")
    assert (record.away_team, record.away_region) == ("Chelsea FC", "England")


@pytest.mark.parametrize(
    ("fields", "stage", "round_"),
    [
        ({"round": "Matchday 7"}, "", "Matchday 7"),
        ({"round": "Group A"}, "Group A", ""),
        ({"round": "Apertura Playoffs, Quarterfinals"}, "Apertura Playoffs", "Quarterfinals"),
        ({"round": "Matchday 23", "stage": "Playoffs - Relegation"}, "Playoffs - Relegation", "Matchday 23"),
        ({"round": "Matchday 7", "stage": "Regular"}, "", "Matchday 7"),
        ({"round": ..., "stage": "Playoffs"}, "Playoffs", ""),
    ],
)
def test_stage_and_round_are_reported_apart(fields: dict[str, Any], stage: str, round_: str) -> None:
    record = only(parse(entry(**fields)))
    assert (record.stage, record.round) == (stage, round_)


# what is refused


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry(date=...), "date None cannot be read"),
        (entry(date="11.08.2018"), "date '11.08.2018' cannot be read"),
        (entry(date="0001-01-01"), "date '0001-01-01' cannot be meant"),
        (entry(team2=""), "team2 is missing"),
        (entry(team2="Eastmoor"), "match: Eastmoor cannot play itself"),
        (entry(score={"ht": [1, 0]}), "a score without the one after 90 minutes"),
        (entry(score={"ft": [1]}), "score ft [1] is not two counts"),
        (entry(score={"ft": ["1", "0"]}), "score ft ['1', '0'] is not two counts"),
        (entry(score={"ft": [-1, 0]}), "score ft [-1, 0] is not two counts"),
        (entry(score="2-1"), "score '2-1' is not an object"),
        ("2-1", "the entry is not an object"),
    ],
)
def test_an_entry_that_cannot_be_a_match_is_refused_with_its_reason(bad: Any, reason: str) -> None:
    parsed = parse(entry(team1="Harwell"), bad)
    (refused,) = parsed.refused
    assert (refused.file, refused.line, refused.reason) == ("2018-19/en.1.json", 2, reason)
    assert len(parsed.records) == 1


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"", "the file is empty"),
        (b"<html>Not Found</html>", "valid JSON"),
        (b"\xff\xfe", "valid JSON"),
        (b"[]", "key name"),
        (b'{"matches": []}', "key name"),
        (b'{"name": "Premier League 2018/19"}', "a list of matches"),
        (b'{"name": "Premier League 2018/19", "matches": []}', "a list of matches"),
    ],
)
def test_what_is_no_file_of_this_source_raises_what_is_missing(content: bytes, missing: str) -> None:
    with pytest.raises(ParseError, match=missing):
        SOURCE.parse_file("2018-19/en.1.json", content)


def test_an_unknown_competition_or_season_raises() -> None:
    with pytest.raises(UnknownCompetitionError, match=r"competition 'xx\.9' is unknown"):
        parse(entry(), name="2018-19/xx.9.json", title="Isles Premier League 2018/19")
    with pytest.raises(UnknownCompetitionError, match=r"competition 'en\.1-en\.2' is unknown"):
        parse(entry(), name="2018-19/en.1-en.2.json", title="Two Leagues 2018/19")
    with pytest.raises(ParseError, match="a season"):
        parse(entry(), name="en.1.json", title="Premier League")


@pytest.mark.parametrize(
    "name",
    ["EN.1.json", "en.1 (1).json", "2018-19_en.1.json", "en.1-2018-19.JSON", "x.zip/2018-19/en.1", "copy of en.1.json"],
)
def test_the_code_may_stand_anywhere_in_the_name(name: str) -> None:
    content = json.dumps({"name": "Premier League 2018/19", "matches": [entry()]}).encode()
    assert SOURCE.accepts(name, content)
    assert only(SOURCE.parse_file(name, content)).competition == DIVISIONS["E0"]


@pytest.mark.parametrize("name", ["matches.json", "en.10.json", "sven.1.json", "en.1-de.1.json"])
def test_without_a_code_in_its_name_a_file_is_known_by_its_title(name: str) -> None:
    assert only(parse(entry(), name=name, title="Deutsche 2. Bundesliga 2018/19")).competition == DIVISIONS["D2"]


def test_every_title_leads_to_a_code_that_is_known() -> None:
    assert set(OPENFOOTBALL_TITLES.values()) == set(OPENFOOTBALL_CODES)


@pytest.mark.parametrize(
    ("title", "name", "season"),
    [
        ("Bundesliga", "2018-19_de.1.json", "2018-19"),
        ("Bundesliga", "downloads 2024-09-01/2018-19 de.1.json", "2018-19"),
        ("Bundesliga", "2018-19.zip/de.1.json", "2018-19"),
        ("2018/19 Bundesliga", "2017-18/de.1.json", "2018-19"),
    ],
)
def test_the_season_may_stand_in_the_name(title: str, name: str, season: str) -> None:
    assert only(parse(entry(), name=name, title=title)).season == season


def test_a_date_in_the_name_is_no_season() -> None:
    with pytest.raises(ParseError, match="a season"):
        parse(entry(), name="2024-09-01/de.1.json", title="Bundesliga")


def test_files_of_before_2020_list_rounds_with_objects_for_teams() -> None:
    old = {
        "date": "2014-08-16",
        "team1": {"key": "eastmoor", "name": "Eastmoor", "code": "EAS"},
        "team2": {"key": "northbridge", "name": "Northbridge", "code": "NOR"},
        "score1": 2,
        "score2": 1,
    }
    content = json.dumps(
        {
            "name": "English Premier League 2014/15",
            "rounds": [
                {"name": "Matchday 1", "matches": [old]},
                {"name": "Matchday 2", "matches": [old | {"date": "2014-08-23", "score1": None, "score2": None}]},
            ],
        }
    ).encode()
    assert SOURCE.accepts("any.json", content)
    played, coming = SOURCE.parse_file("2014-15/en.1.json", content).records
    assert (played.home_team, played.away_team, played.round) == ("Eastmoor", "Northbridge", "Matchday 1")
    assert (played.home_goals, played.away_goals, coming.status) == (2, 1, MatchStatus.SCHEDULED)


@pytest.mark.parametrize("rounds", [[], [{"name": "Matchday 1"}], ["x"], [{"matches": ["x", {"team1": {}}]}], [None]])
def test_whatever_the_rounds_hold_they_are_read_or_refused(rounds: list[Any]) -> None:
    content = json.dumps({"name": "English Premier League 2014/15", "rounds": rounds}).encode()
    with suppress(ParseError):
        assert SOURCE.parse_file("2014-15/en.1.json", content).records == []


@pytest.mark.parametrize(
    ("name", "content", "accepted"),
    [
        ("2018-19/en.1.json", b"", True),
        ("/srv/of/2023-24/UEFA.CL.json", b"<html>", True),
        ("package.json", b'{"name": "x", "version": "1.0.0"}', False),
        ("en.1.csv", b"Date,Open\n", False),
        ("en.1.clubs.json", b'{"name": "Premier League 2018/19", "clubs": [{"name": "Eastmoor"}]}', False),
        ("LICENSE.md", b"CC0", False),
    ],
)
def test_a_damaged_file_is_known_by_its_name_and_a_list_of_clubs_is_none(
    name: str, content: bytes, accepted: bool
) -> None:
    assert SOURCE.accepts(name, content) is accepted


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_encoding_of_json_is_read(encoding: str) -> None:
    content = json.dumps({"name": "English Premier League 2018/19", "matches": [entry()]}).encode(encoding)
    assert SOURCE.accepts("any", content)
    assert only(SOURCE.parse_file("en.1.json", content)).home_team == "Eastmoor"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab:12 -,()", max_size=8), lambda x: st.lists(x, max_size=3)
)


@settings(max_examples=50)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys((*entry(), "status", "stage"), JSON)))
def test_whatever_an_entry_holds_it_is_read_or_refused(changes: dict[str, Any]) -> None:
    parsed = parse(entry(**changes))
    assert len(parsed.records) + len(parsed.refused) == 1
