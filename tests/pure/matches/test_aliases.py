"""The alias table: one name for one club."""

from __future__ import annotations

import csv

import pytest

from apps.matches.aliases import TABLE, aliases_for
from apps.scraping.sources.competitions import DIVISIONS, LEAGUES, OPENFOOTBALL_CODES


def rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("region", "name", "club"),
    [
        ("England", "Wolverhampton Wanderers FC", "Wolves"),
        ("England", "Liverpool FC", "Liverpool"),
        ("Germany", "1. FC Köln", "FC Koln"),
        ("Germany", "Fortuna Köln", "F Koln"),
        ("Spain", "Athletic Club B", "Ath Bilbao B"),
        ("Italy", "FC Internazionale Milano", "Inter"),
        ("France", "Gazélec FC Ajaccio", "Ajaccio GFCO"),
        ("Portugal", "Sporting CP", "Sp Lisbon"),
        ("Scotland", "Raith", "Raith Rvs"),
    ],
)
def test_a_long_name_stands_for_its_club(region: str, name: str, club: str) -> None:
    assert aliases_for(region)[name] == club


def test_a_name_means_one_club_within_its_region_only() -> None:
    assert "Liverpool FC" not in aliases_for("Uruguay")
    assert aliases_for("Nowhere") == {}
    names = [(row["region"], row["name"]) for row in rows()]
    assert len(set(names)) == len(names)


def test_the_name_of_a_club_means_no_other_club() -> None:
    for row in rows():
        assert aliases_for(row["region"]).get(row["club"], row["club"]) == row["club"], row


def test_names_are_trimmed_and_their_regions_known() -> None:
    known = {key.region for table in (DIVISIONS, LEAGUES, OPENFOOTBALL_CODES) for key in table.values()}
    for row in rows():
        assert row == {field: text.strip() for field, text in row.items()}
        assert row["region"] in known


@pytest.mark.parametrize(
    ("region", "one", "other"),
    [
        ("Austria", "FC Lustenau", "Austria Lustenau"),
        ("Austria", "Austria Salzburg", "RB Salzburg"),
        ("Austria", "Austria Wien II", "Austria Wien"),
        ("Germany", "Bayern München II", "Bayern München"),
        ("Germany", "Leipzig", "RB Leipzig"),
        ("England", "Wimbledon", "AFC Wimbledon"),
        ("Turkey", "Gaziantepspor", "Gazişehir Gaziantep FK"),
        ("Spain", "U.Las Palmas", "UD Las Palmas"),
    ],
)
def test_second_teams_neighbours_and_successors_stay_apart(region: str, one: str, other: str) -> None:
    aliases = aliases_for(region)
    assert aliases.get(one, one) != aliases.get(other, other)


def test_the_table_is_sorted_so_that_a_change_is_one_line() -> None:
    keys = [(row["region"], row["name"]) for row in rows()]
    assert keys == sorted(keys)
