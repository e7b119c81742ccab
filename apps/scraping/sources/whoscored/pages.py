"""Reading of pages: JSON, a variable of a script, elements, single values.

Everything here ends in bounded time for any input, with `ParseError` if the page is not what it should be.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any, Final

import chompjs
from selectolax.lexbor import LexborHTMLParser

from apps.scraping.sources.base import ParseError

LARGEST_PAGE: Final = 8_000_000
"""Bytes; the largest genuine pages, match centres, have about two million."""

DEEPEST_NESTING: Final = 1_000
"""Elements within elements; the time of the parser grows with its square."""

VOID_ELEMENTS: Final = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)

TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})")
HEX_ESCAPE: Final = re.compile(r"\\(\\|x([0-9a-fA-F]{2}))")
"""A backslash that is escaped itself, or JavaScript's ``\\xNN``, which JSON does not have."""

LARGEST_NUMBER: Final = 10**12


def as_text(content: bytes, where: str) -> str:
    """Return a page as text.

    Raises
    ------
    ParseError
        When the page is larger than any page of the site.
    """
    if len(content) > LARGEST_PAGE:
        raise ParseError(f"a page of at most {LARGEST_PAGE} bytes", where)
    return content.decode("utf-8-sig", errors="replace")


def as_json(content: bytes, where: str) -> Any:
    """Return the JSON of a response: alone, or as a browser shows it, inside ``<pre>`` or ``<body>``.

    Raises
    ------
    ParseError
        When the page has no valid JSON.
    """
    text = as_text(content, where).strip()
    if not text.startswith(("{", "[")):
        text = html.unescape(_between(text, "pre") or _between(text, "body") or "").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParseError("valid JSON", where) from error


def assigned(text: str, pattern: re.Pattern[str], name: str, where: str) -> Any:
    """Return the value that a script assigns to a variable.

    Parameters
    ----------
    text : str
        The page.
    pattern : re.Pattern
        Text before the value, up to the equals sign.
    name : str
        The variable, for the message.
    where : str
        The page, for the message.

    Raises
    ------
    ParseError
        When the page assigns no literal to it that can be read.
    """
    found = False
    for match in pattern.finditer(text):
        if text[match.end() : match.end() + 1] not in ("{", "["):
            continue
        found = True
        literal = HEX_ESCAPE.sub(lambda escape: rf"\u00{escape[2]}" if escape[2] else escape[0], text[match.end() :])
        try:
            return chompjs.parse_js_object(literal)
        except (ValueError, RecursionError):
            break
    raise ParseError(f"a readable value of {name}" if found else f"variable {name}", where)


def as_tree(text: str, where: str) -> LexborHTMLParser:
    """Return the element tree of a page.

    Raises
    ------
    ParseError
        When its elements are nested deeper than those of any page of the site.
    """
    depth = 0
    for closing, name in TAG.findall(text):
        if closing:
            depth = max(0, depth - 1)
        elif name.lower() not in VOID_ELEMENTS:
            depth += 1
            if depth > DEEPEST_NESTING:
                raise ParseError(f"a page nested at most {DEEPEST_NESTING} deep", where)
    return LexborHTMLParser(text)


def required(mapping: Any, key: str, kind: type, where: str) -> Any:
    """Return the value of a key.

    Raises
    ------
    ParseError
        When the key is missing or its value is of another type.
    """
    value = mapping.get(key) if isinstance(mapping, dict) else None
    if not isinstance(value, kind):
        raise ParseError(f"key {key}", where)
    return value


def as_count(value: Any) -> int | None:
    """Return a count or an id, written as a number or as digits; None for any other value."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) <= 12:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= LARGEST_NUMBER or value != int(value):
        return None
    return int(value)


def as_words(value: Any) -> str:
    """Return a text with single spaces; empty for a value that is not a text."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def as_name(value: Any) -> str:
    """Return the name in ``{"displayName": …}`` or ``{"name": …}``, or the text itself; empty where there is none."""
    if isinstance(value, dict):
        value = value.get("displayName") or value.get("name")
    return as_words(value)


def _between(text: str, element: str) -> str | None:
    """Return the text between the first opening and the next closing tag of an element, None without the first."""
    opening = re.search(rf"<{element}\b[^<>]*>", text, re.IGNORECASE)
    if opening is None:
        return None
    closing = re.compile(rf"</{element}\b", re.IGNORECASE).search(text, opening.end())
    return text[opening.end() : closing.start() if closing else len(text)]
