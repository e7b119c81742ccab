"""Expected goals: statistics that join the matches of other sources, and from when they are known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.matches.models import Contradiction, Match, MatchStats, Team
from apps.matches.records import CompetitionKey, StatsRecord, xg_known_at
from tests.db.matches.conftest import at, record

ENGLAND = CompetitionKey("England", "Premier League", 1)
XG = StatsRecord(home_xg=1.5, away_xg=0.25)


def xg(day: str, result: str, number: int = 1, /, **fields):
    return record(day, result, **({"competition": ENGLAND, "source_id": str(number), "stats": XG} | fields))


def counts(report):
    return report.created, report.changed, report.same, report.refused


def test_xg_joins_what_another_source_has_counted_and_moves_neither_kick_off_nor_result(store):
    store(record("2023-08-20 15:00", "2-1", competition=ENGLAND, stats=StatsRecord(home_shots=9, away_shots=4)))
    before = Match.objects.values().get()
    moved = {}
    # The day before and the day after are the same match in another zone.
    for day in ("2023-08-20", "2023-08-19", "2023-08-21"):
        report = store(xg(day, "2-1"), source="understat")
        assert report.created == 0
        moved = moved or {"ingest_id": report.ingest_id}
    # The data snapshot of the match moves with the first, because features read xG.
    after = Match.objects.values().get()
    assert after == before | moved | {"updated_at": after["updated_at"]}
    stats = MatchStats.objects.get()
    assert (stats.home_shots, stats.away_shots, stats.home_xg, stats.away_xg) == (9, 4, 1.5, 0.25)


def test_a_second_ingest_writes_nothing_and_a_corrected_xg_replaces_the_old_one(store):
    store(xg("2023-08-20", "2-1"), source="understat")
    assert counts(store(xg("2023-08-20", "2-1"), source="understat")) == (0, 0, 1, 0)
    corrected = xg("2023-08-20", "2-1", stats=StatsRecord(home_xg=1.75, away_xg=0.25))
    assert counts(store(corrected, source="understat")) == (0, 1, 0, 0)
    assert MatchStats.objects.get().home_xg == 1.75


@pytest.mark.parametrize("order", [("football-data", "understat"), ("understat", "football-data")])
def test_a_day_that_is_wrong_by_any_number_leads_to_the_same_match_in_any_order(store, order):
    """Days of Understat were eleven away in Caen – Toulouse 2017-18 and Udinese – Roma 2023-24."""
    records = {
        "football-data": record("2023-08-20 15:00", "2-1", competition=ENGLAND),
        "understat": xg("2023-08-09", "2-1"),
    }
    for source in order:
        assert store(records[source], source=source).refused == 0
    match = Match.objects.get()
    assert (match.kickoff_at, match.kickoff_precision) == (at("2023-08-20 15:00"), "minute")
    assert (match.result_source, match.kickoff_source) == ("football-data", "football-data")
    assert match.stats.home_xg == 1.5


def test_a_wrong_day_makes_no_meeting_of_two_where_pairs_meet_twice(store):
    for home in ("Hearts", "Dundee", "Ayr"):
        store(*[record(day, "2-0", home_team=home) for day in ("2023-09-03", "2024-03-07")])
    store(record("2023-09-03", "1-0"))
    report = store(record("2024-04-07", "1-0", source_id="7", stats=XG), source="understat")
    assert counts(report) == (1, 0, 0, 0)


def test_an_awarded_match_keeps_its_result_and_gets_the_xg_of_what_was_played(store):
    store(record("2023-08-20 15:00", "0-3", competition=ENGLAND))
    assert counts(store(xg("2023-08-20", "2-1"), source="understat")) == (0, 1, 0, 0)
    match = Match.objects.get()
    assert (match.home_goals, match.away_goals, match.stats.home_xg) == (0, 3, 1.5)
    contradiction = Contradiction.objects.get()
    assert (contradiction.source, contradiction.home_goals, contradiction.resolved_at) == ("understat", 2, None)
    assert counts(store(xg("2023-08-20", "2-1"), source="understat")) == (0, 0, 1, 0)


def test_another_source_with_another_result_still_gives_no_statistics(store):
    store(record("2023-08-20 15:00", "0-3", competition=ENGLAND))
    assert counts(store(xg("2023-08-20", "2-1"), source="openfootball")) == (0, 0, 0, 1)
    assert not MatchStats.objects.exists()


def test_a_source_without_a_place_is_trusted_more(store):
    store(xg("2023-08-20", "2-1"), source="understat")
    store(record("2023-08-20 15:00", "2-2", competition=ENGLAND), source="somebody")
    match = Match.objects.get()
    assert (match.away_goals, match.result_source, match.kickoff_at) == (2, "somebody", at("2023-08-20 15:00"))


@pytest.mark.parametrize("value", [-0.1, 20.5, float("nan"), float("inf")])
def test_xg_that_no_match_has_is_refused(store, value):
    report = store(xg("2023-08-20", "2-1", stats=StatsRecord(home_xg=1.0, away_xg=value)), source="understat")
    assert counts(report) == (0, 0, 0, 1)
    assert "expected goals of" in report.refusals[0].reason


def test_xg_may_be_used_from_the_next_morning_on_never_before_the_result(store):
    store(xg("2023-08-20 15:00", "2-1"), source="understat")
    assert MatchStats.objects.get().xg_known_at == datetime(2023, 8, 21, 6, tzinfo=UTC)
    late = datetime(2023, 8, 23, 21, tzinfo=UTC)
    assert xg_known_at(at("2023-08-20 15:00"), late) == late
    store(record("2023-08-21 15:00", "1-1", home_team="Hearts", stats=StatsRecord(home_shots=3)))
    assert MatchStats.objects.get(home_shots=3).xg_known_at is None


def test_no_team_is_made_of_the_names_in_other_sources(store):
    from apps.matches.aliases import aliases_for

    germany = {"competition": CompetitionKey("Germany", "Bundesliga", 1)}
    names = [("Bayern Munich", "M'gladbach", "Bayern Munich", "Borussia M.Gladbach"),
             ("RB Leipzig", "FC Koln", "RasenBallsport Leipzig", "FC Cologne")]  # fmt: skip
    for home, away, _, _ in names:
        store(record("2023-08-20", "2-1", home_team=home, away_team=away, **germany), aliases=aliases_for)
    teams = Team.objects.count()
    for number, (_, _, home, away) in enumerate(names):
        report = store(
            xg("2023-08-20", "2-1", number, home_team=home, away_team=away, **germany),
            source="understat",
            aliases=aliases_for,
        )
        assert counts(report) == (0, 1, 0, 0)
    assert Team.objects.count() == teams
