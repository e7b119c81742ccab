"""Points that leagues took or gave, and results by verdict: in tables from the day they were known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse

from apps.matches import selectors, services
from apps.matches.ingest import ingest
from apps.matches.models import AwardedResult, Ingest, Match, PointsAdjustment, Season, Team, World
from apps.matches.records import CompetitionKey, MatchStatus
from tests.db.matches.conftest import record
from tests.factories import KICKOFF, MatchFactory, SeasonFactory, TeamFactory

pytestmark = pytest.mark.django_db

LEAGUE = CompetitionKey("England", "Premier League", 1)
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
DECISION = {"decided_on": date(2024, 5, 30), "reason": "unpaid wages", "source": "the league", "by": "ann", "now": NOW}


@pytest.fixture
def everton():
    """Everton has won twice against Nottingham Forest and once against Burnley."""
    ingest(
        [
            record("2023-08-12 14:00", "1-0", competition=LEAGUE, home_team="Everton", away_team="Nott'm Forest"),
            record("2023-08-19 14:00", "1-0", competition=LEAGUE, home_team="Everton", away_team="Burnley"),
        ],
        source="football-data",
        now=NOW,
    )
    return Team.objects.get(name="Everton")


@pytest.fixture
def season(everton):
    return Season.objects.get()


def points(season, team, at=None) -> int:
    return next(line.points for line in selectors.league_table(season, at) if line.team == team)


@pytest.mark.parametrize(
    ("day", "taken"),
    [
        (date(2023, 11, 17), 0),
        (date(2023, 11, 18), 10),
        (date(2024, 2, 26), 10),
        (date(2024, 2, 27), 6),
        (date(2024, 4, 9), 8),
    ],
)
def test_a_table_counts_each_decision_from_the_day_after_it(season, everton, day, taken):
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    assert points(season, everton, noon) == 6 - taken


def test_the_table_of_now_counts_all_decisions(season, everton):
    assert points(season, everton) == 6 - 8
    assert points(season, Team.objects.get(name="Nott'm Forest")) == -4
    assert [each.points for each in selectors.adjustments_of(season)] == [-10, 4, -4, -2]


def test_only_decisions_on_stored_clubs_and_seasons_are_stored_and_each_once(everton):
    assert PointsAdjustment.objects.count() == 4
    call_command("load_reference_data")
    assert PointsAdjustment.objects.count() == 4
    assert services.load_reference_data(now=NOW) == services.ReferenceReport(decisions=0, clubs=0)


def test_decisions_that_a_release_adds_changes_or_drops_are_followed_and_move_the_data_snapshot(season, everton):
    listed = PointsAdjustment.objects.filter(team=everton).order_by("decided_on")
    listed.filter(points=-2).delete()
    listed.filter(points=4).update(points=5)
    PointsAdjustment.objects.create(
        season=season, team=everton, points=-1, decided_on=date(2023, 9, 1), reason="x", source="x", recorded_at=NOW
    )
    before = selectors.data_snapshot(World.REAL)
    assert services.load_reference_data(now=NOW).decisions == 3
    assert [each.points for each in listed] == [-10, 4, -2]
    assert selectors.data_snapshot(World.REAL) > before


def test_the_names_of_clubs_that_a_release_changes_are_followed(everton):
    Team.objects.filter(pk=everton.pk).update(code="XXX", other_names="")
    assert services.load_reference_data(now=NOW).clubs == 1
    everton.refresh_from_db()
    assert (everton.code, everton.other_names) == ("EVE", "Toffees")


def test_an_operator_records_a_decision_and_takes_it_back(season, everton):
    decision = services.record_adjustment(season_id=season.pk, team_id=everton.pk, points=-3, **DECISION)
    assert points(season, everton) == 6 - 8 - 3
    assert (decision.recorded_by, decision.recorded_at) == ("ann", NOW)
    snapshot = selectors.data_snapshot(World.REAL)
    services.undo_league_decision(PointsAdjustment, decision_id=decision.pk, by="bob", reason="a mistake", now=NOW)
    assert points(season, everton) == 6 - 8
    decision.refresh_from_db()
    assert (decision.undone_by, decision.undo_reason) == ("bob", "a mistake")
    assert selectors.data_snapshot(World.REAL) > snapshot


def test_a_shipped_decision_that_an_operator_took_back_stays_so(season, everton):
    shipped = PointsAdjustment.objects.get(points=-10)
    services.undo_league_decision(PointsAdjustment, decision_id=shipped.pk, by="ann", reason="not so", now=NOW)
    services.load_reference_data(now=NOW)
    assert points(season, everton) == 6 + 2
    assert PointsAdjustment.objects.filter(team=everton).count() == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"points": 0}, "not 0"),
        ({"points": -61}, "between"),
        ({"reason": "  "}, "a reason is needed"),
        ({"source": " "}, "a source is needed"),
        ({"decided_on": date(2024, 6, 2)}, "in the future"),
        ({"decided_on": date(2023, 11, 17)}, "recorded already"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_its_reason(season, everton, changes, said):
    given = {"season_id": season.pk, "team_id": everton.pk, "points": -3} | DECISION | changes
    with pytest.raises(services.DecisionRefusedError, match=said):
        services.record_adjustment(**given)
    assert PointsAdjustment.objects.count() == 4


def test_a_club_that_does_not_play_in_the_season_loses_no_points_in_it(season):
    with pytest.raises(services.DecisionRefusedError, match="no match in this season"):
        services.record_adjustment(season_id=season.pk, team_id=TeamFactory().pk, points=-3, **DECISION)


def test_a_decision_is_taken_back_once_and_with_a_reason(season, everton):
    pk = PointsAdjustment.objects.get(points=-10).pk
    with pytest.raises(services.DecisionRefusedError, match="a reason is needed"):
        services.undo_league_decision(PointsAdjustment, decision_id=pk, by="ann", reason="", now=NOW)
    services.undo_league_decision(PointsAdjustment, decision_id=pk, by="ann", reason="not so", now=NOW)
    with pytest.raises(services.DecisionRefusedError, match="taken back before"):
        services.undo_league_decision(PointsAdjustment, decision_id=pk, by="ann", reason="not so", now=NOW)
    with pytest.raises(services.DecisionRefusedError, match="no such decision"):
        services.undo_league_decision(PointsAdjustment, decision_id=0, by="ann", reason="not so", now=NOW)


def test_decisions_follow_a_club_that_is_merged_and_come_back_with_it(season):
    other = "Everton Liverpool"
    ingest(
        [record("2023-08-26 14:00", competition=LEAGUE, home_team=other, away_team="Luton")],
        source="elsewhere",
        now=NOW,
    )
    gone, into = Team.objects.get(name=other), Team.objects.get(name="Everton")
    decision = services.record_adjustment(season_id=season.pk, team_id=gone.pk, points=-3, **DECISION)
    done = services.merge_teams(team_id=gone.pk, into_id=into.pk, by="ann", reason="one club", now=NOW)
    decision.refresh_from_db()
    assert decision.team == into
    services.undo_merge(merge_id=done.pk, by="ann", reason="two clubs", now=NOW)
    decision.refresh_from_db()
    assert decision.team == gone


def test_two_clubs_with_decisions_of_one_day_are_not_merged_before_one_is_taken_back(season):
    ingest(
        [record("2023-08-26 14:00", competition=LEAGUE, home_team="Toffees", away_team="Luton")],
        source="elsewhere",
        now=NOW,
    )
    gone, into = Team.objects.get(name="Toffees"), Team.objects.get(name="Everton")
    services.record_adjustment(
        season_id=season.pk, team_id=gone.pk, points=-3, **DECISION | {"decided_on": date(2023, 11, 17)}
    )
    with pytest.raises(services.MergeRefusedError, match="the same day"):
        services.merge_teams(team_id=gone.pk, into_id=into.pk, by="ann", reason="one club", now=NOW)


def test_a_result_by_verdict_counts_in_the_table_with_its_goals():
    season = SeasonFactory()
    match = MatchFactory(
        season=season, status=MatchStatus.AWARDED, home_goals=0, away_goals=3, known_at=KICKOFF + timedelta(hours=3)
    )
    table = selectors.league_table(season)
    assert [(line.team, line.points, line.played, line.goal_difference) for line in table] == [
        (match.away_team, 3, 1, 3),
        (match.home_team, 0, 1, -3),
    ]
    assert selectors.awarded_of(season) == [match]
    assert [line.points for line in selectors.league_table(season, match.known_at)] == [0, 0]


VERDICT = DECISION | {"home_goals": 0, "away_goals": 3}


@pytest.fixture
def played(season, everton):
    """Everton 1–0 Burnley."""
    return Match.objects.get(away_team__name="Burnley")


def test_a_verdict_counts_in_the_place_of_what_was_played_from_the_day_after_it(season, everton, played):
    services.record_awarded_result(match_id=played.pk, **VERDICT)
    assert points(season, everton) == 3 - 8
    burnley = next(line for line in selectors.league_table(season) if line.team == played.away_team)
    assert (burnley.points, burnley.played, burnley.goals_for) == (3, 1, 3)
    assert points(season, everton, datetime(2024, 5, 30, 23, tzinfo=UTC)) == 6 - 8
    played.refresh_from_db()
    assert (played.status, played.home_goals, played.result_source) == ("finished", 1, "football-data")


def test_a_verdict_counts_where_nothing_was_played_and_replaces_what_a_source_calls_awarded(season, everton, played):
    Match.objects.filter(pk=played.pk).update(status=MatchStatus.AWARDED)
    assert selectors.awarded_of(season) == [played]
    services.record_awarded_result(match_id=played.pk, **VERDICT)
    assert points(season, everton) == 3 - 8
    assert selectors.awarded_of(season) == []
    Match.objects.filter(pk=played.pk).update(status="cancelled", home_goals=None, away_goals=None, known_at=None)
    assert points(season, everton) == 3 - 8


def test_a_verdict_is_taken_back(season, everton, played):
    verdict = services.record_awarded_result(match_id=played.pk, **VERDICT)
    services.undo_league_decision(AwardedResult, decision_id=verdict.pk, by="bob", reason="annulled on appeal", now=NOW)
    assert points(season, everton) == 6 - 8
    assert services.record_awarded_result(match_id=played.pk, **VERDICT).pk != verdict.pk


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"home_goals": -1}, "no result of a match"),
        ({"match_id": 0}, "no such match"),
        ({"decided_on": date(2023, 8, 18)}, "before the match"),
        ({"decided_on": date(2024, 6, 2)}, "in the future"),
        ({"reason": ""}, "a reason is needed"),
        ({"source": ""}, "a source is needed"),
    ],
)
def test_an_impossible_verdict_is_refused_with_its_reason(played, changes, said):
    with pytest.raises(services.DecisionRefusedError, match=said):
        services.record_awarded_result(**{"match_id": played.pk} | VERDICT | changes)


def test_a_match_has_one_verdict(played):
    services.record_awarded_result(match_id=played.pk, **VERDICT)
    with pytest.raises(services.DecisionRefusedError, match="recorded already"):
        services.record_awarded_result(match_id=played.pk, **VERDICT)


def test_a_listed_verdict_finds_its_match_whatever_a_source_says_of_it(store):
    league = CompetitionKey("Italy", "Serie A", 1)
    game = {"competition": league, "season": "2020-21", "home_team": "Verona", "away_team": "Roma"}
    store(record("2020-09-19 18:45", "0-0", **game))
    store(record("2020-09-19", "3-0", **game | {"status": MatchStatus.AWARDED}), source="openfootball")
    season = Season.objects.get()
    assert [(line.team.name, line.points, line.goal_difference) for line in selectors.league_table(season)] == [
        ("Verona", 3, 3),
        ("Roma", 0, -3),
    ]
    assert points(season, Team.objects.get(name="Roma"), datetime(2020, 9, 21, tzinfo=UTC)) == 1
    assert AwardedResult.objects.count() == 1


def test_a_verdict_follows_a_club_that_is_merged_and_comes_back_with_it(played):
    ingest([record("2023-08-26 14:00", "1-0", competition=LEAGUE, home_team="Burnley FC", away_team="Luton")],
           source="elsewhere", now=NOW)  # fmt: skip
    gone, into = Team.objects.get(name="Burnley FC"), Team.objects.get(name="Burnley")
    match = Match.objects.get(home_team=gone)
    verdict = services.record_awarded_result(match_id=match.pk, **VERDICT)
    done = services.merge_teams(team_id=gone.pk, into_id=into.pk, by="ann", reason="one club", now=NOW)
    verdict.refresh_from_db()
    assert verdict.home_team == into
    services.undo_merge(merge_id=done.pk, by="ann", reason="two clubs", now=NOW)
    verdict.refresh_from_db()
    assert verdict.home_team == gone


def test_a_second_import_of_the_same_matches_writes_no_decision(everton):
    before = list(PointsAdjustment.objects.values_list("pk", flat=True))
    ingests = Ingest.objects.filter(changed_facts=True).count()
    ingest(
        [record("2023-08-12 14:00", "1-0", competition=LEAGUE, home_team="Everton", away_team="Nott'm Forest")],
        source="football-data",
        now=NOW,
    )
    assert list(PointsAdjustment.objects.values_list("pk", flat=True)) == before
    assert Ingest.objects.filter(changed_facts=True).count() == ingests
    assert Match.objects.count() == 2


@pytest.fixture
def admin(admin_process, admin_client):
    return admin_client


def test_decisions_are_recorded_and_taken_back_in_the_admin(admin, season, everton):
    given = {
        "competition": season.competition.slug, "season": season.label, "team": everton.slug, "points": "-3",
        "decided_on": "2024-05-30", "reason": "unpaid wages", "source": "the league", "_form_submitted": "on",
    }  # fmt: skip
    address = reverse("admin:matches_pointsadjustment_record")
    assert "has such a season" in admin.post(address, given | {"season": "1901"}).content.decode()
    answer = admin.post(address, given)
    decision = PointsAdjustment.objects.get(recorded_by="admin")
    assert answer.headers["HX-Redirect"] == reverse("admin:matches_pointsadjustment_change", args=[decision.pk])
    assert points(season, everton) == 6 - 8 - 3
    assert "unpaid wages" in admin.get(reverse("admin:matches_pointsadjustment_changelist")).content.decode()
    undo = reverse("admin:matches_pointsadjustment_undo", args=[decision.pk])
    admin.post(undo, {"reason": "a mistake", "_form_submitted": "on"})
    assert points(season, everton) == 6 - 8
    page = admin.get(reverse("admin:matches_pointsadjustment_change", args=[decision.pk])).content.decode()
    assert "a mistake" in page
    assert undo not in page


def test_the_admin_says_why_a_decision_is_not_recorded(admin, season, everton):
    given = {
        "competition": season.competition.slug, "season": season.label, "team": everton.slug, "points": "0",
        "decided_on": "2024-05-30", "reason": "unpaid wages", "source": "the league", "_form_submitted": "on",
    }  # fmt: skip
    admin.post(reverse("admin:matches_pointsadjustment_record"), given)
    page = admin.get(reverse("admin:matches_pointsadjustment_changelist")).content.decode()
    assert "Nothing was changed: the points must be between" in page


def test_a_verdict_is_recorded_on_the_page_of_its_match_and_taken_back(admin, season, everton, played):
    address = reverse("admin:matches_match_record_awarded_result", args=[played.pk])
    given = {
        "home_goals": 0, "away_goals": 3, "decided_on": "2024-05-30", "reason": "ineligible", "source": "the league",
        "_form_submitted": "on",
    }  # fmt: skip
    answer = admin.post(address, given)
    verdict = AwardedResult.objects.get()
    assert answer.headers["HX-Redirect"] == reverse("admin:matches_awardedresult_change", args=[verdict.pk])
    assert points(season, everton) == 3 - 8
    assert "0–3" in admin.get(reverse("admin:matches_awardedresult_changelist")).content.decode()
    admin.post(
        reverse("admin:matches_awardedresult_undo", args=[verdict.pk]), {"reason": "a mistake", "_form_submitted": "on"}
    )
    assert points(season, everton) == 6 - 8
    admin.post(address, given | {"decided_on": "2023-08-01"})
    page = admin.get(reverse("admin:matches_match_change", args=[played.pk])).content.decode()
    assert "Nothing was changed: the day of the decision is before the match" in page
