"""The table of faults is complete, and each test that it names exists."""

from __future__ import annotations

import re

from tests.documentation import ROOT, node_ids

FAULTS = (
    "killed",
    "frozen",
    "restarted",
    "slow connection",
    "cut connection",
    "full disk",
    "clock jump",
    "out of memory",
)
PARTS = ("web", "push", "admin", "worker", "scraper", "beat", "pipeline", "PostgreSQL", "Redis", "RabbitMQ", "MLflow")
TEXT = (ROOT / "docs" / "fault-matrix.md").read_text(encoding="utf-8")


def rows() -> list[tuple[str, str, str, str]]:
    """Return part, fault, what happens and what shows it, of each row."""
    found = []
    for section in TEXT.split("\n## ")[1:]:
        part, _, table = section.partition("\n")
        found += [(part, *cells) for cells in re.findall(r"^\| (.+?) \| (.+) \| (.+) \|$", table, flags=re.M)]
    return [row for row in found if row[1] != "fault"]


def test_each_part_has_a_row_for_each_fault():
    assert [(part, fault) for part, fault, *_ in rows()] == [(part, fault) for part in PARTS for fault in FAULTS]


def test_each_row_names_tests_that_exist_or_says_why_there_is_none():
    named = {row: set(re.findall(r"`(tests/[^`]+)`", row[-1])) for row in rows()}
    assert [row for row, tests in named.items() if not tests and not row[-1].startswith("no test")] == []
    tests = set().union(*named.values())
    assert tests - set().union(*(node_ids(file) for file in {test.partition("::")[0] for test in tests})) == set()
