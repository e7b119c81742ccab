"""Each saved page of a source gives exactly the records that stand beside it.

The pages are written for these tests, in the shape of the site and with its known faults; clubs and numbers are made
up. A page ``E0.csv`` has its records in ``E0.csv.expected.json``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from apps.scraping.sources import SOURCES, ParsedFile

PAGES = Path(__file__).parents[2] / "pages"
SUFFIX = ".expected.json"

CASES = [
    pytest.param(source, page, id=f"{source}/{page.relative_to(PAGES / folder)}")
    for source, folder in (
        ("football-data", "football_data"),
        ("openfootball", "openfootball"),
        ("understat", "understat"),
    )
    for page in sorted((PAGES / folder).rglob("*.*"))
    if not page.name.endswith(SUFFIX)
]


def plain(value: Any) -> Any:
    """Return a record as JSON holds it, without the fields that have their default."""
    if hasattr(value, "__dataclass_fields__"):
        return {
            field.name: plain(getattr(value, field.name))
            for field in fields(value)
            if getattr(value, field.name) != field.default
        }
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def as_document(parsed: ParsedFile) -> dict[str, Any]:
    return {
        "records": plain(parsed.records),
        "refused": [asdict(row) for row in parsed.refused],
        "notes": parsed.notes,
    }


@pytest.mark.parametrize(("source", "page"), CASES)
def test_a_page_gives_the_records_beside_it(source: str, page: Path) -> None:
    folder = PAGES / source.replace("-", "_")
    name = page.relative_to(folder).as_posix()
    content = page.read_bytes()
    assert SOURCES[source].accepts("any name", content)
    parsed = SOURCES[source].parse_file(name, content)
    expected = json.loads(page.with_name(page.name + SUFFIX).read_text(encoding="utf-8"))
    assert as_document(parsed) == expected


@pytest.mark.parametrize(("source", "page"), CASES)
def test_a_page_read_twice_gives_the_same(source: str, page: Path) -> None:
    content = page.read_bytes()
    name = page.relative_to(PAGES / source.replace("-", "_")).as_posix()
    assert SOURCES[source].parse_file(name, content) == SOURCES[source].parse_file(name, content)
