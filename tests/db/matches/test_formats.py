"""One match, once: a fixture and its result on different days, and a pair that meets twice within days."""

from __future__ import annotations

from itertools import permutations

import pytest

from apps.matches.models import Contradiction, Match
from apps.matches.records import CompetitionKey, MatchRecord, MatchStatus
from tests.db.matches.conftest import at, record

LEAGUE = CompetitionKey("England", "League One", 3)
CLUBS = ("Aldermoor", "Birkfell", "Cotswell", "Dunmarsh")


def game(kickoff: str, result: str = "", home: str = "Aldermoor", away: str = "Birkfell", **fields) -> MatchRecord:
    return record(kickoff, result, **({"competition": LEAGUE, "home_team": home, "away_team": away} | fields))


def twice(season: str, *, first: str, second: str) -> list[MatchRecord]:
    """Return a season in which each pair meets twice at each ground."""
    pairs = list(permutations(CLUBS, 2))
    days = [(pair, f"{month}-{n + 1:02d}") for month in (first, second) for n, pair in enumerate(pairs)]
    return [game(day, f"{n % 3}-{n % 2}", *pair, season=season) for n, (pair, day) in enumerate(days)]


def stored() -> list[tuple[str, str, int | None]]:
    matches = Match.objects.filter(home_team__name="Aldermoor", away_team__name="Birkfell", season__label="2023-24")
    return [(f"{each.kickoff_at:%Y-%m-%d}", each.status, each.home_goals) for each in matches.order_by("kickoff_at")]


@pytest.mark.parametrize("status", ["scheduled", "unknown", "postponed"])
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("day", ["2024-02-22", "2024-03-22", "2023-10-01"])
def test_a_fixture_and_its_result_in_one_input_are_one_match(store, status, is_first, day):
    fixture, result = game(day, status=MatchStatus(status)), game("2024-03-08", "3-1")
    report = store(*((fixture, result) if is_first else (result, fixture)))
    assert (report.created, report.refused) == (1, 0)
    assert stored() == [("2024-03-08", "finished", 3)]
    again = store(*((fixture, result) if is_first else (result, fixture)))
    assert (again.created, again.changed) == (0, 0)


def test_a_fixture_and_its_result_in_one_input_are_one_match_where_pairs_meet_twice_too(store):
    store(*twice("2022-23", first="2022-08", second="2023-01"))
    report = store(
        game("2023-08-01", "0-0"), game("2024-02-22"), game("2024-03-08", "3-1"), game("2023-08-03", "1-0", "Cotswell")
    )
    assert report.refused == 0
    assert stored() == [("2023-08-01", "finished", 0), ("2024-03-08", "finished", 3)]


def test_a_fixture_to_come_is_another_meeting_where_pairs_meet_twice(store):
    store(*twice("2022-23", first="2022-08", second="2023-01"))
    store(game("2024-06-20", "3-1"), game("2024-07-08"))
    assert stored() == [("2024-06-20", "finished", 3), ("2024-07-08", "scheduled", None)]


@pytest.mark.parametrize("status", ["cancelled", "scheduled", "unknown", "postponed"])
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
@pytest.mark.parametrize(("day", "meetings"), [("2024-05-11", 2), ("2024-01-03", 1), ("2023-11-08", 1)])
def test_a_match_without_a_result_is_the_same_meeting_in_either_order_of_sources(store, status, order, day, meetings):
    store(*twice("2022-23", first="2022-08", second="2023-01"))
    fixture, result = game(day, status=MatchStatus(status)), game("2023-12-06", "2-1")
    for source, reported in [("openfootball", fixture), ("football-data", result)][order]:
        store(reported, source=source)
    assert stored() == [("2023-12-06", "finished", 2), (day, status, None)][:meetings]


@pytest.mark.parametrize("days", [3, 4, 7, 10])
@pytest.mark.parametrize("is_one_input", [True, False])
def test_a_copy_of_a_result_some_days_later_is_in_doubt(store, days, is_one_input):
    result, copy = game("2023-09-10", "2-1"), game(f"2023-09-{10 + days}", "2-1")
    if is_one_input:
        report = store(result, copy)
    else:
        store(result)
        report = store(copy, source="openfootball")
    assert report.refused == 1
    assert f"{days} days away, has the same result" in report.refusals[0].reason
    assert stored() == [("2023-09-10", "finished", 2)]


def test_a_copy_is_in_doubt_whatever_the_season_before_was_like(store):
    store(*twice("2022-23", first="2022-08", second="2023-01"))
    store(game("2023-09-10", "2-1"))
    assert store(game("2023-09-14", "2-1"), source="openfootball").refused == 1


def test_another_result_some_days_later_is_a_contradiction(store):
    store(game("2023-09-10", "2-1"))
    report = store(game("2023-09-14", "3-1"), source="openfootball")
    assert report.refused == 1
    assert "has another result" in report.refusals[0].reason
    found = Contradiction.objects.get()
    assert (found.source, found.reported, found.standing) == ("openfootball", "3–1", "2–1")
    assert stored() == [("2023-09-10", "finished", 2)]


def test_two_results_some_days_apart_are_two_meetings_where_pairs_of_this_season_meet_twice(store):
    season = twice("2023-24", first="2023-08", second="2024-01")
    report = store(*season, game("2024-01-05", "4-3"))
    assert report.refused == 0
    assert ("2024-01-05", "finished", 4) in stored()


def test_a_play_off_is_a_meeting_of_its_own(store):
    store(game("2024-05-01", "2-1"))
    report = store(game("2024-05-08", "3-1", stage="Play-offs"))
    assert (report.created, report.refused) == (1, 0)
    again = store(game("2024-05-01", "2-1"), game("2024-05-08", "3-1", stage="Play-offs"))
    assert (again.created, again.changed, again.refused) == (0, 0, 0)


@pytest.mark.parametrize("fields", [{"stage": "Aufstieg"}, {"round": "Semifinals"}, {"round": "Final"}])
def test_a_play_off_is_known_by_its_stage_or_round(store, fields):
    # Modena played Cesena on 30 May 2014, on the last day of the season, and on 8 June in the play-offs.
    store(game("2024-05-30", "1-1", round="Matchday 42"))
    assert store(game("2024-06-08", "0-1", **fields), source="openfootball").created == 1


def test_a_fixture_of_the_play_offs_is_not_the_match_of_the_season(store):
    store(game("2023-10-01", "2-1"))
    assert store(game("2024-07-20", stage="Play-offs"), now=at("2024-07-10")).created == 1


def test_a_result_in_a_later_batch_finds_the_fixture_of_an_earlier_one(store, monkeypatch):
    monkeypatch.setattr("apps.matches.ingest.ingestion.BATCH", 1)
    report = store(game("2024-02-22"), game("2024-03-01", "0-0", season="2022-23"), game("2024-03-08", "3-1"))
    assert (report.created, report.changed) == (2, 1)
