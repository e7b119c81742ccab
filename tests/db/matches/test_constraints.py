"""What PostgreSQL itself refuses, whoever asks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from apps.matches.models import (
    Absence,
    Competition,
    Correction,
    Event,
    Incident,
    Lineup,
    Match,
    MatchChange,
    MatchRef,
    Odds,
    Player,
    Season,
    Team,
    TeamAlias,
    TeamMerge,
    World,
)
from apps.matches.records import Moment, Side
from tests.factories import (
    KICKOFF,
    CompetitionFactory,
    ContradictionFactory,
    FinishedMatchFactory,
    IngestFactory,
    MatchFactory,
    OddsFactory,
    RegionFactory,
    SeasonFactory,
    TeamAliasFactory,
    TeamFactory,
)

pytestmark = pytest.mark.django_db


def refused(name: str):
    return pytest.raises(IntegrityError, match=name)


def test_a_match_is_unique_by_season_teams_and_occurrence():
    match = MatchFactory()
    with refused("match_identity_unique"):
        MatchFactory(season=match.season, home_team=match.home_team, away_team=match.away_team)


def test_a_team_cannot_play_itself():
    team = TeamFactory()
    with refused("match_two_teams"):
        MatchFactory(home_team=team, away_team=team)


@pytest.mark.parametrize("missing", ["home_goals", "away_goals", "known_at"])
def test_a_result_is_whole_or_not_there(missing):
    with refused("match_goals_whole"):
        FinishedMatchFactory(status="awarded", **{missing: None})


def test_a_finished_match_has_goals():
    with refused("match_finished_has_goals"):
        MatchFactory(status="finished")


def test_goals_are_not_negative():
    with refused("home_goals_check"):
        FinishedMatchFactory(home_goals=-1)


def test_the_whistle_comes_after_the_kickoff():
    with refused("match_whistle_after_kickoff"):
        FinishedMatchFactory(finished_at=KICKOFF, known_at=KICKOFF + timedelta(hours=2))


def test_a_result_is_known_after_the_kickoff():
    with refused("match_known_after_kickoff"):
        FinishedMatchFactory(known_at=KICKOFF)


def test_an_id_of_a_source_names_one_match():
    match = MatchFactory()
    MatchRef.objects.create(match=match, source="whoscored", source_id="1")
    MatchRef.objects.create(match=match, source="whoscored", source_id="2")
    with refused("ref_source_id_unique"):
        MatchRef.objects.create(match=MatchFactory(), source="whoscored", source_id="1")


def test_names_are_unique_where_they_must_be():
    competition = CompetitionFactory(name="Premier League")
    SeasonFactory(competition=competition)
    team = TeamFactory(name="Arsenal")
    for make, constraint in (
        (lambda: RegionFactory._meta.model.objects.create(name="England"), "name"),
        (lambda: CompetitionFactory(name="Premier League"), "competition_region_name_unique"),
        (lambda: Season.objects.create(competition=competition, label="2023-24"), "season_competition_label_unique"),
        (lambda: TeamFactory(name="Arsenal"), "team_region_name_unique"),
        (lambda: TeamFactory(region=RegionFactory(name="Chile"), slug=team.slug), "slug"),
    ):
        with refused(constraint), transaction.atomic():
            make()
    assert Team.objects.count() == 1


def test_a_source_names_a_team_once_by_name_and_once_by_id():
    alias = TeamAliasFactory(source_team_id="60")
    with refused("alias_source_region_name_unique"), transaction.atomic():
        TeamAliasFactory(name=alias.name)
    with refused("alias_source_id_unique"), transaction.atomic():
        TeamAliasFactory(source_team_id="60")
    TeamAliasFactory(source_team_id="")
    TeamAliasFactory(source_team_id="")
    assert TeamAlias.objects.count() == 3


def test_a_bookmaker_has_one_price_per_match_and_moment():
    quote = OddsFactory()
    OddsFactory(match=quote.match, moment=Moment.OPENING)
    with refused("odds_pkey"), transaction.atomic():
        Odds.objects.bulk_create([Odds(match=quote.match, bookmaker="PS", moment=Moment.CLOSING)])


def test_a_source_names_a_player_once_by_id():
    Player.objects.create(source="whoscored", source_player_id="1", name="Joe Hart")
    Player.objects.create(source="other", source_player_id="1", name="Joe Hart")
    with refused("player_source_id_unique"):
        Player.objects.create(source="whoscored", source_player_id="1", name="Another")


def test_a_player_stands_once_in_the_lineups_and_once_in_the_absences_of_a_match():
    match = MatchFactory()
    player = Player.objects.create(source="whoscored", source_player_id="1", name="Joe Hart")
    Lineup.objects.create(match=match, player=player, side=Side.HOME, is_starter=True, known_at=KICKOFF)
    Absence.objects.create(match=match, player=player, side=Side.HOME, known_at=KICKOFF)
    with refused("lineup_match_player_unique"), transaction.atomic():
        Lineup.objects.create(match=match, player=player, side=Side.AWAY, is_starter=False, known_at=KICKOFF)
    with refused("absence_match_player_unique"), transaction.atomic():
        Absence.objects.create(match=match, player=player, side=Side.AWAY, known_at=KICKOFF)
    with pytest.raises(IntegrityError), transaction.atomic():
        player.delete()


def test_a_source_numbers_the_incidents_of_a_match_once():
    match = MatchFactory()
    told = {"match": match, "number": 1, "kind": Incident.Kind.GOAL, "side": Side.HOME, "minute": 3}
    Incident.objects.create(source="whoscored", **told)
    Incident.objects.create(source="other", **told)
    with refused("incident_match_source_number_unique"):
        Incident.objects.create(source="whoscored", **told)


def test_a_source_contradicts_a_match_once():
    match = ContradictionFactory().match
    with refused("contradiction_match_source_unique"):
        ContradictionFactory(match=match)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"resolved_at": KICKOFF}, "contradiction_resolution_whole"),
        ({"resolution": "agreed"}, "contradiction_resolution_whole"),
        ({"standing_source": "openfootball"}, "contradiction_open_differs"),
        ({"standing_away_goals": 0}, "contradiction_open_differs"),
    ],
)
def test_an_open_contradiction_is_between_two_sources_and_two_results(fields, constraint):
    with refused(constraint):
        ContradictionFactory(**fields)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"reason": ""}, "correction_has_reason"),
        ({"undone_at": KICKOFF}, "correction_undo_whole"),
        ({"undone_by": "ann", "undo_reason": "r"}, "correction_undo_whole"),
        ({"undone_at": KICKOFF, "undone_by": "ann"}, "correction_undo_whole"),
    ],
)
def test_a_correction_has_its_reason_and_so_has_its_undo(fields, constraint):
    match = FinishedMatchFactory()
    values = {"before": {}, "after": {}, "decided_by": "ann", "reason": "r", "decided_at": KICKOFF}
    with refused(constraint):
        Correction.objects.create(match=match, ingest=match.ingest, **(values | fields))


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"reason": ""}, "teammerge_has_reason"),
        ({"matches_joined": 3}, "teammerge_joined_of_moved"),
        ({"undone_by": "ann", "undo_reason": "r"}, "teammerge_undo_whole"),
        ({"undone_at": KICKOFF, "undo_reason": "r"}, "teammerge_undo_whole"),
    ],
)
def test_a_merge_has_its_reason_and_so_has_its_undo(fields, constraint):
    team = TeamFactory()
    values = {
        "name": "Arsenal FC", "region": team.region, "into": team, "into_name": team.name, "ingest": IngestFactory(),
        "moved": {}, "matches_moved": 2, "matches_joined": 1, "merged_by": "ann", "reason": "r", "merged_at": KICKOFF,
    }  # fmt: skip
    TeamMerge.objects.create(**values)
    with refused(constraint):
        TeamMerge.objects.create(**(values | fields))


def test_a_change_follows_its_match_and_stays_as_it_was():
    match, other = MatchFactory(), MatchFactory()
    change = MatchChange.objects.create(
        match=match, ingest=match.ingest, changed_at=timezone.now(), before={"home_goals": 1}, after={"home_goals": 2}
    )
    MatchChange.objects.filter(pk=change.pk).update(match=other)
    assert MatchChange.objects.get().match == other
    for values in ({"match": match, "after": {}}, {"ingest": other.ingest}, {"changed_at": KICKOFF}):
        with pytest.raises(DatabaseError, match="append-only: UPDATE refused"), transaction.atomic():
            MatchChange.objects.filter(pk=change.pk).update(**values)


def test_a_match_with_history_of_an_ingest_holds_it():
    match = MatchFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        match.ingest.delete()
    assert Match.objects.filter(pk=match.pk).exists()


def test_a_change_is_neither_edited_nor_deleted():
    match = MatchFactory()
    change = MatchChange.objects.create(
        match=match, ingest=match.ingest, changed_at=timezone.now(), before={"home_goals": 1}, after={"home_goals": 2}
    )
    with pytest.raises(DatabaseError, match="append-only: UPDATE refused"), transaction.atomic():
        MatchChange.objects.filter(pk=change.pk).update(after={})
    with pytest.raises(DatabaseError, match="append-only: DELETE refused"), transaction.atomic():
        change.delete()
    with pytest.raises(DatabaseError, match="append-only: DELETE refused"), transaction.atomic():
        match.delete()


def test_an_event_is_numbered_once_and_never_deleted():
    event = Event.objects.create(topic="match.changed", key="1", created_at=timezone.now())
    Event.objects.filter(pk=event.pk).update(number=1)
    for change in ({"number": 2}, {"number": None}, {"topic": "other"}):
        with pytest.raises(DatabaseError, match="only its number is set, once"), transaction.atomic():
            Event.objects.filter(pk=event.pk).update(**change)
    with pytest.raises(DatabaseError, match="append-only: DELETE refused"), transaction.atomic():
        event.delete()


def test_facts_may_be_deleted_by_the_retention_role_alone():
    match = MatchFactory(ingest=IngestFactory())
    MatchChange.objects.create(match=match, ingest=match.ingest, changed_at=timezone.now(), before={}, after={})
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'spai_retention'")
        if cursor.fetchone() is None:
            cursor.execute("CREATE ROLE spai_retention")
        cursor.execute("GRANT SELECT, DELETE ON matches_matchchange TO spai_retention")
        cursor.execute("SET LOCAL ROLE spai_retention")
        cursor.execute("DELETE FROM matches_matchchange")
        cursor.execute("RESET ROLE")
    assert not MatchChange.objects.exists()


# ── Competition and world of a match ─────────────────────────────────────────────────────────────────────────────────
def kept_of(match: Match) -> tuple[int, str]:
    return Match.objects.values_list("competition_id", "world").get(pk=match.pk)


@pytest.mark.parametrize(("is_simulated", "world"), [(False, World.REAL), (True, World.SANDBOX)])
def test_a_match_gets_the_competition_and_world_of_its_season(is_simulated, world):
    season = SeasonFactory(competition=CompetitionFactory(is_simulated=is_simulated))
    match = MatchFactory(season=season)
    assert season.world == season.competition.world == match.world == world
    assert match.competition_id == season.competition_id
    assert Match.objects.get(world=world) == match


def test_what_an_update_says_of_world_and_competition_is_put_right():
    match, other = MatchFactory(), CompetitionFactory(is_simulated=True)
    Match.objects.filter(pk=match.pk).update(world=World.SANDBOX, competition=other)
    assert kept_of(match) == (match.season.competition_id, World.REAL)
    Season.objects.filter(pk=match.season_id).update(world=World.SANDBOX)
    assert Season.objects.get(pk=match.season_id).world == World.REAL


def test_a_match_that_passes_to_another_season_passes_to_its_world():
    match, season = MatchFactory(), SeasonFactory(competition=CompetitionFactory(is_simulated=True))
    match.season = season
    match.save()
    assert kept_of(match) == (season.competition_id, World.SANDBOX)


def test_a_row_that_is_stored_with_the_wrong_world_is_refused():
    match = MatchFactory()
    columns = [field.column for field in Match._meta.concrete_fields if field.column not in ("id", "world")]
    with refused("match_of_season"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO matches_match (world, occurrence, {', '.join(c for c in columns if c != 'occurrence')}) "
            f"SELECT 'sandbox', 2, {', '.join(c for c in columns if c != 'occurrence')} FROM matches_match"
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert Match.objects.count() == 1
    assert kept_of(match)[1] == World.REAL


def test_a_competition_with_seasons_and_a_season_with_matches_stay_where_they_are():
    match = MatchFactory()
    for rows, change in (
        (Competition.objects.filter(pk=match.competition_id), {"is_simulated": True}),
        (Season.objects.filter(pk=match.season_id), {"competition": CompetitionFactory()}),
    ):
        with refused("match_of_season|season_of_competition"), transaction.atomic():
            rows.update(**change)
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
