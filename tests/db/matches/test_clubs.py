"""One club, once: names that mean a known club by form and results, whatever order sources come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import combinations
from random import Random

import pytest

from apps.matches.aliases import aliases_for
from apps.matches.ingest import IngestReport, ingest
from apps.matches.models import Match, Region, Team, TeamAlias, TeamMerge
from apps.matches.records import CompetitionKey, MatchRecord
from apps.matches.services import confirm_aliases, join_clubs, split_off, undo_merge
from apps.matches.suggestions import suggest
from tests.db.matches.conftest import NOW, at, record

COUNTRY = CompetitionKey("Nowhere", "First League", 1)
SECOND = CompetitionKey("Nowhere", "Second League", 2)
Records = list[MatchRecord]


@pytest.fixture
def take(db: None) -> Callable[..., IngestReport]:
    """Store records as the services do."""

    def run(records: Sequence[MatchRecord], *, source: str) -> IngestReport:
        report = ingest(records, source=source, now=NOW, aliases=aliases_for)
        join_clubs(ingest_id=report.ingest_id, now=NOW)
        return report

    return run


def league(
    clubs: Sequence[str], *, season: str = "2023-24", competition: CompetitionKey = COUNTRY
) -> list[MatchRecord]:
    """Return a season in which clubs meet once, whose results follow from the places of the clubs in the list."""
    return [
        record(
            f"{season[:4]}-09-01",
            f"{(3 * one + other) % 5}-{(one + 2 * other) % 4}",
            home_team=clubs[one],
            away_team=clubs[other],
            season=season,
            competition=competition,
            kickoff_at=at(f"{season[:4]}-09-01") + timedelta(days=7 * number),
        )
        for number, (one, other) in enumerate(combinations(range(len(clubs)), 2))
    ]


def teams() -> set[str]:
    return set(Team.objects.values_list("name", flat=True))


SHORT = ("Wrexham", "Como", "St Pauli", "Ferrol", "Ind. Rivadavia", "Dundee", "Dundee United")
LONG = (
    "Wrexham AFC", "Como 1907", "FC St. Pauli 1910", "Racing Ferrol", "Independiente Rivadavia", "Dundee",
    "Dundee United",
)  # fmt: skip


# ── Results ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("order", [("football-data", "openfootball"), ("openfootball", "football-data")])
def test_two_sources_of_one_season_give_each_club_once_in_either_order(take, order):
    seasons = {"football-data": league(SHORT), "openfootball": league(LONG)}
    for source in order:
        take(seasons[source], source=source)
    assert teams() == set(SHORT)
    assert Match.objects.count() == 21
    assert {take(seasons[source], source=source).same for source in order} == {21}


def test_the_second_source_finds_the_matches_that_are_stored_at_once(take):
    take(league(SHORT), source="football-data")
    report = take(league(LONG), source="openfootball")
    assert (report.created, report.same) == (0, 21)
    assert not TeamMerge.objects.exists()
    assert TeamAlias.objects.get(name="Como 1907").found_by == "results"


@pytest.mark.parametrize("seed", range(6))
def test_the_clubs_are_the_same_in_every_order_even_club_by_club(take, seed):
    records = [("football-data", each) for each in league(SHORT) + league(SHORT, season="2022-23")]
    records += [("openfootball", each) for each in league(LONG) + league(LONG, season="2021-22")]
    batches: dict[tuple[str, str], list[MatchRecord]] = {}
    for source, each in records:
        batches.setdefault((source, each.home_team), []).append(each)
    keys = sorted(batches)
    Random(seed).shuffle(keys)
    for source, home in keys:
        take(batches[source, home], source=source)
    assert teams() == set(SHORT)
    assert Match.objects.count() == 63


def test_results_that_differ_keep_two_names_apart_and_suggest_the_club(take):
    clubs = ("Como", "Lecce", "Parma", "Udinese")
    take(league(clubs), source="football-data")
    other = [
        record("2023-09-01", "9-8", home_team="Como 1907", away_team=away, competition=COUNTRY, kickoff_at=kickoff_at)
        for away, kickoff_at in zip(clubs[1:], (each.kickoff_at for each in league(clubs)), strict=False)
    ]
    take(other, source="openfootball")
    new = Team.objects.get(name="Como 1907")
    assert [found.team.name for found in suggest([new])[new.pk]] == ["Como"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ath Bilbao", "Ath Bilbao B"), ("Ajax", "Jong Ajax"), ("Chelsea", "Chelsea U21"), ("Arsenal", "Arsenal Women"),
        ("Bayern", "FC Bayern II"), ("FC Koln", "Fortuna Koln"), ("Sporting Gijon", "Sporting CP"),
    ],
)  # fmt: skip
def test_second_teams_and_neighbours_stay_two_clubs(take, one, other):
    take(league((one, "Lecce", "Parma")), source="football-data")
    take(league((other, "Pisa", "Monza"), season="2022-23"), source="openfootball")
    assert {one, other} <= teams()


@pytest.mark.parametrize("seed", range(4))
def test_three_spellings_of_a_club_join_in_every_order(take, seed):
    batches = [
        ("football-data", league(("Pisa", "Lecce", "Parma"), season="2020-21")),
        ("openfootball", league(("AC Pisa 1909", "Lecce", "Parma"), season="2020-21")),
        ("feed", league(("Pisa SC", "Lecce", "Parma"), season="2022-23")),
    ]
    Random(seed).shuffle(batches)
    for source, records in batches:
        take(records, source=source)
    assert teams() == {"Pisa", "Lecce", "Parma"}


# ── Names alone ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_name_that_differs_by_its_form_joins_the_only_such_club_without_a_shared_season(take):
    take(league(("Como", "Lecce", "Parma"), season="2022-23"), source="football-data")
    take(league(("Como 1907", "Lecce", "Parma")), source="openfootball")
    assert teams() == {"Como", "Lecce", "Parma"}
    merge = TeamMerge.objects.get()
    assert (merge.name, merge.into_name, merge.merged_by) == ("Como 1907", "Como", "SPAI")


def test_of_two_clubs_with_such_a_name_none_is_chosen(take):
    take(
        league(("AC Ajaccio", "Lens", "Metz"), season="2022-23")
        + league(("SC Ajaccio", "Brest", "Caen"), season="2022-23", competition=SECOND),
        source="football-data",
    )
    take(league(("Ajaccio", "Lens", "Metz")), source="openfootball")
    assert {"AC Ajaccio", "SC Ajaccio", "Ajaccio"} <= teams()


def test_clubs_of_two_leagues_in_one_year_are_two(take):
    take(league(("Mechelen", "Gent", "Genk")), source="football-data")
    take(league(("RC Mechelen", "Lier", "Mons"), competition=SECOND), source="openfootball")
    assert {"Mechelen", "RC Mechelen"} <= teams()


def test_two_names_of_one_source_are_not_joined_by_their_form(take):
    take(league(("Wrexham", "Lecce", "Parma"), season="2002-03"), source="football-data")
    take(league(("AFC Wrexham", "Lecce", "Parma"), season="2022-23"), source="football-data")
    assert {"Wrexham", "AFC Wrexham"} <= teams()


def test_a_source_that_changes_its_punctuation_still_means_one_club(take):
    take(league(("M'Gladbach", "Lecce", "Parma"), season="2002-03"), source="football-data")
    take(league(("M gladbach", "Lecce", "Parma"), season="2022-23"), source="football-data")
    assert len(teams()) == 3


def test_clubs_of_the_alias_table_are_never_joined(take):
    england = CompetitionKey("England", "Premier League", 1)
    take(league(("Wimbledon", "Leeds"), season="1995-96", competition=england), source="football-data")
    take(league(("AFC Wimbledon", "Leeds"), season="2015-16", competition=england), source="openfootball")
    assert {"Wimbledon", "AFC Wimbledon"} <= teams()


def test_teams_that_an_operator_confirmed_stay_apart(take):
    take(league(("Como", "Lecce", "Parma"), season="2022-23"), source="football-data")
    confirm_aliases(TeamAlias.objects.values_list("pk", flat=True), by="ann", now=NOW)
    ingest(league(("Como 1907", "Lecce", "Parma")), source="openfootball", now=NOW)
    confirm_aliases(TeamAlias.objects.values_list("pk", flat=True), by="ann", now=NOW)
    take(league(("Como 1907", "Lecce", "Pisa")), source="openfootball")
    assert {"Como", "Como 1907"} <= teams()


def test_teams_that_an_operator_separated_stay_apart(take):
    take(league(("Como", "Lecce", "Parma"), season="2022-23"), source="football-data")
    take(league(("Como 1907", "Lecce", "Parma")), source="openfootball")
    undo_merge(merge_id=TeamMerge.objects.get().pk, by="ann", reason="two clubs", now=NOW)
    take(league(("Como 1907", "Lecce", "Pisa")), source="openfootball")
    take(league(("Como", "Lecce", "Pisa"), season="2022-23"), source="football-data")
    assert {"Como", "Como 1907"} <= teams()


def test_a_name_found_by_its_results_can_be_split_off_and_is_not_joined_again(take):
    take(league(SHORT), source="football-data")
    take(league(LONG) + league(("Como 1907", "Lecce"), season="2022-23"), source="openfootball")
    como = split_off(alias_id=TeamAlias.objects.get(name="Como 1907").pk, by="ann", now=NOW)
    assert set(Match.objects.filter(home_team=como).values_list("season__label", flat=True)) == {"2022-23"}
    take(league(LONG), source="openfootball")
    take(league(SHORT), source="football-data")
    assert teams() == {*SHORT, "Como 1907", "Lecce"}
    assert Match.objects.filter(home_team=como).count() == 6


# ── Regions ──────────────────────────────────────────────────────────────────────────────────────────────────────────
CUP = CompetitionKey("Europe", "Champions League", 0)


def regions() -> dict[str, str]:
    return dict(Team.objects.values_list("name", "region__name"))


@pytest.mark.parametrize(
    ("region", "code", "name"),
    [
        ("England", "Wales", "Swansea City"), ("USA", "Canada", "Toronto FC"), ("France", "Monaco", "Monaco"),
        ("Australia", "New Zealand", "Wellington"), ("Ireland", "Northern Ireland", "Derry City"),
        ("Scotland", "England", "Berwick"),
    ],
)  # fmt: skip
def test_a_club_of_a_league_belongs_to_its_region_whatever_the_code(take, region, code, name):
    competition = CompetitionKey(region, "Some League", 1)
    take([record("2024-03-02", "2-1", home_team=name, home_region=code, competition=competition)], source="feed")
    assert set(regions().values()) == {region}


def test_cups_find_the_club_in_the_neighbours_league_in_either_order(take):
    league_match = record("2024-03-02", "2-1", home_team="Newport", competition=CompetitionKey("England", "L", 4))
    cup_match = record("2024-03-05", "2-1", home_team="Newport AFC", home_region="Wales", away_region="Wales",
                       away_team="TNS", competition=CUP)  # fmt: skip
    for order in ([league_match, cup_match], [cup_match, league_match]):
        for each in order:
            take([each], source="feed")
        assert regions()["Newport"] == "England"
        assert regions()["TNS"] == "Wales"
        assert "Newport AFC" not in regions()
        Match.objects.all().delete()
        TeamMerge.objects.all().delete()
        Team.objects.all().delete()


def test_monaco_is_french_in_european_cups(take):
    take([record("2024-03-05", "2-1", home_team="AS Monaco FC", home_region="Monaco", away_team="FC Vaduz",
                 away_region="Liechtenstein", competition=CUP)], source="openfootball")  # fmt: skip
    assert regions() == {"Monaco": "France", "Vaduz": "Switzerland"}


def test_a_club_that_was_stored_under_its_country_joins_that_of_its_league(take):
    england = CompetitionKey("England", "L", 4)
    take(
        [record("2024-03-02", "2-1", home_team="Newport County", away_team="Bury", competition=england)], source="feed"
    )
    match = Match.objects.get()
    welsh = Team.objects.create(name="Newport", slug="welsh", region=Region.objects.create(name="Wales"))
    TeamAlias.objects.create(source="old", region=welsh.region, name="Newport County AFC", team=welsh, created_at=NOW)
    match.pk, match.home_team, match._state.adding = None, welsh, True
    match.save()
    join_clubs(ingest_id=match.ingest_id, now=NOW)
    assert regions() == {"Newport County": "England", "Bury": "England"}


# ── Legal forms ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ["AFC", "FC", "F.C.", "1. FC", "1910", "SV 1899"])
def test_a_legal_form_alone_is_refused(take, name):
    report = take([record("2024-03-02", "2-1", home_team=name)], source="feed")
    assert report.refusals[0].reason == (
        f"the name {name} is only a legal form, so that the club is not known; write the club's full name"
    )
    assert not Team.objects.exists()
