"""Records of one run belong together; counts far from those before are not believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.matches.records import (
    AbsenceRecord,
    CompetitionKey,
    LineupRecord,
    MatchDetails,
    MatchRecord,
    MatchStatus,
    Moment,
    OddsRecord,
    PlayerKey,
    Side,
    StatsRecord,
)
from apps.scraping.plausibility import ImplausibleError, is_accepted_at_last, merge, merge_in_batches, out_of_band

KICKOFF = datetime(2026, 11, 21, 15, tzinfo=UTC)
LEAGUE = CompetitionKey("Norland", "First")
PLAYER = PlayerKey("7", "A. Keeper")


def record(**values) -> MatchRecord:
    return MatchRecord(LEAGUE, "2026-27", "Aker", "Birk", KICKOFF, **values)


def result(home: int, away: int, **values) -> MatchRecord:
    return record(status=MatchStatus.FINISHED, home_goals=home, away_goals=away, **values)


@pytest.mark.parametrize(
    ("count", "earlier", "is_believed"),
    [
        (0, [], True),
        (0, [380, 380], True),
        (190, [380, 380, 380], True),
        (189, [380, 380, 380], False),
        (0, [380, 380, 380], False),
        (3800, [300, 380, 380], True),
        (3801, [300, 380, 380], False),
        (0, [4, 4, 4], True),
        (40, [0, 1, 2], True),
        (41, [0, 1, 2], False),
        (200, [10, 380, 380, 380], True),
    ],
)
def test_a_count_is_believed_within_half_the_least_and_ten_times_the_most(count, earlier, is_believed):
    assert (out_of_band(count, earlier) == "") is is_believed


def test_the_reason_names_the_counts():
    assert out_of_band(1, [20, 22, 24]) == "1 matches where the latest 3 runs found 20 to 24"


def test_two_records_of_one_match_become_one_that_keeps_what_either_told():
    opening = OddsRecord("B365", Moment.OPENING, 2.0, 3.0, 4.0)
    closing = OddsRecord("B365", Moment.CLOSING, 2.1, 3.1, 3.9)
    details = MatchDetails(KICKOFF - timedelta(hours=1), lineups=(LineupRecord(PLAYER, Side.HOME, True),))
    first = record(source_id="1", odds=(opening,), stats=StatsRecord(home_shots=9))
    second = result(2, 1, source_id="1", odds=(closing,), details=details)
    (merged,) = merge([first, second])
    assert merged == result(
        2, 1, source_id="1", odds=(opening, closing), details=details, stats=StatsRecord(home_shots=9)
    )


def test_a_later_price_of_the_same_bookmaker_and_moment_stands():
    early, late = (OddsRecord("B365", Moment.OPENING, price, 3.0, 4.0) for price in (2.0, 2.2))
    (merged,) = merge([record(source_id="1", odds=(early,)), record(source_id="1", odds=(late,))])
    assert merged.odds == (late,)


def test_two_results_of_one_match_in_one_run_contradict_each_other():
    with pytest.raises(ImplausibleError, match="Aker – Birk on 2026-11-21 ended 2–1 and 1–2"):
        merge([result(2, 1, source_id="1"), result(1, 2, source_id="1")])


def test_over_time_a_later_result_corrects_an_earlier_one():
    (merged,) = merge([result(2, 1, source_id="1"), result(1, 2, source_id="1")], in_time=True)
    assert (merged.home_goals, merged.away_goals) == (1, 2)


def test_without_an_id_the_teams_and_the_day_name_the_match():
    other_day = replace(record(), kickoff_at=KICKOFF + timedelta(days=9))
    assert len(merge([record(), other_day, record()])) == 2


def test_the_parts_of_a_sheet_complete_each_other_and_an_equal_line_up_keeps_its_first_moment():
    early, late = KICKOFF - timedelta(hours=2), KICKOFF - timedelta(hours=1)
    lineups = (LineupRecord(PLAYER, Side.HOME, True),)
    absences = (AbsenceRecord(PLAYER, Side.AWAY, "injured", "out"),)
    one = record(source_id="1", details=MatchDetails(early, lineups=lineups, absences=absences))
    two = record(source_id="1", details=MatchDetails(late, lineups=lineups))
    (merged,) = merge([one, two])
    assert merged.details == MatchDetails(early, lineups=lineups, absences=absences)


@pytest.mark.parametrize(
    ("count", "doubts", "is_believed"),
    [(7, [], False), (7, [7], False), (7, [7, 7], True), (7, [7, 8], False), (7, [9, 7, 7], True)],
)
def test_a_count_that_comes_three_times_in_a_row_is_believed(count, doubts, is_believed):
    assert is_accepted_at_last(count, doubts) is is_believed


def test_a_match_without_an_id_that_is_moved_is_reported_in_two_inputs():
    moved = replace(record(), kickoff_at=KICKOFF + timedelta(days=4))
    told = [(KICKOFF + timedelta(hours=2), moved), (KICKOFF, record())]
    assert list(merge_in_batches(told)) == [[record()], [moved]]


def test_a_match_with_an_id_is_reported_once_as_it_was_reported_last():
    moved = replace(record(source_id="1"), kickoff_at=KICKOFF + timedelta(days=4))
    told = [(KICKOFF, record(source_id="1")), (KICKOFF + timedelta(hours=2), moved)]
    assert list(merge_in_batches(told)) == [[moved]]
