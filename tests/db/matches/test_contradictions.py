"""Where sources tell different results: whose word stands, what is recorded, when it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.matches import selectors
from apps.matches.models import Contradiction, Correction, Ingest, Match, MatchChange, World
from apps.matches.records import CompetitionKey, MatchStatus
from apps.matches.services import CorrectionRefusedError, accept_contradiction, correct_result, undo_correction
from tests.db.matches.conftest import NOW, at, record

LATER = NOW + timedelta(days=2)


def counts(report):
    return report.created, report.changed, report.same, report.refused


def told(result="2-0", **fields):
    return record("2024-03-02", result, **fields)


def result():
    match = Match.objects.get()
    return f"{match.home_goals}-{match.away_goals}", match.result_source, match.revision


def only(**fields):
    """Return the only contradiction, as text, with whether it is open and who decided."""
    row = Contradiction.objects.get(**fields)
    return str(row), row.resolution or "open", row.decided_by


# ── Recorded once ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_less_trusted_result_is_refused_and_recorded_once(store):
    store(told("2-1"))
    for hour in range(3):
        report = store(told("2-0"), source="openfootball", now=NOW + timedelta(hours=hour))
        assert counts(report) == (0, 0, 0, 1)
    assert report.refusals[0].reason == "openfootball reports 2–0, football-data has reported 2–1"
    assert only() == ("2–0 by openfootball against 2–1 by football-data", "open", "trust")
    row = Contradiction.objects.get()
    assert (row.first_seen_at, row.seen_at) == (NOW, NOW)
    assert row.ingest_id < report.ingest_id
    assert result() == ("2-1", "football-data", 1)


def test_that_it_is_reported_still_is_noted_by_the_day(store):
    store(told("2-1"))
    store(told("2-0"), source="openfootball")
    report = store(told("2-0"), source="openfootball", now=NOW + timedelta(days=1))
    row = Contradiction.objects.get()
    assert (row.first_seen_at, row.seen_at) == (NOW, NOW + timedelta(days=1))
    assert row.ingest_id == report.ingest_id


def test_a_contradiction_moves_no_data_snapshot(store):
    first = store(told("2-1"))
    store(told("2-0"), source="openfootball")
    assert selectors.data_snapshot(World.REAL) == first.ingest_id


def test_a_source_that_changes_its_wrong_result_keeps_one_row(store):
    store(told("2-1"))
    store(told("2-0"), source="openfootball")
    store(told("3-1"), source="openfootball")
    assert only()[0] == "3–1 by openfootball against 2–1 by football-data"


def test_every_source_that_differs_has_its_row(store):
    store(told("2-1"))
    store(told("2-0"), source="openfootball")
    store(told("0-0"), source="somebody")
    assert [row.source for row in selectors.contradictions_of(Match.objects.get().pk)] == ["openfootball", "somebody"]


def test_sources_that_are_trusted_alike_leave_the_word_to_the_first(store):
    league = CompetitionKey("Norland", "First", is_simulated=True)
    store(told("2-1", competition=league), source="sandbox-files")
    assert counts(store(told("2-0", competition=league), source="sandbox")) == (0, 0, 0, 1)
    assert only() == ("2–0 by sandbox against 2–1 by sandbox-files", "open", "first")


def test_a_match_under_way_contradicts_nothing(store):
    store(told("2-1"))
    store(record("2024-03-02", status=MatchStatus.LIVE, home_goals=1, away_goals=0), source="openfootball")
    assert not Contradiction.objects.exists()


# ── The order of trust ───────────────────────────────────────────────────────────────────────────────────────────────
def test_a_more_trusted_result_replaces_a_less_trusted_one(store):
    store(told("2-0"), source="openfootball")
    report = store(told("2-1"))
    assert counts(report) == (0, 1, 0, 0)
    assert report.changed_facts
    assert result() == ("2-1", "football-data", 2)
    change = MatchChange.objects.get()
    assert (change.before, change.after) == ({"away_goals": 0}, {"away_goals": 1})
    assert only() == ("2–0 by openfootball against 2–1 by football-data", "open", "trust")
    assert counts(store(told("2-1"))) == (0, 0, 1, 0)
    assert counts(store(told("2-0"), source="openfootball")) == (0, 0, 0, 1)
    assert Contradiction.objects.count() == 1


@pytest.mark.parametrize("first", ["football-data", "whoscored", "openfootball", "somebody"])
@pytest.mark.parametrize("second", ["football-data", "whoscored", "openfootball", "somebody"])
def test_whichever_comes_first_the_more_trusted_result_stands(store, first, second):
    if first == second:
        return
    order = ["football-data", "whoscored", "openfootball", "somebody"]
    best = min(first, second, key=order.index)
    for source in (first, second, first, second):
        store(told("2-1" if source == best else "2-0"), source=source)
    assert result()[:2] == ("2-1", best)


def test_a_more_trusted_source_that_agrees_takes_the_word_and_leaves_features_alone(store):
    first = store(told("2-1"), source="openfootball")
    assert counts(store(told("2-1"))) == (0, 1, 0, 0)
    assert Match.objects.get().ingest_id == first.ingest_id
    assert not MatchChange.objects.exists()
    assert result() == ("2-1", "football-data", 1)
    assert counts(store(told("2-1"))) == (0, 0, 1, 0)
    assert counts(store(told("2-0"), source="openfootball")) == (0, 0, 0, 1)


def test_the_second_run_of_both_sources_writes_nothing_whoever_came_first(store):
    ours = record("2024-03-02 15:00", "2-1", round="Matchday 28", home_goals_half_time=1, away_goals_half_time=1)
    theirs = record("2024-03-03", "2-1", round="28", home_goals_half_time=2, away_goals_half_time=0)
    store(theirs, source="openfootball")
    store(ours)
    before = list(Match.objects.values())
    assert counts(store(theirs, source="openfootball")) == (0, 0, 1, 0)
    assert counts(store(ours)) == (0, 0, 1, 0)
    assert list(Match.objects.values()) == before


def test_other_goals_that_a_source_reported_go_with_its_result(store):
    told_first = told("2-1", home_goals_half_time=0, away_goals_half_time=1, home_penalties=4, away_penalties=2)
    store(told_first, source="openfootball")
    store(told("1-1"))
    match = Match.objects.get()
    assert (match.home_goals_half_time, match.away_goals_half_time, match.home_penalties) == (None, None, None)
    assert counts(store(told("1-1"))) == (0, 0, 1, 0)


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_what_is_not_about_the_result_is_the_same_whichever_source_comes_first(store, order):
    ours = told("2-1")
    theirs = record("2024-03-02 15:00", "0-0", round="Matchday 3", home_goals_half_time=0, away_goals_half_time=0)
    for source, reported in [("football-data", ours), ("openfootball", theirs)][order]:
        store(reported, source=source)
    match = Match.objects.get()
    assert (result()[:2], match.home_goals_half_time) == (("2-1", "football-data"), None)
    assert (match.kickoff_precision, match.kickoff_source, match.round) == ("minute", "openfootball", "Matchday 3")
    assert Contradiction.objects.filter(resolved_at=None).count() == 1
    for source, reported in [("football-data", ours), ("openfootball", theirs)]:
        again = store(reported, source=source)
        assert (again.created, again.changed) == (0, 0)


# ── How it ends ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_ends_when_the_other_source_comes_to_agree(store):
    store(told("2-1"))
    store(told("2-0"), source="openfootball")
    store(told("2-1"), source="openfootball", now=LATER)
    assert only()[1] == "agreed"
    assert Contradiction.objects.get().resolved_at == LATER
    assert not selectors.contradictions_of(Match.objects.get().pk)


def test_it_ends_when_the_source_whose_word_stands_corrects_itself(store):
    store(told("2-1"))
    store(told("2-0"), source="openfootball")
    store(told("3-3"), source="somebody")
    store(told("2-0"), now=LATER)
    assert only(source="openfootball")[1] == "agreed"
    assert only(source="somebody")[:2] == ("3–3 by somebody against 2–0 by football-data", "open")


def test_it_begins_again_when_they_disagree_again(store):
    store(told("2-1"))
    store(told("2-0"), source="openfootball")
    store(told("2-1"), source="openfootball")
    store(told("2-0"), source="openfootball", now=LATER)
    assert only()[1] == "open"
    assert Contradiction.objects.get().first_seen_at == NOW


def test_it_ends_when_the_standing_result_is_taken_back(store):
    store(told("2-1"))
    store(told("2-0"), source="openfootball")
    store(record("2024-03-02", status=MatchStatus.CANCELLED))
    assert only()[1] == "withdrawn"


def test_matches_without_contradictions_cost_one_look(store):
    store(told("2-1"))
    with CaptureQueriesContext(connection) as queries:
        store(told("2-1"))
    assert len([query for query in queries if "contradiction" in query["sql"]]) <= 1


# ── The operator's word ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def dispute(store):
    """Two sources that disagree."""
    store(told("2-1", home_goals_half_time=1, away_goals_half_time=1))
    store(told("2-0"), source="openfootball")
    return Contradiction.objects.get()


def decide(row, **fields):
    return accept_contradiction(
        contradiction_id=row.pk, **({"by": "ann", "reason": "I was there", "now": NOW} | fields)
    )


def test_letting_the_other_source_stand_is_the_operators_word(dispute, store, monkeypatch):
    woken = []
    monkeypatch.setattr("apps.matches.services.decisions.start_tasks_after_commit", woken.append)
    correction = decide(dispute)
    assert result() == ("2-0", "operator", 2)
    assert Match.objects.get().home_goals_half_time is None
    assert only(source="openfootball")[1] == "corrected"
    assert only(source="football-data") == ("2–1 by football-data against 2–0 by operator", "open", "operator")
    assert (correction.decided_by, correction.reason) == ("ann", "I was there")
    ingest = Ingest.objects.get(source="operator")
    assert ingest.changed_facts
    assert selectors.data_snapshot(World.REAL) == ingest.pk == Match.objects.get().ingest_id
    assert woken == ["facts_changed"]
    change = MatchChange.objects.get()
    assert (change.before["away_goals"], change.after["away_goals"]) == (1, 0)


def test_no_source_overrules_the_operator(dispute, store):
    decide(dispute)
    assert counts(store(told("2-1"))) == (0, 0, 0, 1)
    assert counts(store(told("2-0"), source="openfootball")) == (0, 0, 1, 0)
    assert result()[:2] == ("2-0", "operator")
    assert Contradiction.objects.filter(resolved_at=None).get().source == "football-data"


def test_taking_it_back_restores_the_result_and_the_contradiction(dispute, store):
    correction = decide(dispute)
    undone = undo_correction(correction_id=correction.pk, by="bob", reason="it was another match", now=LATER)
    assert (undone.undone_by, undone.undone_at) == ("bob", LATER)
    assert result() == ("2-1", "football-data", 3)
    assert Match.objects.get().home_goals_half_time == 1
    assert only(source="openfootball") == ("2–0 by openfootball against 2–1 by football-data", "open", "trust")
    assert only(source="football-data")[1] == "agreed"
    assert counts(store(told("2-1"))) == (0, 0, 1, 0)
    assert MatchChange.objects.count() == 2
    with pytest.raises(CorrectionRefusedError, match="taken back before"):
        undo_correction(correction_id=correction.pk, by="bob", reason="again", now=LATER)


def test_a_decision_on_what_has_ended_is_refused(dispute, store):
    store(told("2-1"), source="openfootball")
    with pytest.raises(CorrectionRefusedError, match="has ended"):
        decide(dispute)
    assert not Correction.objects.exists()


def test_only_the_latest_correction_is_taken_back(dispute):
    first = decide(dispute)
    second = correct_result(
        match_id=dispute.match_id, home_goals=0, away_goals=0, by="ann", reason="the league said so", now=LATER,
        status=MatchStatus.AWARDED,
    )  # fmt: skip
    with pytest.raises(CorrectionRefusedError, match="later correction"):
        undo_correction(correction_id=first.pk, by="ann", reason="no", now=LATER)
    assert Match.objects.get().status == "awarded"
    for correction in (second, first):
        undo_correction(correction_id=correction.pk, by="ann", reason="no", now=LATER)
    assert result()[:2] == ("2-1", "football-data")
    assert only(source="openfootball")[1] == "open"


def test_a_match_without_a_result_may_be_corrected_and_loses_it_again(store):
    store(record("2024-03-02"))
    match = Match.objects.get()
    correction = correct_result(match_id=match.pk, home_goals=1, away_goals=0, by="ann", reason="seen", now=NOW)
    match.refresh_from_db()
    assert (match.status, match.known_at) == ("finished", at("2024-03-03 06:00"))
    undo_correction(correction_id=correction.pk, by="ann", reason="not seen", now=NOW)
    match.refresh_from_db()
    assert (match.status, match.home_goals, match.known_at, match.result_source) == (
        "scheduled", None, None, "football-data"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reason": "  "}, "a reason is needed"),
        ({"reason": "x" * 401}, "at most 400 readable characters"),
        ({"reason": "\x00"}, "at most 400 readable characters"),
        ({"home_goals": -1}, "is no result"),
        ({"home_goals": 100}, "is no result"),
        ({"status": MatchStatus.LIVE}, "has no result"),
        ({"now": at("2024-03-01")}, "has not kicked off"),
        ({"match_id": 0}, "no such match"),
    ],
)
def test_a_correction_that_means_nothing_is_refused(store, fields, reason):
    store(told("2-1"))
    values = {"match_id": Match.objects.get().pk, "home_goals": 1, "away_goals": 0, "by": "ann", "reason": "r"}
    with pytest.raises(CorrectionRefusedError, match=reason):
        correct_result(**(values | {"now": NOW} | fields))
    assert result() == ("2-1", "football-data", 1)
    assert not Ingest.objects.filter(source="operator").exists()


def test_the_same_correction_twice_is_refused(dispute):
    decide(dispute)
    with pytest.raises(CorrectionRefusedError, match="already"):
        correct_result(match_id=dispute.match_id, home_goals=2, away_goals=0, by="a", reason="r", now=NOW)
