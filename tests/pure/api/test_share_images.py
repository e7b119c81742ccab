"""Pictures of links: their size, names in any script, names that are too long."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from apps.api.share_images import EDGE, WIDTH, Label, Picture, _readable, png

FORECAST = (0.51, 0.25, 0.24)


def picture(*names: str, **fields) -> Picture:
    labels = tuple(Label(name, "Plain Name") for name in names)
    plain = {"about": Label("Crown League"), "when": "Saturday 28 November 2026", "names": labels, "forecast": FORECAST}
    return Picture(**(plain | fields))


def drawn(wanted: Picture) -> Image.Image:
    image = Image.open(io.BytesIO(png(wanted)))
    assert (image.format, image.size) == ("PNG", (1200, 630))
    return image


def test_the_bar_is_as_wide_as_the_forecast_says():
    image = drawn(picture("Dunmere Athletic", "Brackwater United"))
    row = [image.getpixel((x, 415)) for x in range(WIDTH)]
    blue = row.count((0x1F, 0x5F, 0xA8))
    assert abs(blue - 0.51 * (WIDTH - 2 * EDGE)) < 3


@pytest.mark.parametrize(
    "name",
    [
        "Žalgiris",
        "Παναθηναϊκός",
        "Спартак",
        "שלום",
        "الهلال",
        "北京国安",
        "ทีมชาติ",
        "👻",
        "A\u0301",
        "x" * 300,
        "",
        "a\nb\r\x85c",
    ],
)
def test_names_in_any_script_and_of_any_length_make_a_picture(name):
    drawn(picture(name, name, scores=("1", "12"), note=name))


def test_letters_that_no_font_has_give_way_to_the_other_spelling():
    assert _readable(Label("Σπάρτη", "Sparti"))[1] == "Σπάρτη"
    assert _readable(Label("北京国安", "Beijing Guoan"))[1] == "Beijing Guoan"
    assert _readable(Label("北京国安"))[1] == "北京国安"


def test_a_name_too_long_stays_within_the_edges():
    image = drawn(picture("W" * 200, "i"))
    assert {image.getpixel((x, y)) for x in range(WIDTH - EDGE + 1, WIDTH) for y in range(150, 620)} == {
        (0xF7, 0xF6, 0xF2)
    }


def test_rows_end_above_the_note():
    rows = tuple((Label(f"Club {n}"), "25%") for n in range(4))
    image = drawn(picture("Crown League", forecast=None, rows=rows, note=""))
    assert {image.getpixel((x, y)) for x in range(WIDTH) for y in range(540, 630)} == {(0xF7, 0xF6, 0xF2)}


def test_equal_pictures_are_drawn_once():
    assert png(picture("A", "B")) is png(picture("A", "B"))
