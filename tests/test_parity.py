"""docs/parity.md claims nothing that is not there: the files, tests and benchmarks that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")
FOLDERS = ("apps/", "spai/", "tests/", "benchmarks/", "docs/", ".ci/", "templates/")
NAMED = sorted({name for name in re.findall(r"`([^`\s]+)`", TEXT) if name.startswith(FOLDERS)})
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| ")
    and not line.startswith(("| layer ", "| figure ", "| limitation ", "| finding ", "| arrow "))
]


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_is_there(name):
    path, _, test = name.partition("::")
    assert (ROOT / path).exists(), path
    if test:
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), test


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_row_has_a_test(row):
    assert re.search(r"`tests/\S+`", row[-1]), row
    assert all(row)


def test_every_table_has_its_rows():
    assert len(NAMED) > 60
    assert len(ROWS) > 50
