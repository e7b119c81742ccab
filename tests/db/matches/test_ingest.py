"""Records become rows: what is written, what is left alone, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from apps.matches.ingest import Ingestion, WorldConflictError, batches, ingest
from apps.matches.locks import Lock
from apps.matches.models import (
    Competition,
    Event,
    Ingest,
    LiveScore,
    Match,
    MatchChange,
    MatchRef,
    MatchStats,
    Odds,
    Team,
    TeamAlias,
)
from apps.matches.records import CompetitionKey, MatchStatus, Moment, OddsRecord, StatsRecord
from apps.matches.selectors import data_snapshot
from tests.db.matches.conftest import LEAGUE, NOW, at, record

FULL = record(
    "2024-03-02 15:00",
    "2-1",
    home_goals_half_time=1,
    away_goals_half_time=0,
    stats=StatsRecord(home_shots=14, away_shots=7, attendance=58_000, referee="W Collum"),
    odds=(
        OddsRecord("PS", Moment.CLOSING, 1.9, 3.6, 4.2),
        OddsRecord("B365", Moment.OPENING, 1.85, 3.5, 4.3, over_2_5=1.7, under_2_5=2.1, handicap=-0.5),
    ),
)


def counts(report):
    return report.created, report.changed, report.same, report.refused


def test_a_record_becomes_a_match_with_statistics_and_odds(store):
    assert counts(store(FULL)) == (1, 0, 0, 0)
    match = Match.objects.select_related("season__competition__region", "home_team", "away_team", "stats").get()
    assert str(match.season.competition) == "Scotland: Premiership"
    assert (match.season.label, match.home_team.name, match.away_team.name) == ("2023-24", "Celtic", "Rangers")
    assert (match.home_goals, match.away_goals, match.home_goals_half_time) == (2, 1, 1)
    assert (match.status, match.revision, match.occurrence, match.result_source) == ("finished", 1, 1, "football-data")
    assert match.known_at == at("2024-03-02 18:00")
    assert (match.stats.home_shots, match.stats.attendance, match.stats.referee) == (14, 58_000, "W Collum")
    assert match.stats.home_corners is None
    odds = {(quote.bookmaker, quote.moment): quote for quote in match.odds.all()}
    assert odds["PS", "closing"].away == 4.2
    assert odds["B365", "opening"].handicap == -0.5
    assert odds["B365", "opening"].handicap_home is None


def test_the_second_run_of_the_same_input_writes_no_row(store):
    store(FULL, record("2024-04-06", home_team="Hibernian", source_id="x1"))
    before = [list(model.objects.order_by("pk").values()) for model in (Match, MatchStats, Odds, MatchRef, TeamAlias)]
    with CaptureQueriesContext(connection) as queries:
        report = store(FULL, record("2024-04-06", home_team="Hibernian", source_id="x1"), now=NOW + timedelta(days=1))
    assert counts(report) == (0, 0, 2, 0)
    after = [list(model.objects.order_by("pk").values()) for model in (Match, MatchStats, Odds, MatchRef, TeamAlias)]
    assert after == before
    assert not MatchChange.objects.exists()
    assert not Ingest.objects.get(pk=report.ingest_id).changed_facts
    assert not [query for query in queries if query["sql"].startswith('UPDATE "matches_match"')]


def test_what_a_record_does_not_report_is_not_erased(store):
    store(FULL)
    bare = replace(
        FULL, home_goals_half_time=None, away_goals_half_time=None, stats=StatsRecord(home_corners=5), odds=()
    )
    assert counts(store(bare)) == (0, 1, 0, 0)
    match = Match.objects.select_related("stats").get()
    assert match.home_goals_half_time == 1
    assert (match.stats.home_shots, match.stats.home_corners, match.stats.referee) == (14, 5, "W Collum")
    assert match.odds.count() == 2


def test_a_changed_price_is_written_and_a_missing_one_stays(store):
    store(FULL)
    quote = OddsRecord("B365", Moment.OPENING, 1.80, 3.5, 4.3)
    assert counts(store(replace(FULL, odds=(quote,)))) == (0, 1, 0, 0)
    stored = Odds.objects.get(bookmaker="B365")
    assert (stored.home, stored.over_2_5) == (1.80, 1.7)
    assert not MatchChange.objects.exists()


def test_of_two_quotes_of_one_bookmaker_the_later_wins(store):
    store(replace(FULL, odds=(OddsRecord("PS", Moment.CLOSING, 1.9), OddsRecord("PS", Moment.CLOSING, 1.8))))
    assert Odds.objects.get().home == 1.8


def test_the_first_result_is_revision_one_and_a_correction_two(store):
    store(record("2024-03-02 15:00"))
    assert Match.objects.get().revision == 0
    store(record("2024-03-02 15:00", "2-1"))
    assert Match.objects.get().revision == 1
    store(record("2024-03-02 15:00", "2-2"))
    match = Match.objects.get()
    assert (match.revision, match.home_goals, match.away_goals) == (2, 2, 2)
    first, second = MatchChange.objects.order_by("id")
    assert first.before == {"status": "scheduled", "home_goals": None, "away_goals": None}
    assert first.after == {"status": "finished", "home_goals": 2, "away_goals": 1}
    assert (second.before, second.after) == ({"away_goals": 1}, {"away_goals": 2})


def test_a_source_that_is_behind_does_not_undo_a_result(store):
    store(FULL)
    for status in (MatchStatus.SCHEDULED, MatchStatus.LIVE, MatchStatus.POSTPONED, MatchStatus.UNKNOWN):
        assert counts(store(record("2024-03-02 15:00", status=status))) == (0, 0, 1, 0)
    assert Match.objects.get().status == "finished"


def test_an_annulled_match_loses_its_result_and_history_keeps_it(store):
    store(FULL)
    store(record("2024-03-02 15:00", status=MatchStatus.CANCELLED))
    match = Match.objects.get()
    assert (match.status, match.home_goals, match.known_at, match.revision) == ("cancelled", None, None, 2)
    assert MatchChange.objects.get().before["home_goals"] == 2


def in_play(minute, home_goals, away_goals):
    """The record of a match in play."""
    score = {"minute": minute, "home_goals": home_goals, "away_goals": away_goals}
    return record("2024-03-02 15:00", status=MatchStatus.LIVE, **score)


def live_score():
    """The stored score of the only match in play."""
    found = LiveScore.objects.get()
    return found.minute, found.home_goals, found.away_goals, found.source, found.read_at


def test_goals_of_a_match_under_way_are_no_result(store):
    store(record("2024-03-02 15:00", status=MatchStatus.LIVE, home_goals=1, away_goals=0))
    match = Match.objects.get()
    assert (match.status, match.home_goals, match.known_at, match.revision) == ("live", None, None, 0)
    assert not LiveScore.objects.exists()


def test_the_score_of_a_match_in_play_changes_no_fact_until_its_result_comes(store):
    kickoff = at("2024-03-02 15:00")
    store(in_play(0, 0, 0), now=kickoff)
    for minutes, score, events in ((30, (28, 1, 0), 1), (32, (28, 1, 0), 0), (60, (45, 1, 1), 1)):
        now, before = kickoff + timedelta(minutes=minutes), Event.objects.count()
        report = store(in_play(*score), now=now)
        assert (counts(report), report.changed_facts) == ((0, 0, 1, 0), False)
        assert live_score() == (*score, "football-data", now)
        assert Event.objects.count() - before == events
    assert Event.objects.latest("id").payload["live"] == {"minute": 45, "home_goals": 1, "away_goals": 1}
    assert MatchChange.objects.count() == 0
    store(record("2024-03-02 15:00", "2-1"), now=kickoff + timedelta(hours=2))
    assert not LiveScore.objects.exists()


def test_another_source_gives_the_score_in_play_once_the_first_one_has_no_news(store):
    kickoff = at("2024-03-02 15:00")
    store(in_play(20, 1, 0), source="sandbox", now=kickoff + timedelta(minutes=20))
    store(in_play(21, 0, 0), source="feed", now=kickoff + timedelta(minutes=21))
    assert live_score()[:4] == (20, 1, 0, "sandbox")
    store(in_play(31, 0, 0), source="feed", now=kickoff + timedelta(minutes=31))
    assert live_score()[:4] == (31, 0, 0, "feed")
    store(in_play(30, 2, 0), source="whoscored", now=kickoff + timedelta(minutes=32))
    assert live_score()[:4] == (30, 2, 0, "whoscored")


def test_another_source_adds_what_is_missing_and_does_not_overrule(store):
    store(record("2024-03-02", "2-1"))
    other = record(
        "2024-03-02 15:00", "2-1", home_goals_half_time=1, away_goals_half_time=1, round="Matchday 28", source_id="77"
    )
    assert counts(store(other, source="openfootball")) == (0, 1, 0, 0)
    match = Match.objects.get()
    assert (match.kickoff_at, match.kickoff_precision) == (at("2024-03-02 15:00"), "minute")
    assert (match.home_goals_half_time, match.round, match.result_source) == (1, "Matchday 28", "football-data")
    assert match.refs.get().source_id == "77"
    assert counts(store(record("2024-03-02", "2-1"))) == (0, 0, 1, 0)


def test_another_result_of_another_source_is_refused_for_review(store):
    store(record("2024-03-02", "2-1"))
    report = store(record("2024-03-02", "2-0", odds=(OddsRecord("PS", Moment.CLOSING, 2.0),)), source="openfootball")
    assert counts(report) == (0, 0, 0, 1)
    assert report.refusals[0].reason == "openfootball reports 2–0, football-data has reported 2–1"
    assert Match.objects.get().away_goals == 1
    assert not Odds.objects.exists()
    stored = Ingest.objects.get(pk=report.ingest_id)
    assert stored.refused == 1
    assert stored.refusals == [
        {
            "record": "Scotland, Premiership 2023-24: Celtic – Rangers on 2024-03-02",
            "reason": "openfootball reports 2–0, football-data has reported 2–1",
        }
    ]


def test_the_source_that_reports_a_result_first_has_the_word(store):
    store(record("2024-03-02 15:00"), source="openfootball")
    store(record("2024-03-02", "2-1"))
    assert Match.objects.get().result_source == "football-data"
    assert counts(store(record("2024-03-02 15:00", "3-1"), source="openfootball")) == (0, 0, 0, 1)


def test_simulated_and_real_records_in_one_input_are_refused_as_a_whole(store):
    simulated = replace(FULL, competition=CompetitionKey("Norland", "First", is_simulated=True))
    with pytest.raises(WorldConflictError, match="different worlds"):
        store(FULL, simulated)
    assert not Match.objects.exists()
    assert not Ingest.objects.exists()


def test_a_real_competition_does_not_become_simulated(store):
    store(FULL)
    with pytest.raises(WorldConflictError, match="real world"):
        store(replace(FULL, competition=replace(LEAGUE, is_simulated=True)))


def test_no_records_leave_no_trace(store):
    report = store()
    assert report.ingest_id is None
    assert not Ingest.objects.exists()


def test_the_data_snapshot_moves_only_when_a_fact_changes(store):
    assert data_snapshot("real") == 0
    first = store(FULL)
    assert data_snapshot("real") == first.ingest_id
    store(FULL)
    assert data_snapshot("real") == first.ingest_id
    third = store(replace(FULL, odds=(OddsRecord("PS", Moment.CLOSING, 1.95, 3.6, 4.2),)))
    assert data_snapshot("real") == third.ingest_id
    assert data_snapshot("sandbox") == 0


def test_listeners_hear_of_matches_near_in_time_only(store):
    now = at("2024-03-02 17:00")
    store(
        record("2024-03-02 15:00", "2-1"),
        record("2024-03-20 15:00", home_team="Hearts"),
        record("2024-02-20 15:00", "1-1", home_team="Dundee"),
        now=now,
    )
    event = Event.objects.get()
    match = Match.objects.get(home_team__name="Celtic")
    assert (event.topic, event.key, event.number) == ("match.changed", str(match.pk), None)
    assert event.payload == {
        "status": "finished", "kickoff_at": "2024-03-02T15:00:00+00:00", "home_goals": 2, "away_goals": 1
    }  # fmt: skip
    store(record("2024-03-02 15:00", "2-1"), now=now)
    assert Event.objects.count() == 1


def test_changed_facts_wake_whoever_works_on_them(store, monkeypatch):
    woken = []
    monkeypatch.setattr("apps.matches.ingest.ingestion.start_tasks_after_commit", woken.append)
    store(FULL)
    store(FULL)
    assert woken == ["facts_changed"]


def test_a_batch_ends_where_a_season_ends(monkeypatch):
    monkeypatch.setattr("apps.matches.ingest.ingestion.BATCH", 2)
    monkeypatch.setattr("apps.matches.ingest.ingestion.LARGEST_BATCH", 4)
    one = [replace(FULL, season="2022-23")] * 3
    two = [FULL] * 6
    assert [len(batch) for batch in batches(one + two)] == [3, 4, 2]


def test_many_batches_give_the_same_rows_as_one(store, monkeypatch):
    teams = ["Celtic", "Rangers", "Hearts", "Dundee"]
    records = [
        record(f"2024-0{1 + index % 6}-0{1 + index % 9} 15:00", f"{index % 3}-1", home_team=home, away_team=away)
        for index, (home, away) in enumerate((h, a) for h in teams for a in teams if h != a)
    ]
    monkeypatch.setattr("apps.matches.ingest.ingestion.BATCH", 2)
    monkeypatch.setattr("apps.matches.ingest.ingestion.LARGEST_BATCH", 3)
    assert counts(store(*records)) == (12, 0, 0, 0)
    monkeypatch.undo()
    assert counts(store(*records)) == (0, 0, 12, 0)


def test_an_error_in_the_middle_stores_nothing(store):
    def broken():
        yield FULL
        raise OSError("the file ends here")

    with pytest.raises(OSError, match="ends here"):
        ingest(broken(), source="football-data", now=NOW)
    assert not Match.objects.exists()
    assert not Team.objects.exists()


def test_one_ingest_runs_at_a_time(db):
    server = connection.get_connection_params()
    with psycopg.connect(**{key: server[key] for key in ("host", "port", "user", "password", "dbname")}) as other:

        def is_free():
            with other.transaction(force_rollback=True):
                return other.execute("SELECT pg_try_advisory_xact_lock(%s)", [Lock.INGEST]).fetchone()[0]

        assert is_free()
        with Ingestion(source="football-data", now=NOW) as run:
            run.store([FULL])
            assert not is_free()


def test_an_identity_reported_again_in_one_input_counts_once_and_the_later_wins(store):
    report = store(record("2024-03-02", "2-1"), record("2024-03-02", "2-1", round="Matchday 28"))
    assert counts(report) == (1, 1, 0, 0)
    assert Match.objects.get().round == "Matchday 28"


def test_one_id_with_two_results_refuses_the_earlier(store):
    report = store(record("2024-03-02", "2-1", source_id="7"), record("2024-03-02", "2-2", source_id="7"))
    assert counts(report) == (1, 0, 0, 1)
    assert report.refusals[0].reason == "the same id comes again later with another result"
    assert Match.objects.get().away_goals == 2


def test_one_day_with_two_results_refuses_the_later(store):
    report = store(record("2024-03-02", "2-1"), record("2024-03-02", "2-2"))
    assert counts(report) == (1, 0, 0, 1)
    assert report.refusals[0].reason == "the same match comes earlier in this input with another result"


def test_a_competition_keeps_one_slug_and_a_name_taken_elsewhere_gets_its_region(store):
    store(
        record("2024-03-02", "2-1", competition=CompetitionKey("Austria", "Bundesliga"), home_team="Rapid"),
        record("2024-03-02", "2-1", competition=CompetitionKey("Germany", "Bundesliga"), home_team="Rapid"),
    )
    assert sorted(Competition.objects.values_list("slug", flat=True)) == ["austria-bundesliga", "germany-bundesliga"]
    assert sorted(Team.objects.filter(name="Rapid").values_list("slug", flat=True)) == ["rapid", "rapid-germany"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"home_team": "C" * 121}, "home_team has 121 characters of at most 120"),
        ({"home_team": "Cel\x00tic"}, "home_team holds a character that cannot be stored"),
        ({"home_team": "Cel\ud800tic"}, "home_team holds a character that cannot be stored"),
        ({"home_team": "  "}, "a team's name is blank"),
        ({"season": "2" * 25}, "season has 25 characters of at most 24"),
        ({"round": "r" * 61}, "round has 61 characters of at most 60"),
        ({"source_id": "9" * 81}, "source_id has 81 characters of at most 80"),
        ({"competition": CompetitionKey("Scotland", "P" * 121)}, "the competition's name or region is too long"),
        (
            {"competition": CompetitionKey("Scot\x00land", "P")},
            "the competition's name or region holds a character that cannot be stored",
        ),
        ({"kickoff_at": datetime(1724, 3, 2, tzinfo=UTC)}, "no match kicks off on 1724-03-02"),
        ({"kickoff_at": datetime(2924, 3, 2, tzinfo=UTC)}, "no match kicks off on 2924-03-02"),
        ({"kickoff_at": NOW + timedelta(days=2)}, "it is finished before it has begun"),
        ({"home_penalties": -1, "away_penalties": 3}, "a count of goals is out of range"),
        ({"stats": StatsRecord(home_shots=40_000)}, "a statistic of 40000 is out of range"),
        ({"stats": StatsRecord(attendance=-5)}, "an attendance of -5 is out of range"),
        ({"stats": StatsRecord(referee="\x00")}, "the referee's name does not fit"),
        (
            {"odds": (OddsRecord("PINNACLE-SPORTS", Moment.CLOSING, 2.0),)},
            "a bookmaker's code 'PINNACLE-SPORTS' is not one of at most 12 letters and digits",
        ),
        ({"odds": (OddsRecord("PS", Moment.CLOSING, handicap=float("nan")),)}, "PS quotes a handicap of nan"),
    ],
)
def test_a_record_that_cannot_be_stored_is_refused_and_its_neighbours_are_not(store, fields, reason):
    good = record("2024-03-09", "1-0", home_team="Hearts", away_team="Dundee")
    report = store(good, replace(FULL, **fields))
    assert counts(report) == (1, 0, 0, 1)
    assert report.refusals[0].reason == reason


def test_hostile_names_are_only_names(store):
    name = "Robert'); DROP TABLE matches_match;-- <script>"
    assert counts(store(record("2024-03-02", "2-1", home_team=name))) == (1, 0, 0, 0)
    assert Match.objects.get().home_team.name == name


def test_a_source_needs_a_name_of_at_most_forty_characters():
    with pytest.raises(ValueError, match="1 to 40 characters"):
        ingest([FULL], source="s" * 41, now=NOW)


def test_an_ingest_that_cannot_begin_leaves_no_transaction_open(transactional_db, monkeypatch):
    def refused():
        raise OperationalError("canceling statement due to lock timeout")

    with monkeypatch.context() as patch:
        patch.setattr("apps.matches.ingest.ingestion.tables.lock", refused)
        with pytest.raises(OperationalError, match="lock timeout"):
            ingest([FULL], source="football-data", now=NOW)
    assert not connection.in_atomic_block
    assert counts(ingest([FULL], source="football-data", now=NOW)) == (1, 0, 0, 0)
