"""Hooks of mkdocs: pages from outside `docs/`, folders in the navigation, links between all of them.

Documents link each other by their places in the repository, so that they also lead on where the repository is browsed.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "clients/python/README.md": "python-client.md",
}
"""Documents elsewhere in the repository → their pages."""
START = "README.md"
"""The page that a link to the README of the repository leads to."""
LINK = re.compile(r"\[([^\]\n]+)\]\(([^)\s:#]+)(#[^)\s]*)?\)")


def pages_below(folder: str) -> list[str]:
    """Return the pages in a folder of `docs/`, in the order of their names."""
    return sorted(f"{folder}{path.name}" for path in (ROOT / "docs" / folder).glob("*.md"))


def expanded(entry: Any) -> list[Any]:
    """Return an entry of the navigation, with the pages of a folder in its place."""
    if isinstance(entry, str):
        return list(pages_below(entry)) if entry.endswith("/") else [entry]
    title, below = next(iter(entry.items()))
    if isinstance(below, str) and not below.endswith("/"):
        return [entry]
    return [{title: [each for part in ([below] if isinstance(below, str) else below) for each in expanded(part)]}]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the navigation; take the script that the plugin `offline` wants from this site, not from another."""
    config.nav = [each for entry in config.nav or [] for each in expanded(entry)]
    config.extra["polyfills"] = ["assets/iframe-worker.js"]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents from outside `docs/`."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between places in the repository into links between pages; of other files only the text is left."""
    here = page.file.src_uri
    source = next((each for each, name in OUTSIDE.items() if name == here), f"docs/{here}")

    def linked(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if (ROOT / place).is_dir() and place.startswith("docs/"):
            place = f"docs/{pages_below(place.removeprefix('docs/') + '/')[0]}"
        to = OUTSIDE.get(place) or (START if place == "README.md" else place.removeprefix("docs/"))
        if to == place and not place.startswith("docs/"):
            return text
        return f"[{text}]({posixpath.relpath(to, posixpath.dirname(here) or '.')}{anchor})"

    return LINK.sub(linked, markdown)
