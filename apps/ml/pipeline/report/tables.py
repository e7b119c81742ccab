"""HTML parts: scrollable tables, formatted numbers and intervals, plots, paragraphs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final, NamedTuple

NONE: Final = "–"
"""Placeholder of a missing number."""

MEASURES: Final = (
    ("n", "n", "d"),
    ("log loss", "log_loss", ".4f"),
    ("RPS", "rps", ".4f"),
    ("Brier", "brier", ".4f"),
    ("accuracy", "accuracy", ".3f"),
    ("ECE", "ece", ".4f"),
)
"""Heading, key and format of the columns of scores."""


class Row(NamedTuple):
    """A row of a table: name, cells as text, and whether it is highlighted."""

    name: str
    cells: list[str]
    is_marked: bool = False


def number(value: float | None, form: str = ".4f") -> str:
    """Format a number, with a true minus sign; `NONE` if it is missing."""
    return NONE if value is None else format(value, form).replace("-", "−")


def interval(gap: dict[str, Any] | None, form: str = "+.4f") -> str:
    """Return a mean with its interval."""
    if gap is None:
        return NONE
    return f"{number(gap['mean'], form)} [{number(gap['low'], form)}, {number(gap['high'], form)}]"


def measures(scores: dict[str, Any]) -> list[str]:
    """Return the cells of `MEASURES`."""
    return [number(scores[key], form) for _, key, form in MEASURES]


def table(head: Sequence[str], rows: Sequence[Row], label: str) -> str:
    """Return a table in a box that scrolls and can be focused by keyboard."""
    titles = "".join(f"<th scope=col>{escape(title)}</th>" for title in head)
    lines = []
    for row in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        marked = " class=best" if row.is_marked else ""
        lines.append(f"<tr{marked}><th scope=row>{escape(row.name)}</th>{cells}</tr>")
    body = f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<div class=scroll role=region tabindex=0 aria-label="{escape(label)}">{body}</div>'


def picture(svg: str, caption: str) -> str:
    """Return a plot with its caption."""
    named = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1)
    return f"<figure>{named}<figcaption>{escape(caption)}</figcaption></figure>"


def note(text: str) -> str:
    """Return a remark under a table."""
    return f"<p class=note>{escape(text)}</p>"


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>"


def bullets(items: Sequence[str]) -> str:
    """Return a list of sentences."""
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
