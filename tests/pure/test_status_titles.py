"""Titles of problems are the same on every Python."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from apps.matches.status_titles import title_of


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (404, "Not Found"),
        (413, "Content Too Large"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests"),
    ],
)
def test_a_status_has_the_title_of_rfc_9110(status, title):
    assert title_of(status) == title


def test_a_number_that_is_no_status_is_refused():
    with pytest.raises(ValueError, match="299"):
        title_of(299)
