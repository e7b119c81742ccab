"""Tables as spreadsheets read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.matches.spreadsheets import cell, csv_text


def test_a_table_has_a_header_and_empty_cells_for_none():
    assert csv_text(["a", "b"], [(1, None), ('x"y', "p,q")]) == 'a,b\r\n1,\r\n"x""y","p,q"\r\n'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_a_text_that_a_spreadsheet_would_compute_begins_with_an_apostrophe(text):
    assert cell(text) == f"'{text}"


def test_numbers_stay_numbers_and_moments_are_in_utc():
    assert (cell(-1.5), cell(True)) == (-1.5, "true")
    assert cell(datetime(2026, 11, 23, 9, tzinfo=UTC)) == "2026-11-23T09:00:00Z"
