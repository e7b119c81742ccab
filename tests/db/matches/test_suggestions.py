"""Which club a new name may stand for."""

from __future__ import annotations

import pytest

from apps.matches.models import Team
from apps.matches.records import CompetitionKey
from apps.matches.suggestions import likeness, suggest
from tests.db.matches.conftest import record
from tests.factories import RegionFactory, TeamAliasFactory, TeamFactory

DAYS = ("2024-03-02", "2024-03-09", "2024-03-16", "2024-03-23", "2024-03-30")


def names(team, **options):
    return [suggestion.team.name for suggestion in suggest([team], **options)[team.pk]]


def season(home, results, **fields):
    """Return matches of a club at home, one a week, against five clubs that nobody else names."""
    return [
        record(day, result, home_team=home, away_team=f"Guest {number}", **fields)
        for number, (day, result) in enumerate(zip(DAYS, results, strict=False))
    ]


# ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("celtic-fc", "celtic"),
        ("1-fc-koln", "fc-koln"),
        ("manchester-united-fc", "man-united"),
        ("club-atletico-de-madrid", "atletico-madrid"),
        ("wolverhampton-wanderers-fc", "wolverhampton"),
    ],
)
def test_names_of_one_club_are_alike(one, other):
    assert likeness(one, other) >= 62
    assert likeness(one, other) == pytest.approx(likeness(other, one), abs=12)


@pytest.mark.parametrize(("one", "other"), [("celtic", "rangers"), ("arsenal", "chelsea"), ("fc", "sc")])
def test_names_of_two_clubs_are_not(one, other):
    assert likeness(one, other) < 62


def test_an_equal_name_is_liker_than_one_that_contains_it():
    assert likeness("dundee", "dundee-fc") == 100
    assert likeness("dundee", "dundee-united") < 95


@pytest.mark.django_db
def test_the_likeliest_come_first_and_their_other_names_count():
    region = RegionFactory()
    new = TeamFactory(name="Athletic Club", region=region)
    bilbao = TeamFactory(name="Ath Bilbao", region=region)
    TeamAliasFactory(team=bilbao, name="Athletic Club de Bilbao", source="openfootball")
    TeamFactory(name="Athletic Something Else", region=region)
    TeamFactory(name="Sevilla", region=region)
    assert names(new)[0] == "Ath Bilbao"
    assert "Sevilla" not in names(new)
    assert len(names(new, limit=1)) == 1


@pytest.mark.django_db
def test_a_club_of_another_region_needs_a_name_that_is_nearly_equal():
    new = TeamFactory(name="Celtic FC", region=RegionFactory(name="Europe"))
    celtic = TeamFactory(name="Celtic", region=RegionFactory(name="Scotland"))
    TeamFactory(name="Celtic Boys", region=celtic.region)
    (suggestion,) = suggest([new])[new.pk]
    assert (suggestion.team, suggestion.evidence) == (celtic, ("from Scotland",))


def test_no_name_has_no_suggestion(db):
    lonely = TeamFactory(name="Zamalek")
    assert suggest([lonely]) == {lonely.pk: []}
    assert suggest([]) == {}


# ── Matches ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_results_on_the_same_days_are_evidence(store):
    results = ("2-1", "1-0", "0-0", "3-3", "1-2")
    store(*season("Hibernian", results))
    store(*season("Hibs Edinburgh FC", results), source="openfootball")
    TeamAliasFactory(team=Team.objects.get(name="Hibernian"), name="Hibs", source="somebody")
    TeamFactory(name="Hibs Leith", region=RegionFactory(name="Scotland"))
    new = Team.objects.get(name="Hibs Edinburgh FC")
    (suggestion,) = suggest([new])[new.pk]
    assert suggestion.team.name == "Hibernian"
    assert suggestion.evidence == (
        "5 matches on the same days with the same results", "both play in Premiership"
    )  # fmt: skip


def test_teams_that_met_are_never_suggested(store):
    store(record("2024-03-02", "2-1", home_team="Dundee"), source="football-data")
    store(record("2023-03-02", "2-1", home_team="Dundee United", away_team="Dundee", season="2022-23"), source="other")
    assert names(Team.objects.get(name="Dundee United")) == []


def test_two_clubs_that_one_source_shows_in_one_season_are_never_suggested(store):
    store(record("2024-03-02", "2-1", home_team="Dundee"), record("2024-03-02", "1-1", home_team="Dundee United"))
    assert names(Team.objects.get(name="Dundee United")) == []


def test_two_clubs_that_one_source_names_are_not_suggested_when_both_play_in_a_season(store):
    store(*season("Dundee", ("2-1", "1-0")))
    TeamAliasFactory(team=Team.objects.get(name="Dundee"), name="Dundee", source="openfootball")
    store(record("2024-03-23", "1-1", home_team="Dundee United"), source="openfootball")
    assert names(Team.objects.get(name="Dundee United")) == []


def test_a_club_that_one_source_calls_otherwise_in_another_season_is_suggested(store):
    store(record("2023-03-04", "2-1", home_team="Middlesboro", season="2022-23"))
    store(record("2024-03-02", "2-1", home_team="Middlesbrough"))
    assert names(Team.objects.get(name="Middlesbrough")) == ["Middlesboro"]


def test_clubs_whose_matches_of_a_day_differ_are_never_suggested(store):
    store(*season("Dundee", ("2-1", "1-0", "0-0")))
    store(*season("Dundee United", ("0-1", "1-1", "0-0")), source="openfootball")
    assert names(Team.objects.get(name="Dundee United")) == []


def test_simulated_clubs_are_no_real_ones(store):
    store(record("2024-03-02", "2-1"))
    norland = CompetitionKey("Norland", "First", is_simulated=True)
    store(record("2024-03-02", "2-1", home_team="Celtic", away_team="Fjord", competition=norland), source="sandbox")
    assert names(Team.objects.get(name="Celtic", region__name="Scotland")) == []


def test_many_names_need_the_queries_of_one(store, django_assert_max_num_queries):
    for label in ("2021-22", "2022-23", "2023-24"):
        store(*season("Hibernian", ("2-1", "1-0"), season=label))
        store(*season(f"Hibernian FC {label}", ("2-1", "1-0"), season=label), source=f"source {label}")
    teams = list(Team.objects.select_related("region"))
    with django_assert_max_num_queries(8):
        assert any(suggest(teams).values())
