"""Two teams that are one club: merged, and parted again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Q

from apps.matches import selectors
from apps.matches.models import (
    Absence,
    Contradiction,
    Event,
    Incident,
    Ingest,
    Lineup,
    Match,
    MatchChange,
    MatchRef,
    MatchStats,
    Odds,
    Player,
    Team,
    TeamAlias,
    TeamMerge,
    World,
)
from apps.matches.records import (
    AbsenceRecord,
    CompetitionKey,
    IncidentKind,
    IncidentRecord,
    LineupRecord,
    MatchDetails,
    MatchStatus,
    Moment,
    OddsRecord,
    PlayerKey,
    Side,
    StatsRecord,
)
from apps.matches.services import (
    MergeRefusedError,
    correct_result,
    merge_teams,
    plan_merge,
    undo_correction,
    undo_merge,
)
from tests.db.matches.conftest import NOW, at, record
from tests.web.conftest import Builder

LATER = NOW + timedelta(days=1)
KEPT = (Team, TeamAlias, Match, MatchRef, MatchStats, Odds, Player, Lineup, Incident, Absence, Contradiction)
SHEET = MatchDetails(
    known_at=at("2024-03-02 14:00"),
    lineups=(LineupRecord(PlayerKey("1", "Joe Hart"), Side.HOME, is_starter=True),),
    incidents=(IncidentRecord(IncidentKind.GOAL, Side.HOME, 12),),
    absences=(AbsenceRecord(PlayerKey("2", "Jack Butland"), Side.AWAY),),
)


def counts(report):
    return report.created, report.changed, report.same, report.refused


def team(name):
    return Team.objects.get(name=name)


def merge(name="Celtic FC", into="Celtic", **fields):
    values = {"team_id": team(name).pk, "into_id": team(into).pk, "by": "ann", "reason": "one club", "now": NOW}
    return merge_teams(**(values | fields))


def undo(done, **fields):
    return undo_merge(**({"merge_id": done.pk, "by": "bob", "reason": "two clubs", "now": LATER} | fields))


def everything():
    """Return every row but who changed it when, which a merge and its undo may move."""
    beside = ("ingest_id", "updated_at", "seen_at")
    return {
        model.__name__: [
            {name: value for name, value in row.items() if name not in beside}
            for row in model.objects.order_by("pk").values()
        ]
        for model in KEPT
    } | {"history": list(MatchChange.objects.order_by("pk").values_list("pk", "match_id"))}


def refused(why, **fields):
    before = everything()
    with pytest.raises(MergeRefusedError, match=why):
        merge(**fields)
    assert everything() == before
    assert not TeamMerge.objects.exists()
    assert not Ingest.objects.filter(source="operator").exists()


@pytest.fixture
def two_names(store):
    """football-data reports Celtic, openfootball Celtic FC: one match by both, two by one of them."""
    store(
        record(
            "2024-03-02 15:00", "2-1", source_id="fd1",
            stats=StatsRecord(home_shots=14, referee="W Collum"),
            odds=(OddsRecord("PS", Moment.CLOSING, 1.9, 3.6, 4.2),),
        ),
        record("2024-03-09", "1-0", away_team="Hearts"),
    )  # fmt: skip
    store(record("2024-03-02 15:00", home_team="Celtic FC"), source="openfootball")
    store(
        record(
            "2024-03-02 15:00", "2-0", home_team="Celtic FC", source_id="of1", details=SHEET, round="Matchday 28",
            stats=StatsRecord(home_shots=13, away_shots=7),
            odds=(OddsRecord("PS", Moment.CLOSING, 1.8, 3.5), OddsRecord("B365", Moment.OPENING, 1.7, 3.7, 4.4)),
        ),
        record("2022-08-20", "0-0", home_team="Hearts", away_team="Celtic FC", season="2022-23"),
        source="openfootball",
    )  # fmt: skip


# ── What a merge does ────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_plan_says_what_will_move(two_names):
    plan = plan_merge(team_id=team("Celtic FC").pk, into_id=team("Celtic").pk, now=NOW)
    assert (plan.aliases, len(plan.rows), len(plan.joined), plan.contradictions) == (1, 2, 1, 1)
    assert plan.world == World.REAL


def test_two_rows_of_one_match_become_one_with_all_that_both_had(two_names):
    stayed = Match.objects.get(home_team__name="Celtic", away_team__name="Rangers").pk
    done = merge()
    assert (done.matches_moved, done.matches_joined, done.into_name, str(done)) == (
        2,
        1,
        "Celtic",
        "Celtic FC → Celtic",
    )
    match = Match.objects.select_related("stats").get(home_team__name="Celtic", away_team__name="Rangers")
    assert match.pk == stayed
    assert (match.home_goals, match.away_goals, match.result_source, match.round) == (
        2,
        1,
        "football-data",
        "Matchday 28",
    )
    assert set(match.refs.values_list("source", "source_id")) == {("football-data", "fd1"), ("openfootball", "of1")}
    assert (match.stats.home_shots, match.stats.away_shots, match.stats.referee) == (14, 7, "W Collum")
    odds = {(quote.bookmaker, quote.home, quote.away) for quote in match.odds.all()}
    assert odds == {("PS", 1.9, 4.2), ("B365", 1.7, 4.4)}
    assert (match.lineups.count(), match.incidents.count(), match.absences.count()) == (1, 1, 1)
    contradiction = match.contradictions.get()
    assert str(contradiction) == "2–0 by openfootball against 2–1 by football-data"
    assert match.changes.count() == 1


def test_the_other_matches_and_the_names_pass_to_the_team_that_stays(two_names):
    merge()
    assert not Team.objects.filter(name="Celtic FC").exists()
    celtic = team("Celtic")
    assert Match.objects.get(season__label="2022-23").away_team == celtic
    assert Match.objects.filter(Q(home_team=celtic) | Q(away_team=celtic)).count() == 3
    assert sorted(celtic.aliases.values_list("source", "name")) == [
        ("football-data", "Celtic"), ("openfootball", "Celtic FC"), ("operator", "Celtic FC")
    ]  # fmt: skip
    assert not celtic.aliases.filter(source="openfootball", reviewed_at=None).exists()


def test_a_merge_moves_the_data_snapshot_and_wakes_whoever_works_on_facts(two_names, monkeypatch):
    woken = []
    monkeypatch.setattr("apps.matches.services.decisions.start_tasks_after_commit", woken.append)
    done = merge()
    assert selectors.data_snapshot(World.REAL) == done.ingest_id
    assert woken == ["facts_changed"]
    ingest = Ingest.objects.get(pk=done.ingest_id)
    assert (ingest.source, ingest.changed, ingest.changed_facts) == ("operator", 2, True)
    assert set(Match.objects.filter(ingest=ingest).values_list("season__label", flat=True)) == {"2023-24", "2022-23"}


def test_listeners_hear_of_a_merged_match_that_is_near(two_names):
    merge(now=at("2024-03-02 18:00"))
    assert Event.objects.filter(topic="match.changed").count() == 1


def test_after_a_merge_both_sources_report_of_one_match_and_write_nothing(two_names, store):
    merge()
    theirs = record("2022-08-20", "0-0", home_team="Hearts", away_team="Celtic FC", season="2022-23")
    assert counts(store(theirs, source="openfootball")) == (0, 0, 1, 0)
    again = record("2024-03-02 15:00", "2-0", home_team="Celtic FC", source_id="of1")
    assert store(again, source="openfootball").refusals[0].reason == (
        "openfootball reports 2–0, football-data has reported 2–1"
    )
    assert Contradiction.objects.count() == 1


def test_the_merged_name_leads_to_the_team_in_every_source(two_names, store):
    merge()
    assert counts(store(record("2024-03-02 15:00", "2-1", home_team="Celtic FC"), source="somebody")) == (0, 0, 1, 0)
    assert TeamAlias.objects.get(source="somebody", name="Celtic FC").team == team("Celtic")
    assert not TeamAlias.objects.filter(source="somebody", name="Celtic FC", reviewed_at=None).exists()


def test_the_more_trusted_result_stands_whichever_team_goes(two_names):
    merge("Celtic", "Celtic FC")
    match = Match.objects.get(home_team__name="Celtic FC", away_team__name="Rangers")
    assert (match.away_goals, match.result_source) == (1, "football-data")
    assert str(match.contradictions.get()) == "2–0 by openfootball against 2–1 by football-data"
    assert (match.stats.home_shots, match.stats.away_shots) == (13, 7)


def test_a_merge_from_before_there_was_xg_can_be_undone(two_names):
    done = merge("Celtic", "Celtic FC")
    for rows in (done.moved["before"], done.moved["after"]):
        for stats in rows["matches_matchstats"]:
            del stats["home_xg"], stats["away_xg"]
    done.save()
    undo(done)
    assert {stats.home_xg for stats in MatchStats.objects.all()} == {None}


def test_a_second_meeting_stays_a_second_meeting(store):
    store(record("2023-09-03", "1-0"), record("2024-04-07", "3-3"))
    store(record("2024-04-07", home_team="Celtic FC"), source="openfootball")
    store(record("2024-04-07", "3-3", home_team="Celtic FC"), source="openfootball")
    done = merge()
    assert (done.matches_moved, done.matches_joined) == (1, 1)
    assert sorted(Match.objects.values_list("occurrence", "home_goals")) == [(1, 1), (2, 3)]


def test_a_meeting_that_only_the_other_team_has_is_counted_on(store):
    store(record("2023-09-03", "1-0"))
    store(record("2024-04-07", "3-3", home_team="Celtic FC"), source="openfootball")
    done = merge()
    assert (done.matches_moved, done.matches_joined) == (1, 0)
    assert sorted(Match.objects.values_list("occurrence", "home_goals")) == [(1, 1), (2, 3)]


def test_teams_without_matches_are_merged_by_name(store):
    store(record("2024-03-02", "2-1"))
    Team.objects.create(name="Celtic FC", slug="celtic-fc", region=team("Celtic").region)
    assert merge().matches_moved == 0
    assert Team.objects.count() == 2


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_teams_that_met_are_two_clubs(store):
    store(record("2024-03-02", "2-1"))
    refused("met each other on 2024-03-02", name="Rangers", into="Celtic")


def test_a_team_is_not_merged_into_itself_or_into_nothing(two_names):
    refused("into itself", name="Celtic", into="Celtic")
    refused("no longer stored", into_id=0)


def test_a_merge_needs_a_reason(two_names):
    refused("a reason is needed", reason=" ")


def test_worlds_are_not_merged(store):
    store(record("2024-03-02", "2-1"))
    norland = CompetitionKey("Norland", "First", is_simulated=True)
    store(record("2024-03-02", "2-1", home_team="Celtic FC", away_team="Fjord", competition=norland), source="sandbox")
    refused("one of them is simulated, the other real")


def test_a_match_in_doubt_refuses_the_whole_merge(store):
    england = CompetitionKey("England", "Premier League", 1)
    store(record("2023-09-03", "1-0", competition=england))
    store(record("2024-04-07", "1-0", competition=england, home_team="Celtic FC"), source="openfootball")
    refused("the match of 2024-04-07: .* not known to meet twice")


def test_a_source_that_reports_both_rows_by_ids_reports_two_matches(store):
    store(record("2024-03-02", "2-1", source_id="1"))
    store(record("2024-03-02", "2-1", source_id="2", home_team="Celtic FC"))
    refused("the match of 2024-03-02: football-data reports it for both teams, under two ids")


def test_a_source_that_reports_both_rows_with_two_results_reports_two_matches(store):
    store(record("2024-03-02", "2-1"), record("2024-03-02", "2-2", home_team="Celtic FC"))
    refused("football-data reports it for both teams, with different results")


# ── What other apps keep ─────────────────────────────────────────────────────────────────────────────────────────────
def corrected(name):
    """Let something refer to the row of a team, which then may not be deleted."""
    match = Match.objects.get(home_team__name=name, away_team__name="Rangers")
    correct_result(match_id=match.pk, home_goals=5, away_goals=5, by="ann", reason="seen", now=NOW)
    return match.pk


def test_a_row_that_something_refers_to_is_the_one_that_stays(two_names):
    kept = corrected("Celtic FC")
    merge()
    match = Match.objects.get(home_team__name="Celtic", away_team__name="Rangers")
    assert (match.pk, match.home_goals, match.result_source) == (kept, 5, "operator")
    assert set(match.contradictions.values_list("source", flat=True)) == {"openfootball", "football-data"}
    assert match.stats.referee == "W Collum"


def test_two_rows_that_something_refers_to_refuse_the_merge(two_names):
    corrected("Celtic FC")
    corrected("Celtic")
    with pytest.raises(MergeRefusedError, match="corrections refer to either team's row"):
        merge()
    assert Team.objects.filter(name="Celtic FC").exists()


def test_a_forecast_keeps_its_row(two_names):
    match = Match.objects.get(home_team__name="Celtic FC", away_team__name="Rangers")
    build = Builder(NOW)
    build.prediction(match, build.version())
    before = everything()
    done = merge()
    assert Match.objects.get(home_team__name="Celtic", away_team__name="Rangers").pk == match.pk
    assert match.predictions.count() == 1
    undo(done)
    assert everything()["Match"][0].keys() == before["Match"][0].keys()
    assert match.predictions.count() == 1


def test_forecasts_of_either_row_refuse_the_merge(two_names):
    build = Builder(NOW)
    version = build.version()
    for match in Match.objects.filter(away_team__name="Rangers"):
        build.prediction(match, version)
    before = everything()
    with pytest.raises(MergeRefusedError, match="predictions refer to either team's row, and neither may go"):
        merge()
    assert everything() == before


# ── Undo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("names", [("Celtic FC", "Celtic"), ("Celtic", "Celtic FC")])
def test_undo_restores_every_row(two_names, names):
    before = everything()
    done = merge(*names)
    assert everything() != before
    undone = undo(done)
    assert (undone.undone_by, undone.undo_reason, undone.undone_at) == ("bob", "two clubs", LATER)
    after = everything()
    # The result that a joined row had in between is history; its revision does not go back.
    history = [pair for pair in after.pop("history") if pair not in before["history"]]
    assert before.pop("history")
    revisions = {row["id"]: row.pop("revision") for row in before["Match"]}
    for row in after["Match"]:
        assert row.pop("revision") >= revisions[row["id"]]
    assert after == before
    assert len(history) in (0, 2)
    assert selectors.data_snapshot(World.REAL) == Ingest.objects.filter(source="operator").latest("id").pk


def test_a_merge_from_before_matches_had_a_world_is_undone(two_names):
    before = everything()["Match"]
    done = merge()
    for kept in (done.moved["before"], done.moved["after"]):
        for row in kept["matches_match"]:
            del row["world"], row["competition_id"]
    done.save()
    undo(done)
    of_season = [(row["competition_id"], row["world"]) for row in before]
    assert list(Match.objects.order_by("pk").values_list("competition_id", "world")) == of_season


def test_a_row_with_references_is_parted_too(two_names):
    corrected("Celtic FC")
    before = everything()
    undo(merge())
    assert everything()["Match"] == before["Match"]
    assert everything()["Contradiction"] == before["Contradiction"]


def test_after_undo_both_sources_report_what_they_told(two_names, store):
    undo(merge())
    again = record("2024-03-02 15:00", "2-0", home_team="Celtic FC", source_id="of1")
    assert counts(store(again, source="openfootball")) == (0, 0, 1, 0)
    assert counts(store(record("2024-03-09", "1-0", away_team="Hearts"))) == (0, 0, 1, 0)


def test_a_merge_is_undone_once(two_names):
    done = merge()
    undo(done)
    with pytest.raises(MergeRefusedError, match="undone before"):
        undo(done)
    with pytest.raises(MergeRefusedError, match="no such merge"):
        undo_merge(merge_id=0, by="ann", reason="r", now=NOW)


def undo_refused(done, reason):
    before = everything()
    with pytest.raises(MergeRefusedError, match=reason):
        undo(done)
    assert everything() == before


def test_a_joined_match_that_changed_since_cannot_be_parted(two_names, store):
    done = merge()
    store(record("2024-03-02 15:00", "2-1", odds=(OddsRecord("WH", Moment.CLOSING, 2.0),)), now=LATER)
    undo_refused(done, r"match \d+ of both teams changed since")


def test_that_a_contradiction_is_reported_again_does_not_hinder_undo(two_names, store):
    done = merge()
    again = record("2024-03-02 15:00", "2-0", home_team="Celtic FC", source_id="of1")
    store(again, source="openfootball", now=LATER + timedelta(days=3))
    assert undo(done).undone_at


def test_a_match_that_was_only_moved_may_have_changed(two_names, store):
    done = merge()
    theirs = record("2022-08-20", "0-1", home_team="Hearts", away_team="Celtic FC", season="2022-23")
    store(theirs, source="openfootball", now=LATER)
    undo(done)
    match = Match.objects.get(season__label="2022-23")
    assert (match.away_team.name, match.away_goals) == ("Celtic FC", 1)


def test_a_team_that_was_merged_further_comes_back_first(two_names, store):
    store(record("2023-12-30", "1-1", home_team="Glasgow Celtic", away_team="Dundee"), source="somebody")
    first = merge()
    second = merge("Celtic", "Glasgow Celtic")
    undo_refused(first, "Celtic was itself merged into another team; undo that first")
    undo(second)
    undo(first)
    assert Match.objects.filter(home_team__name="Celtic FC").exists()


def test_a_match_that_another_merge_joined_since_is_parted_first(store):
    store(record("2024-03-02", "2-1", away_team="Hearts"))
    store(record("2024-03-02", "2-1", home_team="Celtic FC", away_team="Heart of Midlothian"), source="openfootball")
    first = merge()
    second = merge("Heart of Midlothian", "Hearts")
    undo_refused(first, "passed to another team or row since")
    undo(second)
    undo(first)
    assert Match.objects.count() == 2


def test_a_name_that_was_taken_again_refuses_undo(two_names):
    done = merge()
    Team.objects.create(name="Celtic FC", slug="other", region=team("Celtic").region)
    undo_refused(done, "a team with the name or address of Celtic FC was stored since")


def test_matches_that_came_since_go_to_the_team_whose_names_their_source_uses(two_names, store):
    done = merge()
    store(record("2024-03-09", "1-1", home_team="Celtic FC", away_team="Dundee"), source="openfootball", now=LATER)
    store(record("2024-04-06", "2-1", away_team="Dundee"), now=LATER)
    store(record("2024-05-04", "3-1", home_team="Celtic FC", away_team="Dundee"), source="somebody", now=LATER)
    undo(done)
    dundee = Match.objects.filter(away_team__name="Dundee").order_by("kickoff_at")
    assert list(dundee.values_list("home_team__name", "occurrence")) == [
        ("Celtic FC", 1), ("Celtic", 2), ("Celtic FC", 2)
    ]  # fmt: skip
    assert TeamAlias.objects.get(source="somebody", name="Celtic FC").team == team("Celtic FC")


def test_a_match_since_of_a_source_that_names_both_refuses_undo(two_names, store):
    store(record("2023-01-07", "1-1", season="2022-23", away_team="Dundee"), source="openfootball")
    done = merge()
    store(record("2024-04-20", "1-1", home_team="Celtic FC", away_team="Dundee"), source="openfootball", now=LATER)
    undo_refused(done, r"match \d+ came since from a source that names both teams")


def test_a_correction_is_taken_back_after_merge_and_undo(two_names):
    match_id = corrected("Celtic FC")
    undo(merge())
    correction = Match.objects.get(pk=match_id).corrections.get()
    undo_correction(correction_id=correction.pk, by="ann", reason="r", now=LATER)
    assert Match.objects.get(pk=match_id).result_source == "openfootball"


def test_a_postponed_row_and_its_played_row_become_one(store):
    store(record("2024-03-02 15:00", status=MatchStatus.POSTPONED))
    store(record("2024-03-20 19:45", "2-1", home_team="Celtic FC"), source="openfootball")
    done = merge()
    match = Match.objects.get()
    assert (match.status, match.kickoff_at, match.home_goals) == ("finished", at("2024-03-20 19:45"), 2)
    undo(done)
    assert sorted(Match.objects.values_list("status", flat=True)) == ["finished", "postponed"]


def test_a_merge_that_an_earlier_release_kept_is_undone(two_names):
    done = merge()
    new = {"kickoff_source", "home_xg", "away_xg"}
    for moment in ("before", "after"):
        rows = [row for kept in done.moved[moment].values() for row in kept]
        assert any(new & row.keys() for row in rows)
        for row in rows:
            for column in new & row.keys():
                del row[column]
    done.save()
    undo(done)
    assert Match.objects.count() == 4
    assert set(Team.objects.filter(name__startswith="Celtic").values_list("name", flat=True)) == {"Celtic", "Celtic FC"}
