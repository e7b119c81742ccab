"""docs/data.md says what the readers do: its tables are compared with the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from apps.matches.trust import ORDER, UNDATED
from apps.scraping.sources import SOURCES, competitions, containers, squad_values
from apps.scraping.sources.football_data import dates, odds, reader, table
from apps.scraping.sources.openfootball import reader as openfootball
from apps.scraping.sources.understat import reader as understat
from apps.scraping.sources.whoscored import feed

TEXT = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", TEXT, flags=re.MULTILINE))


def rows(section: str, head: str) -> list[list[str]]:
    """Return the rows of the table of a section that begins with a heading."""
    (found,) = re.findall(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", SECTIONS[section], flags=re.MULTILINE)
    lines = [re.split(r"(?<!\\)\|", line.strip()[1:-1]) for line in found.splitlines()]
    return [[cell.strip() for cell in line] for line in lines]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


COLUMNS = [name for cells in rows("football-data", "column") for name in code(cells[0])]


def test_the_columns_of_a_match_are_those_that_the_reader_names() -> None:
    named = set(re.findall(r'\.(?:required|column)\("(\w+)"\)', inspect.getsource(reader)))
    written = {name for name in COLUMNS if name.isalpha()}
    expected = {*table.MATCH_COLUMNS, *reader.STATISTICS, "Referee"}
    assert named <= expected
    assert expected <= written
    assert written - expected == {"H", "D", "A", "C", "AH", "AHH", "AHA", "AHh", "AHCh", "BbAHh"}


def test_other_names_of_columns_are_told() -> None:
    text = " ".join(" ".join(cells) for cells in rows("football-data", "column"))
    assert {name for names in table.ALSO_CALLED.values() for name in names} <= set(code(text))


def test_each_market_of_prices_is_read() -> None:
    markets = next(code(cells[0]) for cells in rows("football-data", "column") if "`>2.5`" in cells[0])
    header = [f"B365{market}" for market in markets if market != "C"] + [f"B365C{m}" for m in markets if m != "C"]
    plan = odds.plan_odds([*header, "AHh", "AHCh"], closing_only=False)
    assert sorted(place.moment.value for place in plan) == ["closing", "opening"]
    assert all(None not in place.prices and place.handicap is not None for place in plan)


def test_what_is_said_to_be_left_out_is_not_read() -> None:
    left_out = re.search(r"Every other column is left out: (.+)", SECTIONS["football-data"])
    assert left_out is not None
    assert set(code(left_out[1])).isdisjoint(COLUMNS)
    assert odds.plan_odds(code(left_out[1]), closing_only=False) == []


def test_limits_of_forms_and_of_archives_are_those_of_the_code() -> None:
    form = " ".join(" ".join(cells) for cells in rows("football-data", "what"))
    assert dates.MISTYPED == table.STRAY == 0.02
    assert form.count("2 %") == 2
    separators = next(cells[0] for cells in rows("football-data", "what") if cells[0].startswith("separator"))
    assert [{"\\|": "|"}.get(each, each) for each in code(separators)] + ["\t"] == [",", ";", "|", "\t"]
    assert sorted(table.SEPARATORS) == sorted([",", ";", "|", "\t"])
    megabytes = {limit // 2**20 for limit in (containers.LARGEST_FILE, containers.LARGEST_WORKBOOK)}
    assert {int(number) for number in re.findall(r"(\d+) MB", SECTIONS["Files"])} == megabytes
    assert (containers.LARGEST_CONTAINER, containers.MOST_FILES, containers.DEEPEST) == (2**30, 20_000, 3)
    assert "1 GB unpacked, 20,000 files, or archives inside more than three others" in SECTIONS["Files"]


def test_the_keys_of_openfootball_are_those_that_the_reader_names() -> None:
    source = inspect.getsource(openfootball)
    keys = [name for cells in rows("openfootball", "key") for name in code(cells[0])]
    assert {key for key in keys if f'"{key}"' not in source} == set()
    named = set(re.findall(r'(?:match\.get\(|_text\(match, |_pair\(match, )"(\w+)"', source))
    assert named - {"score1", "score2"} == set(keys)


@pytest.mark.parametrize(
    ("section", "statuses"), [("openfootball", openfootball.STATUSES), ("whoscored", feed.STATUSES)]
)
def test_each_status_is_stored_as_told(section: str, statuses: dict[object, object]) -> None:
    written = {
        status: code(stored)[0]
        for told, stored in rows(section, "status")
        for status in code(told) or map(int, told.split(","))
        if code(stored)
    }
    assert written == {status: str(value) for status, value in statuses.items()}


def test_the_order_of_trust_is_that_of_the_code() -> None:
    written = [code(cells[1])[0] for cells in rows("When sources contradict each other", "order of trust")]
    assert written == list(ORDER)


def test_every_source_of_files_and_of_the_order_of_trust_has_a_line() -> None:
    (table_of_sources,) = re.findall(r"^\| source \|.*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, flags=re.MULTILINE)
    named = set(code(table_of_sources))
    assert set(SOURCES) | set(ORDER[1:]) <= named
    assert set(SOURCES) | set(ORDER[1:]) <= set(SECTIONS)


def test_the_module_of_competitions_is_where_the_page_says() -> None:
    assert competitions.__name__.replace(".", "/") + ".py" in TEXT


def test_the_columns_of_understat_and_of_squad_values_are_those_of_the_code() -> None:
    written = {name for cells in rows("understat", "key") for name in code(cells[1])}
    assert written == set(understat.COLUMNS)
    keys = {name for cells in rows("understat", "key") for name in code(cells[0])}
    assert {key for key in keys if f'"{key}"' not in inspect.getsource(understat)} == set()
    columns = {name for cells in rows("Squad values", "column") for name in code(cells[0])}
    assert columns == {name for names in squad_values.REQUIRED.values() for name in names} | {
        "region", "div", "squad_size"
    }  # fmt: skip


def test_the_sources_that_are_trusted_least_are_named() -> None:
    assert {f"`{source}`" for source in UNDATED} <= set(
        re.findall(r"`\w+`", SECTIONS["When sources contradict each other"])
    )
