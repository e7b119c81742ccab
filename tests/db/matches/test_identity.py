"""Which stored match a record describes."""

from __future__ import annotations

import pytest

from apps.matches.models import Match
from apps.matches.records import CompetitionKey, MatchStatus
from tests.db.matches.conftest import NOW, at, record

ENGLAND = CompetitionKey("England", "Premier League", 1)


def stored():
    """Return day, occurrence, status and score of every match, in the order of kick-off."""
    return [
        (f"{match.kickoff_at:%Y-%m-%d}", match.occurrence, match.status, match.home_goals)
        for match in Match.objects.order_by("kickoff_at", "id")
    ]


def counts(report):
    return report.created, report.changed, report.same, report.refused


# ── Twice at home in one season ──────────────────────────────────────────────────────────────────────────────────────
def test_a_pair_that_meets_twice_at_home_is_two_matches(store):
    records = record("2023-09-03", "1-0"), record("2024-04-07", "3-3")
    assert counts(store(*records)) == (2, 0, 0, 0)
    assert stored() == [("2023-09-03", 1, "finished", 1), ("2024-04-07", 2, "finished", 3)]
    assert counts(store(*reversed(records))) == (0, 0, 2, 0)


def test_the_second_meeting_is_reported_later_together_with_the_first(store):
    store(record("2023-09-03", "1-0"))
    assert counts(store(record("2023-09-03", "1-0"), record("2024-04-07", "1-0"))) == (1, 0, 1, 0)
    assert stored() == [("2023-09-03", 1, "finished", 1), ("2024-04-07", 2, "finished", 1)]


def test_meetings_three_days_apart_are_two_matches(store):
    # Livingston–Hamilton was played on 13 and 16 April 2013.
    store(*[record(day, "2-0", season="2012-13", home_team=home)
            for home in ("Hearts", "Dundee", "Ayr") for day in ("2012-09-03", "2013-03-07")])  # fmt: skip
    records = record("2013-04-13", "0-2", season="2012-13"), record("2013-04-16", "0-0", season="2012-13")
    assert counts(store(*records)) == (2, 0, 0, 0)
    assert counts(store(*records)) == (0, 0, 2, 0)


def test_a_second_meeting_reported_alone_is_new_when_its_result_differs(store):
    store(record("2023-09-03", "1-0"))
    assert counts(store(record("2024-04-07", "3-3"))) == (1, 0, 0, 0)


def test_a_second_meeting_reported_alone_with_the_same_result_is_in_doubt_where_pairs_meet_once(store):
    store(record("2023-09-03", "1-0", competition=ENGLAND))
    report = store(record("2024-04-07", "1-0", competition=ENGLAND))
    assert counts(report) == (0, 0, 0, 1)
    assert "these teams are not known to meet twice" in report.refusals[0].reason


def test_a_second_meeting_reported_alone_with_the_same_result_is_new_where_pairs_are_known_to_meet_twice(store):
    last_year = [
        record(day, "2-0", season="2022-23", home_team=home)
        for home in ("Celtic", "Hearts", "Dundee")
        for day in ("2022-09-03", "2023-04-07")
    ]
    store(*last_year)
    store(record("2023-09-03", "1-0"))
    assert counts(store(record("2024-04-07", "1-0"))) == (1, 0, 0, 0)


def test_a_later_fixture_of_a_pair_that_has_played_is_another_meeting(store):
    store(record("2023-09-03", "1-0"))
    assert counts(store(record("2024-04-07"), now=at("2024-01-01"))) == (1, 0, 0, 0)
    assert stored() == [("2023-09-03", 1, "finished", 1), ("2024-04-07", 2, "scheduled", None)]


# ── Postponed and moved ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "status", [MatchStatus.SCHEDULED, MatchStatus.POSTPONED, MatchStatus.CANCELLED, MatchStatus.UNKNOWN]
)
def test_a_match_that_was_not_played_and_is_played_weeks_later_keeps_its_row(store, status):
    store(record("2023-11-25 15:00", status=status, competition=ENGLAND))
    row = Match.objects.get().pk
    assert counts(store(record("2024-01-30 19:45", "2-2", competition=ENGLAND))) == (0, 1, 0, 0)
    assert stored() == [("2024-01-30", 1, "finished", 2)]
    match = Match.objects.get()
    assert match.pk == row
    change = match.changes.get()
    assert change.before["kickoff_at"] == "2023-11-25T15:00:00+00:00"
    assert change.after["kickoff_at"] == "2024-01-30T19:45:00+00:00"


def test_a_postponed_match_keeps_its_row_while_it_waits(store):
    store(record("2023-11-25 15:00"))
    store(record("2023-11-25 15:00", status=MatchStatus.POSTPONED))
    store(record("2024-01-30 19:45"), now=at("2024-01-02"))
    assert stored() == [("2024-01-30", 1, "scheduled", None)]


def test_of_two_unplayed_meetings_the_postponed_one_takes_the_date_that_the_other_does_not(store):
    store(record("2023-11-25"), record("2024-02-03"), now=at("2023-08-01"))
    # Nearer to the second fixture, which says its own date in the same input.
    report = store(record("2024-01-10", "2-0"), record("2024-02-03"), now=at("2024-01-12"))
    assert counts(report) == (0, 1, 1, 0)
    assert stored() == [("2024-01-10", 1, "finished", 2), ("2024-02-03", 2, "scheduled", None)]


def test_a_new_date_between_two_unplayed_meetings_is_in_doubt(store):
    store(record("2023-11-25"), record("2024-02-03"), now=at("2023-08-01"))
    report = store(record("2023-12-30", "2-0"))
    assert counts(report) == (0, 0, 0, 1)
    assert report.refusals[0].reason == "it may be either of two unplayed matches of these teams"


def test_a_match_moved_by_a_week_is_not_in_doubt_though_another_meeting_waits(store):
    store(record("2023-11-25"), record("2024-02-03"), now=at("2023-08-01"))
    assert counts(store(record("2023-12-02", "2-0"))) == (0, 1, 0, 0)
    assert stored() == [("2023-12-02", 1, "finished", 2), ("2024-02-03", 2, "scheduled", None)]


def test_the_fixture_list_of_the_second_half_is_another_meeting_where_pairs_meet_twice(store):
    store(*[record(day, "2-0", season="2022-23", home_team=home)
            for home in ("Celtic", "Hearts", "Dundee") for day in ("2022-09-03", "2023-04-07")])  # fmt: skip
    store(record("2023-11-25"), now=at("2023-08-01"))
    assert counts(store(record("2024-04-07"), now=at("2023-09-01"))) == (1, 0, 0, 0)


def test_a_fixture_revised_by_months_is_the_same_where_pairs_meet_once(store):
    store(record("2023-11-25", competition=ENGLAND), now=at("2023-08-01"))
    assert counts(store(record("2024-04-07", competition=ENGLAND), now=at("2023-09-01"))) == (0, 1, 0, 0)


# ── Replayed ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_replay_of_an_abandoned_match_is_another_match(store):
    store(record("2023-12-16 15:00", status=MatchStatus.ABANDONED, home_goals=1, away_goals=1))
    assert counts(store(record("2024-03-13 19:45", "4-3"))) == (1, 0, 0, 0)
    assert stored() == [("2023-12-16", 1, "abandoned", 1), ("2024-03-13", 2, "finished", 4)]
    abandoned = Match.objects.get(status="abandoned")
    assert (abandoned.has_result, abandoned.revision) == (False, 0)


def test_an_abandoned_match_that_is_ended_the_next_day_keeps_its_row(store):
    store(record("2023-12-16 15:00", status=MatchStatus.ABANDONED, home_goals=1, away_goals=1))
    store(record("2023-12-17 12:00", "2-1"))
    assert stored() == [("2023-12-17", 1, "finished", 2)]


def test_a_replay_under_the_old_id_keeps_its_row(store):
    store(record("2023-12-16 15:00", status=MatchStatus.ABANDONED, home_goals=1, away_goals=1, source_id="9"))
    store(record("2024-03-13 19:45", source_id="9"), now=at("2024-01-01"))
    assert stored() == [("2024-03-13", 1, "scheduled", None)]


def test_an_abandoned_match_reported_after_its_replay_is_another_match(store):
    store(record("2024-03-13", "4-3"))
    assert counts(store(record("2023-12-16", status=MatchStatus.ABANDONED))) == (1, 0, 0, 0)


# ── Date and minute, one source and another ──────────────────────────────────────────────────────────────────────────
def test_a_day_more_or_less_is_the_same_match(store):
    store(record("2024-03-02", "2-1"))
    for kickoff in ("2024-03-01", "2024-03-02", "2024-03-03"):
        assert counts(store(record(kickoff, "2-1"), source="openfootball")) == (0, 0, 1, 0)
    assert stored() == [("2024-03-02", 1, "finished", 2)]


def test_a_known_minute_is_not_lost_to_a_date(store):
    store(record("2024-03-02 20:00", "2-1"))
    assert counts(store(record("2024-03-02", "2-1"))) == (0, 0, 1, 0)
    assert counts(store(record("2024-03-03", "2-1"), source="openfootball")) == (0, 0, 1, 0)
    assert Match.objects.get().kickoff_at == at("2024-03-02 20:00")


def test_a_kickoff_near_midnight_joins_the_local_date_of_another_source(store):
    # 19:30 in Los Angeles is 03:30 of the next day in UTC.
    store(record("2024-03-03 03:30", "2-1"))
    assert counts(store(record("2024-03-02", "2-1"), source="openfootball")) == (0, 0, 1, 0)


def test_two_sources_report_both_meetings_of_one_pair(store):
    store(record("2023-09-03", "1-0"), record("2024-04-07", "3-3"))
    report = store(record("2023-09-03 12:00", "1-0"), record("2024-04-07 12:00", "3-3"), source="openfootball")
    assert counts(report) == (0, 2, 0, 0)
    assert Match.objects.count() == 2


def test_a_result_two_days_away_is_the_same_match_when_the_goals_are(store):
    store(record("2024-03-02", "2-1"))
    assert counts(store(record("2024-03-04", "2-1"), source="openfootball")) == (0, 0, 1, 0)
    report = store(record("2024-03-04", "2-2"), source="openfootball")
    assert counts(report) == (0, 0, 0, 1)
    assert "has another result" in report.refusals[0].reason


def test_a_stale_fixture_list_does_not_bring_a_played_match_back(store):
    store(record("2024-01-30", "2-2", competition=ENGLAND))
    for kickoff in ("2023-11-25", "2024-03-30"):
        stale = record(kickoff, competition=ENGLAND)
        assert counts(store(stale, source="openfootball", now=NOW)) == (0, 0, 1, 0)
    assert stored() == [("2024-01-30", 1, "finished", 2)]


def test_a_day_between_two_stored_meetings_is_in_doubt(store):
    store(*[record(day, "2-0", home_team=home)
            for home in ("Hearts", "Dundee", "Ayr") for day in ("2023-09-03", "2024-01-07")])  # fmt: skip
    store(record("2024-03-01", "2-1"), record("2024-03-03", "0-0"))
    report = store(record("2024-03-02", "2-1"), source="openfootball")
    assert counts(report) == (0, 0, 0, 1)
    assert report.refusals[0].reason == "two stored matches of these teams lie equally near"


# ── Ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_id_keeps_its_match_whatever_the_date(store):
    store(record("2023-09-03", source_id="1"), record("2024-04-07", source_id="2"), now=at("2023-08-01"))
    store(record("2024-04-06", "5-0", source_id="1"))
    assert Match.objects.get(refs__source_id="1").home_goals == 5
    assert Match.objects.get(refs__source_id="2").home_goals is None


def test_two_ids_are_two_matches_even_in_separate_inputs(store):
    store(record("2023-11-25", source_id="1", competition=ENGLAND), now=at("2023-08-01"))
    store(record("2024-04-07", source_id="2", competition=ENGLAND), now=at("2023-08-01"))
    assert [row[:2] for row in stored()] == [("2023-11-25", 1), ("2024-04-07", 2)]


def test_an_id_that_names_other_teams_is_refused(store):
    store(record("2024-03-02", source_id="1"))
    report = store(record("2024-03-02", home_team="Hearts", source_id="1"))
    assert counts(report) == (0, 0, 0, 1)
    assert "used the id 1 before" in report.refusals[0].reason


def test_an_id_that_names_another_season_is_refused(store):
    store(record("2024-03-02", source_id="1"))
    assert counts(store(record("2023-03-02", season="2022-23", source_id="1"))) == (0, 0, 0, 1)


def test_two_ids_for_one_pair_on_one_day_are_refused(store):
    report = store(record("2024-03-02 15:00", source_id="1"), record("2024-03-02 18:00", source_id="2"))
    assert counts(report) == (1, 0, 0, 1)
    later = store(record("2024-03-02 15:00", source_id="3"))
    assert counts(later) == (0, 0, 0, 1)


def test_ids_of_two_sources_meet_in_one_match(store):
    store(record("2024-03-02 15:00", "2-1", source_id="1"), source="whoscored")
    store(record("2024-03-02 15:00", "2-1", source_id="a"), source="other")
    assert sorted(Match.objects.get().refs.values_list("source", "source_id")) == [("other", "a"), ("whoscored", "1")]


def test_one_id_of_two_sources_is_two_ids(store):
    store(record("2024-03-02 15:00", "2-1", source_id="1"), source="whoscored")
    store(record("2024-03-02 15:00", "2-1", home_team="Hearts", source_id="1"), source="other")
    assert Match.objects.count() == 2
