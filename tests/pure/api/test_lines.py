"""From a line of a feed to a record."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.api.intake import LineError, OddsLine, read_line
from apps.matches.records import KickoffPrecision, MatchRecord, MatchStatus, Moment

PLAIN = {
    "competition": {"region": "England", "name": "Premier League"},
    "season": "2026-27",
    "home_team": "Leeds",
    "away_team": "Hull",
    "kickoff_at": "2026-11-23T15:00:00Z",
}
QUOTE = {"bookmaker": "B365", "moment": "closing", "home": 1.9, "draw": 3.5, "away": 4.2}


def read(**fields) -> MatchRecord | OddsLine:
    return read_line(json.dumps(PLAIN | fields).encode())


def refusal(raw: bytes) -> tuple[str, str]:
    with pytest.raises(LineError) as error:
        read_line(raw)
    return error.value.pointer, error.value.reason


def test_a_line_becomes_the_record_that_it_tells():
    record = read(
        kickoff_at="2026-11-23T16:00:00+01:00",
        status="finished",
        home_goals=2,
        away_goals=1,
        finished_at="2026-11-23T16:54:00Z",
        competition={"region": "England", "name": "League Two", "level": 4, "is_simulated": True},
        stats={"home_shots": 11, "referee": " A. Taylor "},
        odds=[QUOTE, {"bookmaker": "PS", "moment": "opening", "handicap": -0.5, "handicap_home": 2}],
        source_id="m1",
        round="Matchday 12",
    )
    assert record.kickoff_at == datetime(2026, 11, 23, 15, tzinfo=UTC)
    assert (record.status, record.home_goals, record.away_goals) == (MatchStatus.FINISHED, 2, 1)
    assert record.known_at == datetime(2026, 11, 23, 16, 54, tzinfo=UTC)
    assert (record.competition.level, record.competition.is_simulated) == (4, True)
    assert (record.stats.home_shots, record.stats.away_shots, record.stats.referee) == (11, None, "A. Taylor")
    assert [quote.moment for quote in record.odds] == [Moment.CLOSING, Moment.OPENING]
    assert (record.odds[1].handicap, record.odds[1].handicap_home) == (-0.5, 2.0)


def test_what_is_null_was_not_told():
    assert read(home_goals=None, stats=None, odds=None, type=None, source_id=None) == read()


def test_a_day_is_written_as_a_day():
    record = read(kickoff_at="2026-11-23", kickoff_precision="date")
    assert record.kickoff_at == datetime(2026, 11, 23, tzinfo=UTC)
    assert record.kickoff_precision == KickoffPrecision.DATE


def test_a_line_of_odds_names_its_match_by_the_id():
    line = read_line(json.dumps({"type": "odds", "source_id": "m1", "odds": [QUOTE]}).encode())
    assert isinstance(line, OddsLine)
    assert (line.source_id, line.odds[0].away) == ("m1", 4.2)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "one JSON object"),
        (b"12", "one JSON object"),
        (b'"text"', "one JSON object"),
        (b'{"a": 1} {"b": 2}', "not valid JSON"),
        (b'{"home_team": "\xff"}', "byte 16 is not UTF-8"),
        (b'{"home_team": "a\x00b"}', "not valid JSON"),
        (b'{"odds": [{"home": NaN}]}', "NaN is not a number"),
        (b'{"odds": [{"home": -Infinity}]}', "-Infinity is not a number"),
        (b"[" * 60_000, "nested too deeply"),
        (b'{"home_goals": ' + b"9" * 5_000 + b"}", "a number that is too long"),
        (b'{"season": "2026", "season": "2027"}', "'season' comes twice"),
        ("{\ufeff}".encode(), "not valid JSON"),
        (json.dumps(PLAIN).encode("utf-16"), "not UTF-8"),
    ],
)
def test_what_is_no_line_is_refused_as_a_whole(raw, said):
    pointer, reason = refusal(raw)
    assert pointer == ""
    assert said in reason


@pytest.mark.parametrize(
    ("fields", "pointer", "said"),
    [
        ({"hom_team": "Leeds"}, "/hom_team", "there is no field 'hom_team'"),
        ({"a/b~c": 1}, "/a~1b~0c", "there is no field"),
        ({"\ud800": 1}, "/?", "there is no field"),
        ({"type": "game"}, "/type", "neither match nor odds"),
        ({"type": ""}, "/type", "neither match nor odds"),
        ({"type": []}, "/type", "neither match nor odds"),
        ({"competition": "Premier League"}, "/competition", "an object"),
        ({"competition": None}, "/competition", "missing"),
        ({"competition": {"region": "England"}}, "/competition/name", "missing"),
        ({"competition": {"region": "", "name": "x"}}, "/competition/region", "missing"),
        ({"competition": {"region": "England", "name": "x", "level": -1}}, "/competition/level", "between 0"),
        ({"competition": {"region": "England", "name": "x", "tier": 1}}, "/competition/tier", "no field"),
        ({"season": "2026/27"}, "/season", "2023-24"),
        ({"season": 2026}, "/season", "a text"),
        ({"season": "٢٠٢٦"}, "/season", "2023-24"),
        ({"home_team": ""}, "/home_team", "missing"),
        ({"home_team": " \u00a0 "}, "/home_team", "missing"),
        ({"home_team": "Lee\u0000ds"}, "/home_team", "control character"),
        ({"home_team": "Lee\nds"}, "/home_team", "control character"),
        ({"home_team": "Lee\ud800ds"}, "/home_team", "not a character"),
        ({"home_team": ["Leeds"]}, "/home_team", "a text"),
        ({"kickoff_at": "2026-11-23T15:00:00"}, "/kickoff_at", "no zone"),
        ({"kickoff_at": "tomorrow"}, "/kickoff_at", "not a moment"),
        ({"kickoff_at": 1764000000}, "/kickoff_at", "a text"),
        ({"kickoff_at": "0001-01-01T00:00:00+14:00"}, "/kickoff_at", "not a moment"),
        ({"kickoff_at": "2026-11-23"}, "/kickoff_at", "kickoff_precision date"),
        ({"kickoff_precision": "date"}, "/kickoff_at", "must be a day"),
        ({"kickoff_precision": "second"}, "/kickoff_precision", "none of minute, date"),
        ({"status": "over"}, "/status", "none of scheduled"),
        ({"status": {}}, "/status", "none of scheduled"),
        ({"home_goals": "2"}, "/home_goals", "whole number"),
        ({"home_goals": 2.0}, "/home_goals", "whole number"),
        ({"home_goals": True}, "/home_goals", "whole number"),
        ({"home_goals": -1}, "/home_goals", "between 0"),
        ({"home_penalties": 40_000}, "/home_penalties", "between 0"),
        ({"is_neutral": 1}, "/is_neutral", "true or false"),
        ({"finished_at": "9999-12-31T00:00:00Z"}, "/finished_at", "after kick-off"),
        ({"stats": []}, "/stats", "an object"),
        ({"stats": {"home_shots": 1.5}}, "/stats/home_shots", "whole number"),
        ({"stats": {"attendance": 2**31}}, "/stats/attendance", "between 0"),
        ({"odds": {}}, "/odds", "a list"),
        ({"odds": [QUOTE, 7]}, "/odds/1", "an object"),
        ({"odds": [{"moment": "closing"}]}, "/odds/0/bookmaker", "missing"),
        ({"odds": [QUOTE | {"bookmaker": "William Hill"}]}, "/odds/0/bookmaker", "letters and digits"),
        ({"odds": [QUOTE | {"moment": "now"}]}, "/odds/0/moment", "opening, closing"),
        ({"odds": [QUOTE, QUOTE | {"home": "1.9"}]}, "/odds/1/home", "a number"),
        ({"odds": [QUOTE | {"home": 1}]}, "/odds/0", "no decimal price"),
        ({"odds": [QUOTE | {"home": -3.5}]}, "/odds/0", "no decimal price"),
        ({"odds": [QUOTE | {"handicap": 10**400}]}, "/odds/0/handicap", "too large"),
        ({"status": "finished"}, "", "finished without goals"),
        ({"home_goals": 1}, "", "goals are missing"),
        ({"home_goals": 120, "away_goals": 0}, "", "120 goals"),
        ({"away_team": "Leeds"}, "", "cannot play itself"),
        ({"finished_at": "2026-11-23T14:00:00Z"}, "", "not after kick-off"),
        ({"details": {}}, "/details", "no field"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(fields, pointer, said):
    found, reason = refusal(json.dumps(PLAIN | fields).encode())
    assert found == pointer
    assert said in reason
    assert reason.isprintable()


def test_a_price_beyond_every_number_is_refused():
    assert refusal(json.dumps(PLAIN | {"odds": [QUOTE]}).replace("1.9", "1e400").encode()) == (
        "/odds/0/home",
        "it is too large",
    )


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_each_field_that_a_match_needs_is_requested(name):
    line = {key: value for key, value in PLAIN.items() if key != name}
    assert refusal(json.dumps(line).encode()) == (f"/{name}", f"{name} is missing")


@pytest.mark.parametrize("name", ["source_id", "odds"])
def test_each_field_that_odds_need_is_requested(name):
    line = {"type": "odds", "source_id": "m1", "odds": [QUOTE]}
    del line[name]
    assert refusal(json.dumps(line).encode())[0] == f"/{name}"


def test_many_names_of_one_object_are_reported_apart_quickly():
    names = [f'"n{n}": 1' for n in range(6_000)]
    pointer, reason = refusal(("{" + ", ".join([*names, '"n5999": 2']) + "}").encode())
    assert (pointer, reason) == ("", "the field 'n5999' comes twice")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


# The first text of a process takes seconds to draw: tables of Unicode are made for it.
@given(
    st.dictionaries(
        st.sampled_from(
            [*PLAIN, "status", "home_goals", "away_goals", "odds", "stats", "finished_at", "type", "kickoff_precision"]
        ),
        anything,
    )
)
def test_whatever_is_reported_becomes_a_record_or_a_refusal(fields):
    try:
        record = read(**fields)
    except LineError:
        return
    assert isinstance(record, MatchRecord)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_refused_in_words(raw):
    with pytest.raises(LineError) as error:
        read_line(raw)
    assert error.value.reason
