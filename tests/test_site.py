"""The documentation site: built without a warning, complete, and without anything from another host."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tests.documentation import ROOT, build
from tests.shared import made_once

pytest.importorskip("material", reason="mkdocs-material is not installed")
pytestmark = pytest.mark.slow

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""Elements that make a browser load something, and the attribute that says from where."""
NO_DOCUMENTS = {"canonical", "alternate", "next", "prev"}
"""Relations of links that load nothing."""


class Loaded(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: set[str] = set()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in LOADED and given.get("rel") not in NO_DOCUMENTS and given.get(LOADED[tag]):
            self.addresses.add(given[LOADED[tag]])


@pytest.fixture(scope="module")
def documentation(tmp_path_factory):
    """The folder of the site. mkdocs checks navigation, links and anchors, and fails on a warning."""
    return made_once("documentation", tmp_path_factory, build)


def test_every_document_is_a_page(documentation):
    pages = {path.relative_to(documentation).as_posix() for path in documentation.rglob("*.html")}
    documents = {
        path.relative_to(ROOT / "docs").with_suffix(".html").as_posix().replace("README.html", "index.html")
        for path in (ROOT / "docs").rglob("*.md")
    }
    assert documents - pages == set()
    assert {"changelog.html", "contributing.html", "security.html", "python-client.html"} <= pages


def test_a_page_loads_nothing_from_another_host(documentation):
    loaded = Loaded()
    for path in documentation.rglob("*.html"):
        loaded.feed(path.read_text(encoding="utf-8"))
    assert len(loaded.addresses) > 5
    assert [address for address in loaded.addresses if re.match(r"(?:https?:)?//", address)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in documentation.rglob("*.css"))
    assert re.findall(r"url\(\s*[\"']?https?:[^)]*\)|@import[^;]*", styles) == []


def test_every_picture_is_shown_by_a_page():
    shown = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    assert [path.name for path in (ROOT / "docs" / "images").iterdir() if f"images/{path.name})" not in shown] == []
