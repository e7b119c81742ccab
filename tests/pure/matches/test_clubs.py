"""Names, codes and colours of clubs, and how names are compared."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pytest

from apps.matches import clubs
from apps.matches.aliases import aliases_for
from apps.matches.clubs import ClubNames, club_of, code_of, plain
from apps.scraping.sandbox.clubs import CLUBS


@pytest.fixture(scope="module")
def rows():
    with clubs.TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_has_a_full_name_and_a_code_of_its_own_in_its_country(rows):
    assert all(row["full_name"] for row in rows)
    assert all(re.fullmatch("[A-Z0-9]{3}", row["code"]) for row in rows)
    codes = Counter((row["region"], row["code"]) for row in rows)
    assert [key for key, count in codes.items() if count > 1] == []
    assert len({(row["region"], row["name"]) for row in rows}) == len(rows)


def test_colours_are_two_hex_values_or_none(rows):
    for row in rows:
        colours = row["first_colour"] + row["second_colour"]
        assert re.fullmatch("(#[0-9a-f]{6}){2}|", colours), row


def test_every_simulated_club_has_two_colours_that_differ():
    colours = {club.name: club_of(club.region, club.name)[-2:] for club in CLUBS}
    assert [name for name, (first, second) in colours.items() if not first or first == second] == []
    assert len(set(colours.values())) == len(CLUBS)


def test_clubs_go_by_the_name_under_which_they_are_stored(rows):
    aliases = [row["name"] for row in rows if aliases_for(row["region"]).get(row["name"], row["name"]) != row["name"]]
    assert aliases == []


def test_two_clubs_of_a_country_do_not_show_one_name(rows):
    shown = Counter((row["region"], row["short_name"] or row["name"]) for row in rows)
    assert [key for key, count in shown.items() if count > 1] == []


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Atlético  Madrid", "atletico madrid"),
        ("M'gladbach", "mgladbach"),
        ("Nott’m Forest", "nottm forest"),
        ("FC St. Pauli", "fc st pauli"),
        ("D.C. United", "dc united"),
        ("Brighton & Hove", "brighton and hove"),
        ("Bodø/Glimt", "bodo glimt"),
        ("İstanbul Başakşehir", "istanbul basaksehir"),
        ("KASIMPAŞA", "kasimpasa"),
        ("Kasımpaşa", "kasimpasa"),
        ("Preußen Münster", "preussen munster"),
        ("Widzew Łódź", "widzew lodz"),
        ("FC Nordsjælland", "fc nordsjaelland"),
        ("Universitatea Craiova – Știința", "universitatea craiova stiinta"),
        (" | ", ""),
    ],
)
def test_accents_case_and_punctuation_do_not_matter(written, compared):
    assert plain(written) == compared


def test_a_club_is_found_by_its_stored_name_or_by_its_full_or_shown_name():
    assert club_of("England", "Man United").short_name == "Manchester United"
    assert club_of("England", "Manchester United FC").code == "MUN"
    assert club_of("Italy", "Como 1907").code == "COM"
    assert club_of("Spain", "Barcelona B") == ClubNames()
    assert club_of("England", "Nottingham Forest").code == "NFO"
    assert club_of("Germany", "SC Preussen Munster").code == "PRM"
    # The same name in another country is another club.
    assert club_of("Brazil", "Man United") == ClubNames()


@pytest.mark.parametrize(
    ("name", "code"),
    [("Harbour City", "HAC"), ("Northgate", "NOR"), ("FC Porto", "POR"), ("1. FC Köln", "KOL"), ("AC", "AC")],
)
def test_a_club_without_a_code_gets_one_made_of_its_name(name, code):
    assert code_of(name) == code
