"""Pictures that other sites show of a link: PNG, because they take no SVG, of 1200 × 630 points.

Pillow is imported by the first picture of a process, not at its start.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from apps.api import charts

WIDTH: Final = 1200
HEIGHT: Final = 630
EDGE: Final = 64
"""Space at the sides."""

PAPER, INK, SOFT = "#f7f6f2", charts.INK, "#565c66"
PARTS: Final = {"home": ("#1f5fa8", "#ffffff"), "draw": ("#9aa1ab", "#16181d"), "away": ("#bd4e15", "#ffffff")}
"""Colours of the bar and of the numbers on it, those of the light theme in app.css."""

FONTS: Final = (
    # Latin, Greek and Cyrillic; every installation has it for the admin.
    ("unfold", "static/unfold/fonts/inter/Inter-SemiBold.woff2"),
    # Hebrew, Arabic, Georgian, Armenian and others; where pipelines run.
    ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"),
)
"""Package → font, in the order in which they are tried."""

MOST_CACHED: Final = 128
"""Pictures that a process keeps, of about 30 KB each."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text, and what is drawn in its place where no font has its letters."""

    text: str
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """The content of a picture, from the top: two small lines, one or two names, and a bar or some rows.

    Parameters
    ----------
    about : Label
        Competition or country.
    when : str
        Day, or what the names are.
    names : tuple of Label
        One, or home and away.
    scores : tuple of str
        What stands behind each name; empty for none.
    forecast : tuple of float, optional
        Probabilities (home, draw, away) of the bar.
    rows : tuple of (Label, str)
        Names with a value.
    note : str
        The sentence below.
    """

    about: Label
    when: str
    names: tuple[Label, ...]
    scores: tuple[str, ...] = ()
    forecast: tuple[float, float, float] | None = None
    rows: tuple[tuple[Label, str], ...] = ()
    note: str = ""


@lru_cache(maxsize=MOST_CACHED)
def png(picture: Picture) -> bytes:
    """Draw a picture; some 50 ms of CPU time."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    wide = WIDTH - 2 * EDGE
    _write(draw, (EDGE, 56), picture.about, 30, wide - 120, SOFT)
    _write(draw, (EDGE, 98), Label(picture.when), 30, wide, SOFT)
    _brand(draw)
    y, size = (170, 76) if len(picture.names) > 1 else (164, 88)
    for name, score in zip(picture.names, (*picture.scores, *("", "")), strict=False):
        right = _write(draw, (WIDTH - EDGE, y), Label(score), size, 200, INK, anchor="ra") if score else 0
        _write(draw, (EDGE, y), name, size, wide - right - 30, INK)
        y += round(size * 1.3)
    if picture.forecast:
        _bar(draw, picture.forecast, y + 40)
    for label, value in picture.rows:
        y += 52
        _write(draw, (WIDTH - EDGE, y), Label(value), 36, 160, INK, anchor="ra")
        _write(draw, (EDGE, y), label, 36, wide - 190, INK)
    _write(draw, (EDGE, HEIGHT - 84), Label(picture.note), 30, wide, SOFT)
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def _brand(draw: Any) -> None:
    """Draw the mark of icon.svg in the upper right corner."""
    left, top = WIDTH - EDGE - 88, 56
    draw.rounded_rectangle((left, top, left + 88, top + 88), 22, fill=INK)
    for x, width, colour in ((14, 30, "#5b9be6"), (47, 11, "#9aa1ab"), (61, 14, "#f0894a")):
        draw.rounded_rectangle((left + x, top + 33, left + x + width, top + 55), 5, fill=colour)


def _bar(draw: Any, forecast: tuple[float, float, float], top: int) -> None:
    wide, high = WIDTH - 2 * EDGE, 92
    for part in charts.bar(forecast):
        fill, on = PARTS[part.outcome]
        left, right = EDGE + wide * part.x / 100, EDGE + wide * (part.x + part.percent) / 100
        draw.rectangle((left + (3 if part.x else 0), top, right, top + high), fill=fill)
        if part.has_number:
            text = Label(f"{part.percent}%")
            _write(draw, ((left + right) / 2, top + high / 2), text, 40, right - left, on, anchor="mm")


def _write(
    draw: Any, at: tuple[float, float], label: Label, size: int, room: float, colour: str, *, anchor: str = "la"
) -> int:
    """Write a text, smaller or cut where it has no room; return its width."""
    path, text = _readable(label)
    if not text:
        return 0
    while (font := _font(path, size)).getlength(text) > room and size > 30:
        size -= 4
    while font.getlength(text) > room and len(text) > 1:
        text = text[:-2].rstrip() + "…"
    draw.text(at, text, font=font, fill=colour, anchor=anchor)
    return round(font.getlength(text))


def _readable(label: Label) -> tuple[str, str]:
    """Return the first font that has all letters of a text, and the text; else those of its other spelling."""
    for text in _lines_joined(label):
        for path in _paths():
            if text and all(_has(path, letter) for letter in text):
                return path, text
    text, otherwise = _lines_joined(label)
    return _paths()[0], otherwise or text


def _lines_joined(label: Label) -> tuple[str, str]:
    """Return both spellings of a label with single spaces, because line breaks cannot be drawn."""
    return " ".join(label.text.split()), " ".join(label.otherwise.split())


@cache
def _paths() -> list[str]:
    found = []
    for package, name in FONTS:
        spec = find_spec(package)
        path = Path(spec.origin).parent / name if spec and spec.origin else None
        if path is not None and path.is_file():
            found.append(str(path))
    return found


@lru_cache(maxsize=64)
def _font(path: str, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(path, size)


@lru_cache(maxsize=4096)
def _has(path: str, letter: str) -> bool:
    """Whether a font has a letter: it draws all that it has not as one and the same box."""
    font = _font(path, 20)
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
