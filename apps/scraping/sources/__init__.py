"""Sources: pure parsers, one per site, behind one protocol."""

from __future__ import annotations

from typing import Final

from apps.scraping.sources.base import (
    Door,
    Errand,
    Page,
    ParsedFile,
    ParseError,
    Reading,
    RefusedRow,
    Request,
    Scope,
    Site,
    Source,
    Window,
)
from apps.scraping.sources.football_data import FootballData
from apps.scraping.sources.openfootball import Openfootball

SOURCES: Final[dict[str, Source]] = {source.name: source for source in (FootballData(), Openfootball())}
"""Every source by its name."""

__all__ = [
    "SOURCES",
    "Door",
    "Errand",
    "Page",
    "ParseError",
    "ParsedFile",
    "Reading",
    "RefusedRow",
    "Request",
    "Scope",
    "Site",
    "Source",
    "Window",
]
