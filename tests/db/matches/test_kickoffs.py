"""Kick-offs: the order of trust, days that turned out wrong, and files whose clock is off."""

from __future__ import annotations

from itertools import permutations

import pytest

from apps.matches.models import Match, MatchChange
from apps.matches.records import CompetitionKey, KickoffPrecision, MatchRecord
from tests.db.matches.conftest import at, record

NOW = at("2026-11-29 12:00")
LEAGUE = CompetitionKey("England", "League Two", 4)
CLUBS = ("Aldermoor", "Birkfell", "Cotswell", "Dunmarsh", "Eastry")
PAIRS = list(permutations(CLUBS, 2))


def game(kickoff: str, result: str = "", pair=PAIRS[0], **fields) -> MatchRecord:
    return record(
        kickoff,
        result,
        **({"competition": LEAGUE, "season": "2026-27", "home_team": pair[0], "away_team": pair[1]} | fields),
    )


def fixtures(clock: str, count: int, *, start: int = 1) -> list[MatchRecord]:
    """Return fixtures of December, one pair a day, all at one time."""
    return [game(f"2026-12-{day:02d} {clock}", pair=PAIRS[day - 1]) for day in range(start, start + count)]


def kickoffs() -> list[str]:
    return [f"{at:%m-%d %H:%M}" for at in Match.objects.order_by("kickoff_at").values_list("kickoff_at", flat=True)]


@pytest.fixture
def of(store):
    return lambda *records, now=NOW: store(*records, source="openfootball", now=now)


@pytest.fixture
def fd(store):
    return lambda *records, now=NOW: store(*records, source="football-data", now=now)


# ── The order of trust ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("order", ["of fd of fd", "fd of fd of"])
@pytest.mark.parametrize("trusted", ["2026-12-12 15:00", "2026-12-13 12:30", "2026-12-22 20:00", "2026-12-10 19:45"])
def test_the_kickoff_of_the_more_trusted_source_is_stored_in_any_order(of, fd, trusted, order):
    reports = [of(game("2026-12-12 14:00")) if name == "of" else fd(game(trusted)) for name in order.split()]
    assert kickoffs() == [trusted[5:]]
    assert [report.changed for report in reports[2:]] == [0, 0]


def test_a_fixture_that_was_not_played_takes_a_day_from_any_source(of, fd):
    fd(game("2026-12-12 15:00"))
    later = at("2026-12-14")
    assert of(game("2026-12-20 14:00"), now=later).changed == 1
    assert kickoffs() == ["12-20 14:00"]
    # The list of the more trusted source still has the day that was not kept.
    assert [run(game(day), now=later).changed for run, day in ((fd, "2026-12-12 15:00"), (of, "2026-12-20 14:00"))] == [
        0,
        0,
    ]
    assert fd(game("2026-12-21 15:00"), now=later).changed == 1
    assert kickoffs() == ["12-21 15:00"]


def test_a_result_moves_a_fixture_that_was_to_be_played_on_another_day(of, fd):
    fd(game("2026-12-12 15:00"))
    of(game("2026-12-05 14:00", "2-1"), now=at("2026-12-07"))
    assert kickoffs() == ["12-05 14:00"]


def test_a_result_of_a_less_trusted_source_does_not_move_the_kickoff(of, fd):
    fd(game("2026-12-12 15:00"))
    of(game("2026-12-12 14:00", "2-1"), now=at("2026-12-14"))
    match = Match.objects.get()
    assert (match.result_source, match.kickoff_source, kickoffs()) == ("openfootball", "football-data", ["12-12 15:00"])


def test_the_same_kickoff_of_a_more_trusted_source_is_not_moved_afterwards(of, fd):
    of(game("2026-12-12 15:00"))
    fd(game("2026-12-12 15:00"))
    of(game("2026-12-12 17:30"))
    assert kickoffs() == ["12-12 15:00"]
    assert not MatchChange.objects.exists()


# ── Clocks ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("order", ["of fd of", "fd of fd", "fd of of"])
def test_a_file_that_is_an_hour_early_is_moved_as_the_more_trusted_source_has_it(of, fd, order):
    for name in order.split():
        report = of(*fixtures("14:00", 12)) if name == "of" else fd(*fixtures("15:00", 4))
    assert kickoffs() == [f"12-{day:02d} 15:00" for day in range(1, 13)]
    assert (report.created, report.changed) == (0, 0)


def test_a_moved_clock_is_noted_with_the_matches_of_the_file(of, fd):
    fd(*fixtures("15:00", 4))
    assert of(*fixtures("14:00", 12)).notes == {"times moved 60 minutes later, as football-data has most of them": 12}


def test_a_moved_clock_is_noted_with_the_matches_that_were_stored_before(of, fd):
    of(*fixtures("14:00", 12))
    note = "stored openfootball: times moved 60 minutes later, as football-data has most of them"
    assert fd(*fixtures("15:00", 4)).notes == {note: 8}


def test_a_clock_moves_what_is_stored_once_however_many_rounds_an_input_needs(of, fd):
    of(*fixtures("14:00", 12))
    # The first pair comes twice, as a fixture of the past and with its result, and so in a second round.
    fd(game("2026-11-14 15:00"), *fixtures("15:00", 4, start=2), game("2026-11-21 15:00", "2-1"))
    assert kickoffs() == ["11-21 15:00", *(f"12-{day:02d} 15:00" for day in range(2, 13))]


def test_times_that_differ_without_a_pattern_count_as_dates(of, fd):
    clocks = ("12:30", "17:30", "19:45", "15:00")
    fd(*(game(f"2026-12-0{n} {clock}", pair=PAIRS[n - 1]) for n, clock in enumerate(clocks, start=1)))
    report = of(*fixtures("14:10", 6))
    assert report.notes == {"times left out, since most of them differ from those of football-data": 6}
    dates = Match.objects.filter(kickoff_precision=KickoffPrecision.DATE)
    assert [f"{match.kickoff_at:%m-%d %H:%M}" for match in dates.order_by("kickoff_at")] == [
        "12-05 00:00",
        "12-06 00:00",
    ]


def test_a_few_rescheduled_matches_move_no_clock(of, fd):
    fd(*fixtures("14:00", 6), game("2026-12-07 15:00", pair=PAIRS[6]), game("2026-12-08 15:00", pair=PAIRS[7]))
    assert of(*fixtures("14:00", 10)).notes == {}
    assert kickoffs()[6:] == ["12-07 15:00", "12-08 15:00", "12-09 14:00", "12-10 14:00"]


def test_two_matches_are_too_few_to_judge_a_clock(of, fd):
    fd(*fixtures("15:00", 2))
    assert of(*fixtures("14:00", 5)).notes == {}
