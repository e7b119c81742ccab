"""The pages of docs/reference/ say what the code says, to the letter."""

from __future__ import annotations

import pytest

from tests.reference_pages import PAGES, ROOT, all_variables


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_gives(name, renew):
    made = PAGES[name]()
    if renew:
        (ROOT / name).write_text(made, encoding="utf-8")
    assert (ROOT / name).read_text(encoding="utf-8") == made, "pytest tests/test_reference.py --renew"


def test_every_variable_has_a_meaning():
    assert [name for _, name, _, _, meaning in all_variables() if not meaning] == []
