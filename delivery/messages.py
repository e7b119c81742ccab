"""The catalogues of translations: `python -m delivery.messages` brings them up to date with the sources.

It collects the texts of templates and Python, adds new ones to ``locale/*/LC_MESSAGES/django.po`` without a
translation, removes those that are gone, and compiles ``django.mo``, which the site reads. Babel does what Django's
`makemessages` and `compilemessages` leave to programs of GNU gettext, so that no machine needs these.
"""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from django.utils.translation.template import templatize

ROOT: Final = Path(__file__).resolve().parent.parent
LOCALE: Final = ROOT / "locale"

NOT_OF_PAGES: Final = ("templates/admin/", "apps/scraping/", "/migrations/", "/admin/")
"""Parts of the paths of sources whose texts no reader sees."""

FUNCTIONS: Final = ("gettext", "ngettext", "pgettext", "npgettext", "_")
"""Functions that translate; also with the suffix ``_lazy`` or ``_noop``."""

NOISE: Final = re.compile(rb'^"(?!Language:|Plural-Forms:|MIME-Version:|Content-).*\\n"(?:\n|\Z)', re.MULTILINE)
"""Lines of the head of a catalogue that a translator does not need, or that change each time."""

CALL: Final = re.compile(r"\b(?:n?p?gettext|_)\(")


class Message(NamedTuple):
    """A text to translate: its context, if it has one, singular, and plural, if it has one."""

    context: str | None
    singular: str
    plural: str | None

    @property
    def id(self) -> str | tuple[str, str]:
        """The id of the message in a catalogue."""
        return (self.singular, self.plural) if self.plural is not None else self.singular


def catalogues() -> list[Path]:
    """Return the catalogues, one for each language but English."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def sources() -> list[Path]:
    """Return the files that texts are collected from."""
    found = [*(ROOT / "templates").rglob("*"), *(ROOT / "apps").rglob("*.py"), *(ROOT / "spai").rglob("*.py")]
    names = {path: path.relative_to(ROOT).as_posix() for path in found if path.is_file()}
    return sorted(path for path, name in names.items() if not any(part in name for part in NOT_OF_PAGES))


def messages_of(path: Path) -> list[Message]:
    """Return the texts of one file in the order in which they occur.

    Raises
    ------
    ValueError
        When a text is not written out where it is passed on.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return list(of_python(text))
    return [message for call in _calls(templatize(text)) for message in of_python(call)]


def of_python(code: str) -> Iterator[Message]:
    """Yield the texts of Python code."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        base = name.removesuffix("_lazy").removesuffix("_noop")
        if base not in FUNCTIONS:
            continue
        texts = [each.value if isinstance(each, ast.Constant) else None for each in node.args]
        context = texts.pop(0) if "p" in base.removesuffix("gettext") else None
        wanted = texts[: 2 if base.removesuffix("gettext").startswith("n") else 1]
        if all(isinstance(each, str) for each in wanted):
            yield Message(context, *(wanted if len(wanted) > 1 else (*wanted, None)))  # type: ignore[arg-type]


def _calls(code: str) -> Iterator[str]:
    """Yield the calls that `templatize` makes of the tags of a template, which is no Python otherwise."""
    for match in CALL.finditer(code):
        end = match.end()
        while True:
            end = code.index(")", end) + 1
            call = code[match.start() : end]
            try:
                ast.parse(call)
            except SyntaxError:
                continue
            yield call
            break


def collected() -> Catalog:
    """Return all texts of the sources, each with the files in which it occurs."""
    found = Catalog()
    for path in sources():
        for context, messages in _by_context(messages_of(path)).items():
            for message in messages:
                found.add(message.id, context=context, locations=[(path.relative_to(ROOT).as_posix(), 0)])
    return found


def _by_context(messages: list[Message]) -> dict[str | None, list[Message]]:
    found: dict[str | None, list[Message]] = {}
    for message in messages:
        found.setdefault(message.context, []).append(message)
    return found


def read(path: Path) -> Catalog:
    """Return a stored catalogue."""
    with path.open("rb") as file:
        catalogue = pofile.read_po(file, locale=path.parts[-3])
    # Otherwise each run would write another file.
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 11, 30, tzinfo=UTC)
    return catalogue


def updated(path: Path) -> Catalog:
    """Return a stored catalogue with the texts of the sources: new ones untranslated, without those that are gone."""
    catalogue = read(path)
    catalogue.update(collected(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    return catalogue


def written_po(catalogue: Catalog) -> bytes:
    """Return a catalogue as the text that translators edit; without line numbers, which each change would move."""
    file = io.BytesIO()
    pofile.write_po(file, catalogue, width=118, sort_by_file=True, include_lineno=False)
    head, separator, rest = file.getvalue().partition(b"\n\n")
    return NOISE.sub(b"", head).rstrip(b"\n") + separator + rest


def written_mo(catalogue: Catalog) -> bytes:
    """Return a catalogue as the site reads it."""
    file = io.BytesIO()
    mofile.write_mo(file, catalogue)
    return file.getvalue()


def main() -> None:
    """Update and compile all catalogues; print the missing translations."""
    for path in catalogues():
        catalogue = updated(path)
        path.write_bytes(written_po(catalogue))
        path.with_suffix(".mo").write_bytes(written_mo(catalogue))
        missing = [message.id for message in catalogue if message.id and not all(_strings(message))]
        print(f"{path.parts[-3]}: {len(catalogue)} texts, {len(missing)} without a translation")  # noqa: T201


def _strings(message: Any) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


if __name__ == "__main__":
    main()
