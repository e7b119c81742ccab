"""The people of a match: line-ups, incidents and absences, each as its source says it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.matches.models import Absence, Incident, Ingest, Lineup, Match, Player
from apps.matches.records import (
    AbsenceRecord,
    IncidentKind,
    IncidentRecord,
    LineupRecord,
    MatchDetails,
    PlayerKey,
    Side,
)
from apps.matches.selectors import data_snapshot
from tests.db.matches.conftest import NOW, at, record

HART, MCGREGOR, MAEDA = PlayerKey("1", "Joe Hart"), PlayerKey("42", "Callum McGregor"), PlayerKey("38", "Daizen Maeda")
TAVERNIER, BUTLAND = PlayerKey("2", "James Tavernier"), PlayerKey("11", "Jack Butland")
READ_AT = at("2024-03-02 14:00")
SHEET = MatchDetails(
    known_at=READ_AT,
    lineups=(
        LineupRecord(HART, Side.HOME, is_starter=True, position="GK", shirt_number=1),
        LineupRecord(MAEDA, Side.HOME, is_starter=False),
        LineupRecord(TAVERNIER, Side.AWAY, is_starter=True, position="DR", shirt_number=2),
    ),
    incidents=(
        IncidentRecord(IncidentKind.GOAL, Side.HOME, 12, player=MCGREGOR, other_player=MAEDA),
        IncidentRecord(IncidentKind.OWN_GOAL, Side.HOME, 12, player=TAVERNIER),
        IncidentRecord(IncidentKind.YELLOW_CARD, Side.AWAY, 90),
    ),
    absences=(AbsenceRecord(BUTLAND, Side.AWAY, reason="injured", status="out"),),
)
EVERYTHING = (Match, Player, Lineup, Incident, Absence)


def told(**parts):
    """Return the record of a finished match with a details that differs in some parts."""
    return record("2024-03-02 15:00", "2-0", details=replace(SHEET, **parts))


def counts(report):
    return report.created, report.changed, report.same, report.refused


def rows():
    return [list(model.objects.order_by("pk").values()) for model in EVERYTHING]


@pytest.fixture
def tell(store):
    """Ingest what WhoScored says."""

    def run(*told_records, source="whoscored", **options):
        return store(*told_records, source=source, **options)

    return run


def test_a_sheet_becomes_players_lineups_incidents_and_absences(tell):
    assert counts(tell(told())) == (1, 0, 0, 0)
    assert dict(Player.objects.values_list("source_player_id", "name")) == {
        key.source_player_id: key.name for key in (HART, MCGREGOR, MAEDA, TAVERNIER, BUTLAND)
    }
    lineups = Lineup.objects.order_by("player__name").values_list(
        "player__name", "side", "is_starter", "position", "shirt_number", "known_at"
    )
    assert list(lineups) == [
        ("Daizen Maeda", "home", False, "", None, READ_AT),
        ("James Tavernier", "away", True, "DR", 2, READ_AT),
        ("Joe Hart", "home", True, "GK", 1, READ_AT),
    ]
    incidents = Incident.objects.order_by("number").values_list(
        "source", "number", "kind", "side", "minute", "player__name", "other_player__name"
    )
    assert list(incidents) == [
        ("whoscored", 1, "goal", "home", 12, "Callum McGregor", "Daizen Maeda"),
        ("whoscored", 2, "own_goal", "home", 12, "James Tavernier", None),
        ("whoscored", 3, "yellow_card", "away", 90, None, None),
    ]
    absence = Absence.objects.select_related("player").get()
    assert (absence.player.name, absence.side, absence.reason, absence.status, absence.known_at) == (
        "Jack Butland", "away", "injured", "out", READ_AT
    )  # fmt: skip


def test_the_second_run_of_the_same_sheet_writes_no_row(tell):
    tell(told())
    before = rows()
    with CaptureQueriesContext(connection) as queries:
        report = tell(told(), now=NOW + timedelta(days=1))
    assert counts(report) == (0, 0, 1, 0)
    assert rows() == before
    assert not Ingest.objects.get(pk=report.ingest_id).changed_facts
    written = [query["sql"] for query in queries if query["sql"].startswith(("DELETE", "UPDATE matches"))]
    assert not written


def test_a_sheet_that_arrives_later_changes_the_record_and_moves_the_data_snapshot(tell):
    tell(record("2024-03-02 15:00", "2-0"))
    report = tell(told())
    assert counts(report) == (0, 1, 0, 0)
    assert data_snapshot("real") == report.ingest_id
    assert Lineup.objects.count() == 3


@pytest.mark.parametrize(
    ("parts", "model", "left"),
    [
        ({"lineups": (LineupRecord(MCGREGOR, Side.HOME, is_starter=True),)}, Lineup, {"42", "2"}),
        ({"incidents": SHEET.incidents[:1]}, Incident, {"42"}),
        ({"absences": (AbsenceRecord(MAEDA, Side.HOME),)}, Absence, {"38"}),
        ({"absences": (*SHEET.absences, AbsenceRecord(MAEDA, Side.HOME))}, Absence, {"11", "38"}),
    ],
)
def test_what_a_source_reports_replaces_what_it_reported_before(tell, parts, model, left):
    tell(told())
    assert counts(tell(told(**parts))) == (0, 1, 0, 0)
    assert set(model.objects.values_list("player__source_player_id", flat=True)) == left
    assert counts(tell(told(**parts))) == (0, 0, 1, 0)


@pytest.mark.parametrize("part", ["lineups", "incidents", "absences"])
def test_an_empty_part_erases_nothing(tell, part):
    tell(told())
    before = rows()
    assert counts(tell(told(**{part: ()}))) == (0, 0, 1, 0)
    assert counts(tell(record("2024-03-02 15:00", "2-0", details=MatchDetails(known_at=READ_AT)))) == (0, 0, 1, 0)
    assert counts(tell(record("2024-03-02 15:00", "2-0"))) == (0, 0, 1, 0)
    assert rows() == before


def test_the_lineup_of_one_side_leaves_that_of_the_other_side_alone(tell):
    tell(told())
    away = tuple(entry for entry in SHEET.lineups if entry.side is Side.AWAY)
    assert counts(tell(told(lineups=away, known_at=READ_AT + timedelta(hours=1)))) == (0, 0, 1, 0)
    assert Lineup.objects.filter(side="home").count() == 2


def test_a_player_who_is_reported_for_the_other_side_now_leaves_the_first(tell):
    tell(told())
    assert counts(tell(told(lineups=(LineupRecord(HART, Side.AWAY, is_starter=True),)))) == (0, 1, 0, 0)
    assert sorted(Lineup.objects.values_list("player__source_player_id", "side")) == [("1", "away"), ("38", "home")]


def test_a_lineup_that_is_reported_again_is_not_known_later_but_may_be_known_earlier(tell):
    tell(told())
    assert counts(tell(told(known_at=READ_AT + timedelta(minutes=30)))) == (0, 0, 1, 0)
    assert set(Lineup.objects.values_list("known_at", flat=True)) == {READ_AT}
    earlier = READ_AT - timedelta(minutes=30)
    assert counts(tell(told(known_at=earlier))) == (0, 1, 0, 0)
    assert set(Lineup.objects.values_list("known_at", flat=True)) == {earlier}
    assert set(Absence.objects.values_list("known_at", flat=True)) == {earlier}


def test_a_lineup_that_changes_is_known_from_then_on(tell):
    tell(told())
    later = READ_AT + timedelta(minutes=30)
    home = (LineupRecord(MAEDA, Side.HOME, is_starter=True), *SHEET.lineups[2:])
    tell(told(lineups=home, known_at=later))
    assert sorted(Lineup.objects.values_list("side", "known_at")) == [("away", READ_AT), ("home", later)]


def test_an_absence_keeps_its_moment_when_another_one_is_added(tell):
    tell(told())
    later = READ_AT + timedelta(minutes=30)
    tell(told(absences=(*SHEET.absences, AbsenceRecord(MAEDA, Side.HOME, status="doubtful")), known_at=later))
    assert sorted(Absence.objects.values_list("status", "known_at")) == [("doubtful", later), ("out", READ_AT)]


def test_a_player_is_known_by_id_and_a_new_name_is_followed(tell):
    tell(told())
    married = replace(HART, name="Charles Joseph John Hart")
    lineups = (replace(SHEET.lineups[0], player=married), *SHEET.lineups[1:])
    report = tell(told(lineups=lineups))
    assert counts(report) == (0, 0, 1, 0)
    assert Player.objects.get(source_player_id="1").name == "Charles Joseph John Hart"
    assert Player.objects.count() == 5


def test_an_input_that_names_a_player_twice_ends_with_the_later_name_and_is_the_same_when_repeated(tell):
    other = record(
        "2024-03-09 15:00", "1-0", home_team="Hearts",
        details=MatchDetails(READ_AT, incidents=(
            IncidentRecord(IncidentKind.GOAL, Side.HOME, 3, player=replace(MAEDA, name="D. Maeda")),)),
    )  # fmt: skip
    tell(told(), other)
    assert Player.objects.get(source_player_id="38").name == "D. Maeda"
    before = rows()
    with CaptureQueriesContext(connection) as queries:
        assert counts(tell(told(), other)) == (0, 0, 2, 0)
    assert rows() == before
    assert not [query for query in queries if "UPDATE matches_player" in query["sql"]]


def test_two_sources_report_the_people_of_one_match_side_by_side(tell):
    tell(told())
    assert counts(tell(told(incidents=SHEET.incidents[1:]), source="other")) == (0, 1, 0, 0)
    assert Player.objects.filter(source_player_id="1").count() == 2
    assert Lineup.objects.count() == 6
    assert list(Incident.objects.filter(source="whoscored").values_list("number", flat=True).order_by("number")) == [
        1, 2, 3
    ]  # fmt: skip
    assert counts(tell(told())) == (0, 0, 1, 0)


def test_of_two_absences_of_one_player_the_later_counts(tell):
    tell(told(absences=(AbsenceRecord(MAEDA, Side.HOME, "ill"), AbsenceRecord(MAEDA, Side.HOME, "injured"))))
    assert Absence.objects.get().reason == "injured"


def test_a_sheet_reported_twice_in_one_input_is_stored_as_reported_later(tell):
    report = tell(told(), told(incidents=SHEET.incidents[:2]))
    assert counts(report) == (1, 1, 0, 0)
    assert Incident.objects.count() == 2


def test_many_matches_with_sheets_need_no_more_queries_than_one(tell):
    def season(label):
        teams = ("Celtic", "Rangers", "Hearts", "Dundee")
        return [
            record("2024-03-02 15:00", "2-0", home_team=home, away_team=away, season=label, details=SHEET)
            for home in teams
            for away in teams
            if home != away
        ]

    tell(*season("2021-22"), now=NOW)
    first, rest = season("2022-23")[:1], season("2023-24")
    with CaptureQueriesContext(connection) as one:
        tell(*first)
    with CaptureQueriesContext(connection) as many:
        assert tell(*rest).created == 12
    assert len(many) == len(one)
    assert Lineup.objects.count() == 3 * (12 + 1 + 12)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"absences": (AbsenceRecord(PlayerKey("1", "x" * 121), Side.HOME),)}, "a player's name or id is too long"),
        ({"absences": (AbsenceRecord(PlayerKey("1" * 41, "x"), Side.HOME),)}, "a player's name or id is too long"),
        (
            {"incidents": (IncidentRecord(IncidentKind.GOAL, Side.HOME, 1, other_player=PlayerKey("1", "\x00")),)},
            "a player's name or id holds a character that cannot be stored",
        ),
        (
            {"incidents": (IncidentRecord(IncidentKind.GOAL, Side.HOME, 1),) * 32_768},
            "no match has 32768 incidents",
        ),
        (
            {"lineups": (LineupRecord(HART, Side.HOME, is_starter=True, position="x" * 13),)},
            "the position 'xxxxxxxxxxxxx' does not fit",
        ),
        (
            {"lineups": (LineupRecord(HART, Side.HOME, is_starter=True, shirt_number=-1),)},
            "a shirt number of -1 is out of range",
        ),
        (
            {"lineups": (LineupRecord(PlayerKey("\ud800", "x"), Side.HOME, is_starter=True),)},
            "a player's name or id holds a character that cannot be stored",
        ),
        (
            {"absences": (AbsenceRecord(HART, Side.HOME, reason="r" * 81),)},
            "the reason or status of an absence is too long",
        ),
        (
            {"absences": (AbsenceRecord(HART, Side.HOME, status="\x00"),)},
            "the reason or status of an absence holds a character that cannot be stored",
        ),
    ],
)
def test_a_sheet_that_cannot_be_stored_is_refused_with_its_match(tell, parts, reason):
    report = tell(told(**parts))
    assert counts(report) == (0, 0, 0, 1)
    assert report.refusals[0].reason == reason
    assert not Player.objects.exists()
