"""What a month keeps, from what a day and a run write and the default periods of retention."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.disk import LIMIT_MB, MONTH, Growth, growths

MEASURED = json.loads((Path(__file__).parent / "measured_disk.json").read_text())
"""Megabytes a day and a run; the file says how each was measured or estimated."""


@pytest.mark.parametrize(
    ("growth", "kept"),
    [
        # 10 MB a day for 30 days, of which nothing is deleted.
        (Growth("kept for ever", 10.0), 300.0),
        # Events are kept for 3 days.
        (Growth("events", 10.0, "events"), 30.0),
        # A fifth stays for 30 days, the rest for 3: 2 × 30 + 8 × 3.
        (Growth("forecasts", 10.0, "sandbox-forecasts", stays=0.2), 84.0),
        # One day, and the newest two.
        (Growth("workspaces", 300.0, "workspaces", newest_mb=600.0), 900.0),
        # The period is longer than the month.
        (Growth("rows of runs", 1.0, "runs"), 30.0),
    ],
)
def test_a_part_keeps_what_its_period_leaves(growth, kept):
    assert growth.after(MONTH) == pytest.approx(kept)


def test_a_laptop_keeps_less_than_the_limit_after_a_month_and_more_without_retention():
    found = growths(MEASURED["megabytes"])
    assert sum(growth.after(MONTH) for growth in found) < LIMIT_MB
    assert sum(growth.mb_a_day * MONTH + growth.newest_mb for growth in found) > LIMIT_MB


def test_what_grows_for_ever_is_small():
    """A year after the first one, only matches, the ledger and files of compared versions have grown."""
    found = growths(MEASURED["megabytes"])
    growing = {growth.part for growth in found if growth.after(3 * 365) > growth.after(2 * 365) + 1.0}
    allowed = {"matches", "ledger", "forecasts", "files of versions"}
    assert {part.partition(": ")[2] for part in growing} <= allowed
