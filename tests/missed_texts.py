"""Finds texts that do not come through gettext: in templates, in Python, and in pages that are rendered."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any, Final

from django.template.base import Lexer, TokenType

SHOWN_ATTRIBUTES: Final = ("title", "aria-label", "placeholder", "alt", "label", "data-copy")
UNREAD: Final = {"script", "style", "code", "textarea"}
"""Elements whose content is for programs: also the HTML that a reader copies."""

VOID: Final = {"area", "br", "circle", "col", "hr", "img", "input", "line", "link", "meta", "path", "rect", "source"}

NAMES: Final = {"spai", "sp", "ai", "SPAI", "UTC", "CSV"}
"""Words that are the same in every language: names and signs."""
KEYS: Final = {"j", "k"}
UNITS: Final = {"s"}

WORD: Final = re.compile(r"[^\W\d_]+")
PATH: Final = re.compile(r"\S*/\S*")
TRANSLATED: Final = re.compile(r'_\("[^"]*"\)')
LITERAL: Final = re.compile(r'"([^"]*)"')
WRITTEN: Final = re.compile(r"^[A-Z][a-z]+|[a-z]{2,} [a-z]{2,}")
"""What a literal in a tag looks like that readers see: it begins like a sentence, or has two words."""

NOT_SHOWN: Final = ("if", "elif", "extends", "static", "url", "load", "block", "querystring", "moment", "kickoff_day")
"""Tags whose literals are addresses, values to compare with, or shapes of dates."""

OPEN, CLOSE = "⟦", "⟧"
"""What `Marked` puts around a text that came through gettext."""


class _Texts(HTMLParser):
    """Collects the words of texts and attributes that are seen or read aloud, and were not marked."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._known = sorted({each for each in known if each}, key=len, reverse=True)
        self._open: list[tuple[str, bool]] = []
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        is_unread = tag in UNREAD or (tag != "html" and values.get("lang") is not None)
        if not is_unread and not any(unread for _, unread in self._open):
            for name in SHOWN_ATTRIBUTES:
                self._look(values.get(name) or "", f"{name} of <{tag}>")
            if tag == "meta" and values.get("name") == "description":
                self._look(values.get("content") or "", "description")
        if tag not in VOID:
            self._open.append((tag, is_unread))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        # A template may close in one branch what it opened in another.
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        if any(unread for _, unread in self._open):
            return
        # A marked text may have elements inside.
        self._depth = self._look(data, f"<{self._open[-1][0] if self._open else ''}>", self._depth)

    def _look(self, text: str, where: str, depth: int = 0) -> int:
        bare = []
        for character in text:
            depth += (character == OPEN) - (character == CLOSE)
            bare.append(" " if depth or character == CLOSE else character)
        left = PATH.sub(" ", "".join(bare))
        for each in self._known:
            left = left.replace(each, " ")
        words = [word for word in WORD.findall(left) if word not in NAMES | KEYS | UNITS]
        if words:
            self.found.append(f"{where}: {' '.join(words)}")
        return depth


def in_html(html: str, known: Iterable[str] = ()) -> list[str]:
    """Return the texts of a page that carry no mark of `Marked`, without those that are `known` data."""
    parser = _Texts(known)
    parser.feed(html)
    return parser.found


def in_template(source: str) -> list[str]:
    """Return the texts of a template that stand outside of `translate` and `blocktranslate`, in every branch."""
    html, found, skipped_to = [], [], ""
    for token in Lexer(source).tokenize():
        name = token.contents.split(" ", 1)[0] if token.token_type == TokenType.BLOCK else ""
        if skipped_to:
            skipped_to = "" if name == skipped_to else skipped_to
        elif name in ("blocktranslate", "comment"):
            skipped_to = f"end{name}"
        elif token.token_type == TokenType.TEXT:
            html.append(token.contents)
        elif token.token_type == TokenType.VAR:
            found += [f"{{{{ {token.contents} }}}}" for text in _literals(token.contents) if WRITTEN.search(text)]
            if "|pluralize" in token.contents or "|yesno" in token.contents:
                found.append(f"{{{{ {token.contents} }}}}")
        elif name == "translate":
            html.append("")
        elif token.token_type == TokenType.BLOCK and name not in NOT_SHOWN:
            texts = (text for text in _literals(token.contents) if WRITTEN.search(text))
            found += [f"{{% {token.contents} %}}: {text}" for text in texts]
    return found + in_html("".join(html))


def _literals(contents: str) -> Iterator[str]:
    """Yield the literals of a tag that are neither paths nor shapes of dates."""
    contents = TRANSLATED.sub("", contents)
    for match in LITERAL.finditer(contents):
        before = contents[: match.start()]
        if "/" not in match.group(1) and not before.endswith(("written_day:", "|date:", "day=")):
            yield match.group(1)


TRANSLATES: Final = re.compile(r"^(n?p?gettext(_lazy|_noop)?|_)$")
SENTENCE: Final = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")
FOR_READERS: Final = ("Http404", "ValidationError", "PermissionDenied", "NoForecastError", "WhatIfRefusedError")
"""Errors whose message a page shows."""


def in_python(code: str, *, of_errors: bool = False) -> list[str]:
    """Return the texts of Python code that look like words for readers and are not passed to gettext.

    Docstrings, messages of other errors, logs, SQL, HTML and keys are for programmers. With `of_errors` only the
    messages of errors that a page shows are looked at.
    """
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            name = _name(node.func)
            if TRANSLATES.match(name) or name in ("RawSQL", "compile", "info", "warning", "exception"):
                return
            if name in FOR_READERS:
                texts = [ast.unparse(each) for each in node.args if isinstance(each, ast.Constant | ast.JoinedStr)]
                # The first ones of a refusal are codes.
                found.extend(text for text in texts if " " in text)
                return
        if isinstance(node, ast.Dict):
            for value in node.values:
                visit(value)
            return
        if isinstance(node, ast.Raise) and _name(getattr(node.exc, "func", node)) not in FOR_READERS:
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.startswith("<")
        if is_text and not of_errors and SENTENCE.search(node.value):
            found.append(node.value)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(code))
    return list(dict.fromkeys(found))


def _name(node: Any) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


class Marked:
    """A catalogue that puts marks around each text, as `django.utils.translation.trans_real` keeps one for a language.

    What says how to write numbers and dates has no marks.
    """

    plain = ("date", "decimal point", "between thousands", "after a number")

    def gettext(self, message: str) -> str:
        context, _, text = message.rpartition("\x04")
        return text if context in self.plain else f"{OPEN}{text}{CLOSE}"

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        return self.gettext(singular if number == 1 else plural)

    def language(self) -> str:
        return "de"

    def to_language(self) -> str:
        return "de"
