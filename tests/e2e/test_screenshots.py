"""Pictures of the documentation: `make screenshots` takes them of the site as it is; each test run opens the pages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
LARGEST = 200_000
"""Bytes of one picture: the repository keeps every version of it."""
FIXTURES = (
    ("Harbour City", "Kingsmoor", (0.46, 0.27, 0.27)),
    ("Northgate", "Wending Vale", (0.58, 0.24, 0.18)),
    ("Port Ellery", "Ashdown Rovers", (0.31, 0.30, 0.39)),
    ("Copperfield", "Saltmarsh", (0.71, 0.18, 0.11)),
    ("Millbrook", "Eastwick Athletic", (0.39, 0.31, 0.30)),
    ("Larkhill", "Redstone", (0.22, 0.26, 0.52)),
)


@pytest.fixture
def match(build):
    """The first of some coming matches with forecasts."""
    version = build.version()
    build.promote(version)
    season = build.season()
    matches = []
    for number, (home, away, p) in enumerate(FIXTURES, 1):
        matches.append(build.match(home, away, season=season, kickoff_at=build.now + timedelta(minutes=5 * number)))
        build.prediction(matches[-1], version, p, before_kickoff=timedelta(hours=2))
    return matches[0]


def test_the_pictures_show_what_the_documentation_says_of_them(match, open_page, renew):
    pictures = {"fixtures": ("/", "svg.bar", 720), "match": (f"/matches/{match.pk}/", ".heat td.top1", 840)}
    for name, (path, shows, height) in pictures.items():
        page = open_page(path, width=1200)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.set_viewport_size({"width": 1200, "height": height})
        page.wait_for_selector(shows)
        if renew:
            page.screenshot(path=IMAGES / f"{name}.png")
    assert {path.stem: path.stat().st_size < LARGEST for path in IMAGES.iterdir()} == dict.fromkeys(pictures, True)
