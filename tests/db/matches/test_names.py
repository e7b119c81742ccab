"""From the names of sources to teams."""

from __future__ import annotations

from apps.matches.models import Match, Team, TeamAlias
from apps.matches.records import CompetitionKey
from apps.matches.services import confirm_aliases
from tests.db.matches.conftest import NOW, record


def aliases_for(region):
    return {"Celtic FC": "Celtic", "Glasgow Rangers": "Rangers"} if region == "Scotland" else {}


def test_an_unknown_name_becomes_a_new_team_that_waits_for_review(store):
    store(record("2024-03-02"))
    alias = TeamAlias.objects.select_related("team", "region").get(name="Celtic")
    assert (alias.team.name, alias.region.name, alias.source) == ("Celtic", "Scotland", "football-data")
    assert (alias.created_at, alias.reviewed_at) == (NOW, None)


def test_an_unknown_name_is_never_guessed_into_another_club(store):
    store(record("2024-03-02"))
    store(record("2024-03-02", home_team="Celtic FC"), source="openfootball")
    assert sorted(Team.objects.values_list("name", flat=True)) == ["Celtic", "Celtic FC", "Rangers"]
    assert Match.objects.count() == 2


def test_a_name_of_the_table_joins_its_club_and_needs_no_review(store):
    store(record("2024-03-02", "2-1"))
    report = store(
        record("2024-03-02", "2-1", home_team="Celtic FC", away_team="Glasgow Rangers"),
        source="openfootball",
        aliases=aliases_for,
    )
    assert report.same == 1
    assert Team.objects.count() == 2
    assert not TeamAlias.objects.filter(source="openfootball", reviewed_at=None).exists()


def test_a_name_of_the_table_comes_first_and_its_club_is_found_later(store):
    store(record("2024-03-02", "2-1", home_team="Celtic FC"), source="openfootball", aliases=aliases_for)
    assert Team.objects.get(name="Celtic").slug == "celtic"
    assert store(record("2024-03-02", "2-1")).created == 0
    assert not TeamAlias.objects.filter(name__startswith="Celtic", reviewed_at=None).exists()


def test_the_table_of_another_region_does_not_count(store):
    england = CompetitionKey("England", "Premier League")
    store(record("2024-03-02", home_team="Celtic FC", competition=england), aliases=aliases_for)
    assert Team.objects.filter(name="Celtic FC", region__name="England").exists()


def test_one_name_in_two_regions_is_two_teams(store):
    store(
        record("2024-03-02", home_team="Rangers", away_team="Hearts"),
        record("2024-03-02", home_team="Rangers", away_team="Arsenal", competition=CompetitionKey("Chile", "Primera")),
    )
    assert sorted(Team.objects.filter(name="Rangers").values_list("region__name", flat=True)) == ["Chile", "Scotland"]


def test_a_team_of_an_international_competition_belongs_to_its_own_region(store):
    store(record("2024-03-02"))
    cup = CompetitionKey("Europe", "Champions League", 0)
    store(record("2024-03-06", competition=cup, away_team="Roma", home_region="Scotland", away_region="Italy"))
    assert Team.objects.filter(name="Celtic").count() == 1
    assert Team.objects.get(name="Roma").region.name == "Italy"


def test_an_id_outlives_a_new_name(store):
    store(record("2024-03-02", home_team_id="60"), source="whoscored")
    store(record("2024-03-09", home_team="Celtic Glasgow", away_team="Hearts", home_team_id="60"), source="whoscored")
    assert sorted(Team.objects.values_list("name", flat=True)) == ["Celtic", "Hearts", "Rangers"]


def test_a_known_name_learns_its_id(store):
    store(record("2024-03-02"), source="whoscored")
    store(record("2024-03-02", home_team_id="60"), source="whoscored")
    assert TeamAlias.objects.get(name="Celtic").source_team_id == "60"


def test_one_name_with_two_ids_is_refused(store):
    store(record("2024-03-02", home_team_id="60"), source="whoscored")
    report = store(record("2024-03-09", home_team_id="61", away_team="Hearts"), source="whoscored")
    assert report.refused == 1
    assert report.refusals[0].reason == "whoscored names its teams 60 and 61 both Celtic"


def test_two_names_of_one_team_cannot_play_each_other(store):
    report = store(record("2024-03-02", away_team="Celtic FC"), aliases=aliases_for)
    assert report.refusals[0].reason == "both names mean one team"
    assert not Match.objects.exists()


def test_simulated_teams_need_no_review(store):
    store(record("2024-03-02", competition=CompetitionKey("Norland", "First", is_simulated=True)), source="sandbox")
    assert not TeamAlias.objects.filter(reviewed_at=None).exists()


def test_confirming_takes_names_off_the_review_list_once(store):
    store(record("2024-03-02"))
    ids = list(TeamAlias.objects.values_list("pk", flat=True))
    assert confirm_aliases(ids, by="ann", now=NOW) == 2
    assert confirm_aliases(ids, by="ann", now=NOW) == 0
    assert not TeamAlias.objects.filter(reviewed_at=None).exists()
