"""football-data's files as spreadsheets and programs save them again: separators, decimal signs, dates, encodings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matches.records import KickoffPrecision, MatchRecord
from apps.scraping.sources import SOURCES, ParsedFile, ParseError, UnknownCompetitionError

SOURCE = SOURCES["football-data"]
HEADER = ["Div", "Date", "HomeTeam", "AwayTeam", "FTHG", "FTAG", "FTR", "HS", "B365H", "B365D", "B365A"]
DAYS = [date(2022, 8, 6) + timedelta(days=7 * week) for week in range(38)]
CLUBS = [f"Club {number}" for number in range(39)]


def rows_of(written: Callable[[date], str], price: str = "1.85") -> list[list[str]]:
    """Return a match a week for a season."""
    return [
        ["E0", written(day), home, away, "1", "0", "H", "12", price, "3.6".replace(".", price[1]), "4"]
        for day, home, away in zip(DAYS, CLUBS, CLUBS[1:], strict=False)
    ]


def saved(rows: list[list[str]], separator: str = ",", encoding: str = "utf-8", before: str = "") -> bytes:
    lines = [separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in (HEADER, *rows)]
    return (before + "\r\n".join(lines) + "\r\n").encode(encoding)


def parse(rows: list[list[str]], **form: str) -> ParsedFile:
    return SOURCE.parse_file("E0.csv", saved(rows, **form))


def british(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def facts(parsed: ParsedFile) -> list[tuple[object, ...]]:
    assert parsed.refused == []
    assert parsed.notes == {}
    return [
        (r.kickoff_at, r.season, r.home_team, r.home_goals, r.stats and r.stats.home_shots, r.odds)
        for r in parsed.records
    ]


AS_PUBLISHED = facts(parse(rows_of(british)))


def days_of(parsed: ParsedFile) -> list[date]:
    return [record.kickoff_at.date() for record in parsed.records]


def why_refused(rows: list[list[str]], **form: str) -> str:
    with pytest.raises(ParseError) as caught:
        parse(rows, **form)
    return caught.value.reason


# separators, decimal signs, encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "before", ["", "sep={}\r\n", '"sep={}"\n', "\r\n\r\n", "{0}{0}{0}\n", "Premier League 2022/23\n\n"]
)
@pytest.mark.parametrize("price", ["1.85", "1,85"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_season_is_the_same_however_a_spreadsheet_saves_it(
    separator: str, price: str, before: str, encoding: str
) -> None:
    form = {"separator": separator, "encoding": encoding, "before": before.format(separator)}
    assert facts(parse(rows_of(british, price), **form)) == AS_PUBLISHED


def test_the_true_line_of_a_refused_row_is_reported_below_a_line_for_the_spreadsheet() -> None:
    rows = rows_of(british)
    rows[2][1] = "soon"
    (refused,) = parse(rows, separator=";", before="sep=;\r\n").refused
    assert (refused.line, refused.reason) == (5, "date 'soon' cannot be read")


def test_numbers_with_commas_and_with_points_are_refused_as_a_whole() -> None:
    rows = rows_of(british, "1,85")[:20] + rows_of(british)[20:]
    for separator in (",", ";"):
        reason = why_refused(rows, separator=separator)
        assert "some of its numbers have a decimal comma and some a point: '1,85', '1.85'" in reason


def test_one_mistyped_decimal_comma_is_dropped_and_counted() -> None:
    rows = rows_of(british)
    rows[3][8] = "1,85"
    parsed = parse(rows)
    assert parsed.notes == {"prices dropped": 1}
    assert parsed.records[3].odds[0].home is None


@pytest.mark.parametrize("priced", [38, 5])
def test_decimal_commas_that_are_separators_as_well_are_refused_as_a_whole(priced: int) -> None:
    content = saved(rows_of(british)).replace(b"1.85,3.6", b"1,85,3,6", priced)
    with pytest.raises(ParseError, match=f"{priced} of its 38 rows have more numbers than the header has columns"):
        SOURCE.parse_file("E0.csv", content)


def test_remarks_beyond_the_header_are_counted() -> None:
    parsed = parse([[*row, "", "Abandoned"] for row in rows_of(british)])
    assert parsed.notes == {"rows with cells beyond the header": 38}


def test_a_handicap_between_two_lines_says_nothing_about_the_decimal_sign() -> None:
    header = "Div;Date;HomeTeam;AwayTeam;FTHG;FTAG;FTR;Attendance;B365AH;B365AHH;B365AHA"
    rows = [
        "E0;20/08/22;Eastmoor;Northbridge;1;0;H;45,123;-0.5,-1;1.9;2",
        "E0;27/08/22;Northbridge;Harwell;1;0;H;;0,-0.5;2;1.95",
    ]
    parsed = SOURCE.parse_file("E0.csv", "\n".join([header, *rows, ""]).encode())
    assert [record.odds[0].handicap for record in parsed.records] == [-0.75, -0.25]
    assert parsed.notes == {"counts dropped": 1}


def test_rows_with_another_separator_than_the_header_are_refused_as_a_whole() -> None:
    content = saved(rows_of(british), separator=";").replace(b";", b",", len(HEADER) - 1)
    with pytest.raises(ParseError, match="its header is separated by ',', and 38 of its 38 rows are not"):
        SOURCE.parse_file("E0.csv", content)


# dates


@pytest.mark.parametrize(
    "written",
    [
        "%d/%m/%y", "%d/%m/%Y", "%d.%m.%Y", "%d.%m.%y", "%d. %m. %Y", "%d.%m.%Y.", "%d-%m-%Y", "%m/%d/%Y", "%m/%d/%y",
        "%m-%d-%Y", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%m-%d 00:00:00", "%Y-%m-%dT00:00:00Z",
        "%d/%m/%Y 00:00", "%m/%d/%Y 12:00:00 AM", "%d-%b-%y", "%d %B %Y", "%d-%b-%Y",
    ],
)  # fmt: skip
def test_the_order_of_day_and_month_is_that_of_the_whole_file(written: str) -> None:
    assert facts(parse(rows_of(lambda day: day.strftime(written)))) == AS_PUBLISHED


@pytest.mark.parametrize(
    "written", ["{0.day}/{0.month}/{0.year}", "{0.month}/{0.day}/{0.year}", "{0.day}.{0.month}.{0.year}"]
)
def test_days_and_months_may_have_one_digit(written: str) -> None:
    assert facts(parse(rows_of(written.format))) == AS_PUBLISHED


def test_a_spreadsheets_number_of_days_is_a_date() -> None:
    assert facts(parse(rows_of(lambda day: str((day - date(1899, 12, 30)).days)))) == AS_PUBLISHED
    assert facts(parse(rows_of(lambda day: f"{(day - date(1899, 12, 30)).days}.0"))) == AS_PUBLISHED


def test_two_digits_for_the_year_change_nothing_in_the_middle_of_a_file() -> None:
    rows = rows_of(british)[:20] + rows_of(lambda day: f"{day:%d/%m/%y}")[20:]
    assert facts(parse(rows)) == AS_PUBLISHED


@pytest.mark.parametrize("written", ["05/08/2022", "05.08.2022", "5/8/22"])
def test_dates_that_do_not_show_their_order_are_read_as_the_site_writes_them(written: str) -> None:
    rows = rows_of(british)[:1]
    rows[0][1] = written
    assert days_of(parse(rows)) == [date(2022, 8, 5)]


@pytest.mark.parametrize("written", ["05-08-2022", "22-08-13", "05-08-22"])
def test_dashes_that_do_not_show_the_order_are_refused(written: str) -> None:
    rows = rows_of(british)[:1]
    rows[0][1] = written
    assert f"its dates do not show their order: {written!r} can be " in why_refused(rows)


def test_dates_in_time_only_with_the_month_first_are_not_read_with_the_day_first() -> None:
    rows = rows_of(british)[:5]
    for row, written in zip(rows, ["08/05/2022", "08/06/2022", "08/12/2022", "09/03/2022", "09/10/2022"], strict=True):
        row[1] = written
    assert "'08/05/2022' can be 2022-05-08 or 2022-08-05" in why_refused(rows)


def test_a_list_of_fixtures_of_two_months_is_in_no_order_of_time() -> None:
    rows = rows_of(british)[:4]
    for row, written in zip(rows, ["01/12/2022", "02/12/2022", "03/12/2022", "12/11/2022"], strict=True):
        row[1] = written
    assert days_of(parse(rows)) == [date(2022, 12, 1), date(2022, 12, 2), date(2022, 12, 3), date(2022, 11, 12)]


def test_two_orders_in_one_file_are_refused_as_a_whole_with_an_example_of_each() -> None:
    rows = rows_of(british)[:19] + rows_of(lambda day: f"{day:%m/%d/%Y}")[19:]
    reason = why_refused(rows)
    assert reason.startswith("its dates have different orders: ")
    assert reason.endswith("; give all dates one form, such as 2022-08-31")


def test_one_mistyped_date_of_a_season_is_refused_alone() -> None:
    seasons = rows_of(british)
    rows = [
        [*row[:1], british(day + timedelta(days=shift)), *row[2:]]
        for shift in (0, 1)
        for day, row in zip(DAYS, seasons, strict=True)
    ]
    rows[3][1] = "08/27/2022"
    parsed = parse(rows)
    assert [row.reason for row in parsed.refused] == ["date '08/27/2022' cannot be read"]
    assert len(parsed.records) == len(rows) - 1


def test_two_forms_are_read_where_each_shows_its_order() -> None:
    rows = rows_of(british)[:19] + rows_of(date.isoformat)[19:]
    assert facts(parse(rows)) == AS_PUBLISHED


def test_a_spreadsheet_that_swapped_days_and_months_where_it_could_is_found_out() -> None:
    def american(day: date) -> str:
        return f"{day.year}-{day.day:02d}-{day.month:02d}" if day.day <= 12 else british(day)

    assert "a program may have swapped day and month" in why_refused(rows_of(american))


def test_two_forms_of_which_one_does_not_show_its_order_are_refused() -> None:
    rows = rows_of(british)[:2]
    rows[0][1], rows[1][1] = "2022-08-06", "05/09/2022"
    assert "some of its dates are written as '2022-08-06' and some as '05/09/2022'" in why_refused(rows)


def test_a_file_without_a_readable_date_gives_that_as_the_reason() -> None:
    assert why_refused(rows_of(lambda day: f"week {day:%W}")) == "date 'week 31' cannot be read"


def test_a_file_of_another_division_gives_that_as_the_reason() -> None:
    with pytest.raises(UnknownCompetitionError, match="division 'X9' is unknown"):
        parse([["X9", *row[1:]] for row in rows_of(british)])


def test_a_time_beside_the_date_is_not_read_and_counted() -> None:
    parsed = parse(rows_of(lambda day: f"{day} 15:00:00"))
    assert {record.kickoff_precision for record in parsed.records} == {KickoffPrecision.DATE}
    assert days_of(parsed) == DAYS
    assert parsed.notes == {"times in the column Date, whose zone is unknown": 38}


@pytest.mark.parametrize(
    "clock", ["15:00", "15:00:00", "15.00", "3:00 PM", "3:00pm", "0.625", ".625", "1899-12-30 15:00:00"]
)
def test_a_time_is_read_as_spreadsheets_write_it(clock: str) -> None:
    content = f"Div,Date,Time,HomeTeam,AwayTeam\nE0,20/01/2022,{clock},Eastmoor,Northbridge\n"
    (record,) = SOURCE.parse_file("fixtures.csv", content.encode()).records
    assert (record.kickoff_at, record.kickoff_precision) == (
        datetime(2022, 1, 20, 15, tzinfo=UTC),
        KickoffPrecision.MINUTE,
    )


@pytest.mark.parametrize("clock", ["24:00", "15:60", "13:00 PM", "0.9999", "noon", "15"])
def test_a_time_that_cannot_be_is_counted(clock: str) -> None:
    content = f"Div,Date,Time,HomeTeam,AwayTeam\nE0,20/01/2022,{clock},Eastmoor,Northbridge\n"
    parsed = SOURCE.parse_file("fixtures.csv", content.encode())
    assert parsed.notes == {"times that cannot be read": 1}


FORMS = st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%y", "%d.%m.%y", "%y-%m-%d", "%Y-%m-%d"])


@given(st.lists(st.dates(date(2022, 8, 1), date(2023, 5, 31)), min_size=1, max_size=30, unique=True).map(sorted), FORMS)
def test_a_season_in_the_order_of_time_is_read_rightly_or_refused(days: list[date], form: str) -> None:
    rows = [["E0", day.strftime(form), *row[2:]] for day, row in zip(days, rows_of(british), strict=False)]
    try:
        parsed = parse(rows)
    except ParseError:
        return
    records: list[MatchRecord] = parsed.records
    is_ambiguous = all(day.day <= 12 for day in days) and form.startswith("%m/") and len(days) < 4
    assert is_ambiguous or [record.kickoff_at.date() for record in records] == days
