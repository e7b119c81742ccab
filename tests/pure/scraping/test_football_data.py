"""football-data's files, one fault at a time; whole pages are in test_sources_golden.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.matches.records import CompetitionKey, KickoffPrecision, MatchRecord, MatchStatus, Moment
from apps.scraping.sources import SOURCES, ParsedFile, ParseError
from apps.scraping.sources.competitions import DIVISIONS

SOURCE = SOURCES["football-data"]
MAIN = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR"
EXTRA = "Country,League,Season,Date,Time,Home,Away,HG,AG,Res"


def parse(*rows: str, header: str = MAIN, name: str = "E0.csv", encoding: str = "utf-8") -> ParsedFile:
    text = "\n".join([header, *rows]) + "\n"
    return SOURCE.parse_file(name, text.encode(encoding))


def only(parsed: ParsedFile) -> MatchRecord:
    assert parsed.refused == []
    (record,) = parsed.records
    return record


def refusal(parsed: ParsedFile) -> str:
    """Return why the one refused row was refused; a good row beside it keeps the file from being empty."""
    (row,) = parsed.refused
    return row.reason


GOOD = "E0,20/08/22,Eastmoor,Northbridge,1,0,H"


# dates and clocks


@pytest.mark.parametrize(
    ("clock", "utc"),
    [
        ("01/07/2023,15:00", datetime(2023, 7, 1, 14, 0, tzinfo=UTC)),  # British Summer Time
        ("02/01/2023,15:00", datetime(2023, 1, 2, 15, 0, tzinfo=UTC)),
        ("26/03/2023,00:30", datetime(2023, 3, 26, 0, 30, tzinfo=UTC)),  # the clock goes forward half an hour later
        ("02/01/2023, 9:05", datetime(2023, 1, 2, 9, 5, tzinfo=UTC)),
    ],
)
def test_clock_times_are_those_of_the_united_kingdom_in_every_league(clock: str, utc: datetime) -> None:
    parsed = parse(
        f"D1,{clock},Oberstadt,Talbach,1,0,H",
        header="Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR",
        name="D1.csv",
    )
    record = only(parsed)
    assert record.kickoff_at == utc
    assert record.kickoff_precision == KickoffPrecision.MINUTE


@pytest.mark.parametrize("clock", ["", "TBC", "25:00"])
def test_without_a_readable_time_a_match_has_the_precision_of_its_date(clock: str) -> None:
    parsed = parse(
        f"E0,20/08/2022,{clock},Eastmoor,Northbridge,1,0,H", header="Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR"
    )
    assert only(parsed).kickoff_at == datetime(2022, 8, 20, tzinfo=UTC)
    assert only(parsed).kickoff_precision == KickoffPrecision.DATE
    assert parsed.notes == ({"times that cannot be read": 1} if clock else {})


@pytest.mark.parametrize(("written", "year"), [("14/08/93", 1993), ("14/08/99", 1999), ("14/08/00", 2000)])
def test_a_year_of_two_digits_lies_between_1970_and_2069(written: str, year: int) -> None:
    assert only(parse(f"E0,{written},Eastmoor,Northbridge,1,0,H")).kickoff_at == datetime(year, 8, 14, tzinfo=UTC)


@pytest.mark.parametrize("written", ["", "soon", "31/02/2022", "2022-02-31", "20/08/1022", f"1/1/{'9' * 30}"])
def test_a_row_without_a_readable_date_is_refused(written: str) -> None:
    parsed = parse(GOOD, f"E0,{written},Glenfoot,Harwell,1,0,H")
    assert refusal(parsed) == f"date {written!r} cannot be read"


# seasons


def test_the_season_comes_from_the_dates_and_not_from_the_folder() -> None:
    record = only(parse("E0,20/08/22,Eastmoor,Northbridge,1,0,H", name="1999-00/E0.csv"))
    assert record.season == "2022-23"


def test_a_season_that_ends_in_august_keeps_its_label() -> None:
    parsed = parse(
        "I1,24/08/2019,Lago,Monte,1,0,H",
        "I1,18/01/2020,Monte,Lago,1,0,H",
        "I1,02/08/2020,Lago,Valle,1,0,H",
    )
    assert [record.season for record in parsed.records] == ["2019-20"] * 3


def test_one_mistyped_year_is_refused_and_moves_no_other_row() -> None:
    parsed = parse(
        "E0,20/08/2022,Eastmoor,Northbridge,1,0,H",
        "E0,27/08/2012,Northbridge,Eastmoor,1,0,H",
        "E0,03/09/2022,Eastmoor,Harwell,1,0,H",
    )
    assert [record.season for record in parsed.records] == ["2022-23", "2022-23"]
    assert refusal(parsed) == "date 2012-08-27 is far outside the season around 2022-08-20"


def test_the_turn_of_the_century_has_a_label() -> None:
    assert only(parse("E0,14/08/99,Eastmoor,Northbridge,1,0,H")).season == "1999-00"


@pytest.mark.parametrize(("column", "label"), [("2012/2013", "2012-13"), ("2012", "2012"), (" 2011/2012 ", "2011-12")])
def test_extra_files_say_their_season(column: str, label: str) -> None:
    row = f"Austria,Bundesliga,{column},21/07/2012,15:00,Seeburg,Talbach,0,2,A"
    assert only(parse(row, header=EXTRA, name="AUT.csv")).season == label


@pytest.mark.parametrize(
    ("season", "reason"),
    [
        ("2012/2013", "date 2015-07-21 is far outside the season 2012/2013"),
        ("2016", "date 2015-07-21 is far outside the season 2016"),
        ("last", "season 'last' cannot be read"),
    ],
)
def test_a_season_that_does_not_fit_the_date_is_refused(season: str, reason: str) -> None:
    good = "Austria,Bundesliga,2015/2016,21/07/2015,15:00,Seeburg,Talbach,0,2,A"
    parsed = parse(good, good.replace("2015/2016", season), header=EXTRA, name="AUT.csv")
    assert refusal(parsed) == reason


@pytest.mark.parametrize(
    ("country", "league", "label"), [("Norway", "Eliteserien", "2026"), ("Austria", "Bundesliga", "2025-26")]
)
def test_fixtures_without_a_season_follow_the_calendar_of_their_country(country: str, league: str, label: str) -> None:
    parsed = parse(
        f"{country},{league},12/04/2026,17:00,Seeburg,Talbach",
        header="Country,League,Date,Time,Home,Away",
        name="new_league_fixtures.csv",
    )
    assert only(parsed).season == label
    assert only(parsed).status == MatchStatus.SCHEDULED


# competitions


def test_every_division_has_its_place_in_its_pyramid() -> None:
    england = [DIVISIONS[code] for code in ("E0", "E1", "E2", "E3", "EC")]
    assert [(key.region, key.level) for key in england] == [("England", level) for level in range(1, 6)]
    assert len(set(DIVISIONS.values())) == len(DIVISIONS) == 22


def test_a_cup_in_an_extra_file_is_another_competition() -> None:
    parsed = parse(
        "Argentina,Liga Profesional ,2021,16/07/2021,23:00,Sur,Norte,1,0,H",
        "Argentina ,Copa De La Liga Profesional,2021,12/02/2021,23:00,Sur,Norte,1,0,H",
        header=EXTRA,
        name="ARG.csv",
    )
    assert [record.competition for record in parsed.records] == [
        CompetitionKey("Argentina", "Liga Profesional", 1),
        CompetitionKey("Argentina", "Copa de la Liga Profesional", 0),
    ]


def test_an_unknown_division_is_refused() -> None:
    assert refusal(parse(GOOD, "X9,20/08/22,Eastmoor,Northbridge,1,0,H")) == "division 'X9' is unknown"


# rows


def test_blank_rows_and_unnamed_columns_leave_no_trace() -> None:
    parsed = parse("E0,20/08/22,Eastmoor,Northbridge,1,0,H,,", ",,,,,,,,", "", header=MAIN + ",,")
    assert only(parsed).home_team == "Eastmoor"
    assert parsed.notes == {}


def test_short_rows_lack_their_last_columns_and_long_rows_are_noted() -> None:
    parsed = parse(
        "E0,20/08/22,Eastmoor,Northbridge,1,0",
        "E0,27/08/22,Northbridge,Eastmoor,1,0,H,,,",
        "E0,03/09/22,Eastmoor,Harwell,1,0,H,,Abandoned",
    )
    assert len(parsed.records) == 3
    assert parsed.notes == {"rows with cells beyond the header": 1}


def test_names_are_trimmed_and_the_windows_apostrophe_is_a_plain_one() -> None:
    parsed = parse("E0,20/08/22, King’s  Moor ,Northbridge\u00a0,1,0,H", encoding="cp1252")
    assert (only(parsed).home_team, only(parsed).away_team) == ("King's Moor", "Northbridge")


def test_the_greek_files_name_their_teams_ht_and_at() -> None:
    record = only(parse("G1,16/09/00,Akti,Vouno,6,0,H", header="Div,Date,HT,AT,FTHG,FTAG,FTR", name="G1.csv"))
    assert (record.home_team, record.away_team) == ("Akti", "Vouno")


def test_a_pair_that_meets_twice_at_home_gives_both_matches() -> None:
    parsed = parse("SC0,20/08/22,Glenfoot,Strathend,1,0,H", "SC0,18/02/23,Glenfoot,Strathend,2,2,D", name="SC0.csv")
    assert [(r.home_goals, r.away_goals) for r in parsed.records] == [(1, 0), (2, 2)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("E0,20/08/22,Eastmoor,Harwell,1,0,A", "result 'A' contradicts the goals 1-0"),
        ("E0,20/08/22,Eastmoor,Harwell,1,,H", "goals '1' and '' are not a result"),
        ("E0,20/08/22,Eastmoor,Harwell,x,y,H", "goals 'x' and 'y' are not a result"),
        ("E0,20/08/22,Eastmoor,Harwell,-1,0,A", "goals '-1' and '0' are not a result"),
        ("E0,20/08/22,Eastmoor,Harwell,1.5,0,H", "goals '1.5' and '0' are not a result"),
        ("E0,20/08/22,Eastmoor,Harwell,100,0,H", "goals '100' and '0' are not a result"),
        ("E0,20/08/22,,Harwell,1,0,H", "match: both teams need a name"),
        ("E0,20/08/22,Harwell,Harwell,1,0,H", "match: Harwell cannot play itself"),
    ],
)
def test_a_row_that_cannot_be_a_match_is_refused_with_its_reason(row: str, reason: str) -> None:
    parsed = parse(GOOD, "", row)
    (refused,) = parsed.refused
    assert (refused.file, refused.line, refused.reason, refused.row) == ("E0.csv", 4, reason, row)
    assert len(parsed.records) == 1


def test_the_text_of_a_refused_row_is_shortened() -> None:
    parsed = parse(GOOD, "E0,never," + "x" * 500)
    assert len(parsed.refused[0].row) == 120


def test_a_half_time_score_above_the_full_time_score_is_dropped() -> None:
    parsed = parse(
        "E0,20/08/22,Eastmoor,Northbridge,1,0,H,2,0",
        "E0,27/08/22,Northbridge,Eastmoor,1,0,H,1,",
        "E0,03/09/22,Northbridge,Harwell,1,0,H,1,0",
        header=MAIN + ",HTHG,HTAG",
    )
    assert [r.home_goals_half_time for r in parsed.records] == [None, None, 1]
    assert parsed.notes == {"half-time scores dropped": 2}


# matches without goals


def test_a_match_without_goals_is_scheduled_when_it_lies_ahead_and_unknown_otherwise() -> None:
    parsed = parse(
        "E0,13/08/22,Harwell,Eastmoor,,,",
        "E0,20/08/22,Eastmoor,Northbridge,1,0,H",
        "E0,20/08/22,Glenfoot,Harwell,,,",
        "E0,27/08/22,Northbridge,Glenfoot,,,",
    )
    assert [r.status for r in parsed.records] == [
        MatchStatus.UNKNOWN,
        MatchStatus.FINISHED,
        MatchStatus.UNKNOWN,
        MatchStatus.SCHEDULED,
    ]
    assert parsed.notes == {"matches without a result": 2}


def test_a_list_of_fixtures_may_be_empty_and_a_division_may_not() -> None:
    assert parse(name="fixtures.csv").records == []
    with pytest.raises(ParseError, match=r"E0\.csv: a row with a match is missing"):
        parse()


def test_a_row_in_which_the_file_breaks_off_is_kept_only_with_a_known_club() -> None:
    start = f"{MAIN}\nE0,20/08/22,Eastmoor,Northbridge,1,0,H\n"
    cut = SOURCE.parse_file("E0.csv", (start + "E0,27/08/22,Northbridge,Eastm").encode())
    assert refusal(cut) == "the file ends within this row, and 'Eastm' is not a known club"
    whole = SOURCE.parse_file("E0.csv", (start + "E0,27/08/22,Eastmoor,Northbridge").encode())
    assert [r.status for r in whole.records] == [MatchStatus.FINISHED, MatchStatus.SCHEDULED]


# files


@pytest.mark.parametrize(
    "content",
    [b"<!DOCTYPE html><html><title>Just a moment...</title></html>", b"\x1f\x8b\x08\x00", b"Date,Time\n1,2\n"],
)
def test_what_is_no_file_of_this_source_raises_what_is_missing(content: bytes) -> None:
    with pytest.raises(ParseError, match="column Div or Country is missing"):
        SOURCE.parse_file("E0.csv", content)


@pytest.mark.parametrize("content", [b"", b"\r\n \n"])
def test_an_empty_file_says_so(content: bytes) -> None:
    with pytest.raises(ParseError, match=r"E0\.csv: the file is empty"):
        SOURCE.parse_file("E0.csv", content)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ParseError) as caught:
        parse("E0,20/08/22,Eastmoor,Northbridge,1,0,H", header="Div,Day,HomeTeam,AwayTeam,FTHG,FTAG,FTR")
    assert (caught.value.missing, caught.value.where) == ("column Date", "E0.csv")


@pytest.mark.parametrize(
    "name", ["2018-19/E0.csv", "E0_9394.csv", "E1 (1).csv", "I1.CSV", "e2.csv", "data", ".E0.csv~"]
)
@pytest.mark.parametrize(
    "header", [MAIN, EXTRA, "Div,Date,HT,AT", "\ufeffDiv;Date;Time;HomeTeam;AwayTeam", "sep=;\n" + MAIN]
)
def test_a_file_of_this_source_is_known_by_its_header(name: str, header: str) -> None:
    for encoding in ("utf-8", "cp1252", "utf-16") if header.isascii() else ("utf-8", "utf-16"):
        assert SOURCE.accepts(name, (header + "\nwhatever").encode(encoding))


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x00\x01", b"Date,Open,High\n", b"Div,Title\n"])
def test_a_damaged_file_of_this_source_is_known_by_its_name(content: bytes) -> None:
    names = ("2018-19/E0.csv", "/srv/football-data/2018-19/sc3.CSV", "extra/ARG.csv", "new_league_fixtures.csv")
    assert all(SOURCE.accepts(name, content) for name in names)
    assert not any(SOURCE.accepts(name, content) for name in ("2018-19/notes.csv", "2018-19/E0.json", "README.md"))


@settings(max_examples=50)
@given(st.binary(max_size=400))
def test_whatever_the_bytes_a_file_is_read_or_refused_as_a_whole(content: bytes) -> None:
    for header in (MAIN + ",B365H,B365D,B365A,AHh,B365AHH,B365AHA,HS,Referee", EXTRA + ",PH,PD,PA"):
        try:
            parsed = SOURCE.parse_file("E0.csv", header.encode() + b"\n" + content)
        except ParseError:
            continue
        assert all(isinstance(record, MatchRecord) for record in parsed.records)


# prices


def quotes(header: str, cells: str, **more: str) -> dict[tuple[str, str], tuple[float | None, ...]]:
    record = only(parse(f"E0,20/08/22,Eastmoor,Northbridge,1,0,H,{cells}", header=f"{MAIN},{header}", **more))
    return {
        (q.bookmaker, q.moment.value): (
            q.home, q.draw, q.away, q.over_2_5, q.under_2_5, q.handicap, q.handicap_home, q.handicap_away
        )
        for q in record.odds
    }  # fmt: skip


NONE3 = (None, None, None)


def test_pinnacle_is_one_bookmaker_under_its_two_codes() -> None:
    found = quotes("PSH,PSD,PSA,P>2.5,P<2.5,AHh,PAHH,PAHA", "1.8,3.6,4.5,1.9,2,-0.75,2.05,1.88")
    assert found == {("PS", "opening"): (1.8, 3.6, 4.5, 1.9, 2.0, -0.75, 2.05, 1.88)}


def test_a_c_marks_closing_prices_but_not_in_the_name_vc() -> None:
    found = quotes("VCH,VCD,VCA,VCCH,VCCD,VCCA,BFECH,BFECD,BFECA", "1.8,3.6,4.5,1.7,3.7,4.9,1.75,3.8,5")
    assert found == {
        ("VC", "opening"): (1.8, 3.6, 4.5, None, None, *NONE3),
        ("VC", "closing"): (1.7, 3.7, 4.9, None, None, *NONE3),
        ("BFE", "closing"): (1.75, 3.8, 5.0, None, None, *NONE3),
    }


def test_averages_and_maxima_keep_their_names_over_the_years() -> None:
    old = quotes("BbMxH,BbAvH,BbMxD,BbAvD,BbMxA,BbAvA,BbOU,BbAv>2.5,BbAv<2.5", "1.9,1.8,3.7,3.6,4.8,4.5,21,1.9,1.95")
    new = quotes("MaxH,MaxD,MaxA,AvgH,AvgD,AvgA,Avg>2.5,Avg<2.5", "1.9,3.7,4.8,1.8,3.6,4.5,1.9,1.95")
    assert old == new


def test_a_bookmaker_of_tomorrow_needs_no_change() -> None:
    found = quotes("BFH,BFD,BFA,BFDH,BFDD,BFDA,1XBH,1XBD,1XBA", "1.8,3.6,4.5,1.81,3.61,4.51,1.82,3.62,4.52")
    assert [book for book, _ in found] == ["BF", "BFD", "1XB"]
    assert found["BFD", "opening"][:3] == (1.81, 3.61, 4.51)


def test_extra_files_hold_closing_prices_under_either_name() -> None:
    row = "Austria,Bundesliga,2012/2013,21/07/2012,15:00,Seeburg,Talbach,0,2,A,2,3.2,4,2.1,3.3,4.2"
    for header in ("PH,PD,PA,MaxH,MaxD,MaxA", "PSCH,PSCD,PSCA,MaxCH,MaxCD,MaxCA"):
        record = only(parse(row, header=f"{EXTRA},{header}", name="AUT.csv"))
        assert [(q.bookmaker, q.moment, q.home) for q in record.odds] == [
            ("PS", Moment.CLOSING, 2.0),
            ("Max", Moment.CLOSING, 2.1),
        ]


@pytest.mark.parametrize("cell", ["0", "1", "0.42", "-", "#", "NA", "nan", "inf", "10000", "-2.5"])
def test_a_price_that_is_none_is_dropped_and_the_row_stays(cell: str) -> None:
    parsed = parse(f"E0,20/08/22,Eastmoor,Northbridge,1,0,H,1.8,{cell},4.5", header=MAIN + ",B365H,B365D,B365A")
    (odds,) = only(parsed).odds
    assert (odds.home, odds.draw, odds.away) == (1.8, None, 4.5)
    assert parsed.notes == {"prices dropped": 1}


def test_a_bookmaker_without_a_price_gives_no_quote() -> None:
    assert quotes("B365H,B365D,B365A,AHh,B365AHH,B365AHA", ",,,-0.5,,") == {}


@pytest.mark.parametrize(
    ("cells", "handicap"),
    [
        ("-0.5,1.9,2", (-0.5, 1.9, 2.0)),
        ("0,1.9,2", (0.0, 1.9, 2.0)),
        ('"-0.5,-1",1.9,2', (-0.75, 1.9, 2.0)),  # a line between two is written as both
        (",1.9,2", NONE3),
        ("1.84,-0.25,1.92", NONE3),  # the three columns of some rows of 2004-05 stand in another order
        ("-0.5,1.9,0", NONE3),
        ("55,1.9,2", NONE3),
    ],
)
def test_a_handicap_counts_only_with_its_line_and_both_prices(cells: str, handicap: tuple[float | None, ...]) -> None:
    found = quotes("B365H,B365D,B365A,B365AH,B365AHH,B365AHA", f"1.8,3.6,4.5,{cells}")
    assert found["B365", "opening"][5:] == handicap


def test_closing_handicaps_have_their_own_line() -> None:
    found = quotes("AHh,PAHH,PAHA,AHCh,PCAHH,PCAHA", "-0.5,1.9,2,-0.75,1.95,1.97")
    assert found["PS", "opening"][5:] == (-0.5, 1.9, 2.0)
    assert found["PS", "closing"][5:] == (-0.75, 1.95, 1.97)


# play-offs


def league(clubs: list[str], start: datetime = datetime(2022, 8, 6, tzinfo=UTC)) -> list[str]:
    """Return a double round robin, one match a day."""
    return [
        f"SC0,{start + timedelta(days=i):%d/%m/%Y},{home},{away},1,0,H"
        for i, (home, away) in enumerate(permutations(clubs, 2))
    ]


CLUBS = [f"Club {letter}" for letter in "ABCDEFGH"]


def stages(rows: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in parse(*rows, name="SC0.csv").records:
        found[record.stage] = found.get(record.stage, 0) + 1
    return found


def test_late_matches_against_a_club_of_another_division_are_play_offs() -> None:
    rows = league(CLUBS)
    rows += ["SC0,20/05/2023,Guest,Club A,0,1,A", "SC0,24/05/2023,Club A,Guest,2,2,D"]
    assert stages(rows) == {"": 56, "play-offs": 2}


def test_a_club_that_withdraws_in_autumn_is_no_guest() -> None:
    rows = [*league(CLUBS), "SC0,13/08/2022,Gone,Club A,0,1,A", "SC0,20/08/2022,Club B,Gone,2,2,D"]
    assert stages(rows) == {"": 58}


def test_another_spelling_of_a_known_club_is_no_guest() -> None:
    rows = [*league([*CLUBS, "Raith Rvs"]), "SC0,20/05/2023,Raith,Club A,0,1,A"]
    assert stages(rows) == {"": 73}


def test_a_young_season_has_no_guests() -> None:
    rows = [*league(["Club A", "Club B", "Club C"]), "SC0,20/08/2022,Late Starter,Club A,0,1,A"]
    assert stages(rows) == {"": 7}
