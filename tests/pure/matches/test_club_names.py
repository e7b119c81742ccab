"""What of a name tells one club from another."""

from __future__ import annotations

import pytest

from apps.matches.club_names import is_form_alone, one_in_other, same_but_for_form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Wrexham AFC", "Wrexham"),
        ("Como 1907", "Como"),
        ("FC St. Pauli 1910", "St Pauli"),
        ("FC Annecy", "Annecy"),
        ("US Catanzaro 1929", "Catanzaro"),
        ("AC Pisa 1909", "Pisa"),
        ("Eyüpspor", "Eyupspor"),
        ("FC Alverca", "Alverca"),
        ("KVC Westerlo", "Westerlo"),
        ("FCV Dender EH", "Dender"),
        ("CD Eldense", "Eldense"),
        ("D.C. United", "DC United"),
        ("1. FC Köln", "FC Koeln"),
        ("AS Saint-Étienne", "St Etienne"),
        ("Brøndby IF", "Brondby"),
        ("İstanbulspor AŞ", "Istanbulspor As"),
        ("Brighton & Hove Albion", "Brighton and Hove Albion"),
        ("Nott'm Forest", "Nottm Forest"),
        ("Darmstadt 98", "Darmstadt"),
        ("U.N.A.M.- Pumas", "Pumas UNAM"),
        ("Celta de Vigo", "Celta Vigo"),
        ("ŁKS Łódź", "LKS Lodz"),
        ("Århus", "Aarhus"),
        ("Ham-Kam", "HamKam"),
    ],
)
def test_names_of_one_club_differ_by_their_form(one: str, other: str) -> None:
    assert same_but_for_form(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dundee", "Dundee United"),
        ("Atletico Madrid", "Real Madrid"),
        ("FC Koln", "Fortuna Koln"),
        ("Paris FC", "Paris SG"),
        ("Racing Club", "Racing Santander"),
        ("Independiente", "Independiente Rivadavia"),
        ("Willem II", "Willem"),
        ("Ajax", "Jong Ajax"),
        ("Bayern", "Bayern II"),
        ("Sevilla", "Sevilla B"),
        ("Chelsea", "Chelsea U21"),
        ("Lyon", "Lyon (W)"),
        ("Arsenal", "Arsenal Women"),
        ("Gretna", "Gretna 2008"),
        ("Team 31", "Team 32"),
        ("PSV Eindhoven", "FC Eindhoven"),
    ],
)
def test_names_of_two_clubs_do_not(one: str, other: str) -> None:
    assert not same_but_for_form(one, other)


@pytest.mark.parametrize(
    ("one", "other", "is_contained"),
    [
        ("Racing Ferrol", "Ferrol", True),
        ("Independiente Rivadavia", "Ind. Rivadavia", True),
        ("Man Utd", "Man United", True),
        ("Dundee", "Dundee United", True),
        ("Ath Bilbao", "Ath Bilbao B", False),
        ("Hibernian", "Hibs Edinburgh", False),
        ("Leeds United", "Man United", False),
        ("Ajax", "Jong Ajax", False),
    ],
)
def test_a_name_is_contained_in_another(one: str, other: str, is_contained: bool) -> None:
    assert one_in_other(one, other) == one_in_other(other, one) == is_contained


@pytest.mark.parametrize("name", ["AFC", "FC", "F.C.", "1. FC", "1910", "SV 1899", "Club", " - "])
def test_a_legal_form_alone_names_no_club(name: str) -> None:
    assert is_form_alone(name)


@pytest.mark.parametrize(
    "name", ["KA", "A", "B", "II", "LASK", "1860 München", "Club 1", "Club 30", "Спартак", "Club Brugge", "AEK"]
)
def test_short_names_of_clubs_are_names(name: str) -> None:
    assert not is_form_alone(name)
