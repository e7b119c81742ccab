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
from apps.scraping.sources.football_data import FootballData, FootballDataSite
from apps.scraping.sources.openfootball import Openfootball, OpenfootballSite
from apps.scraping.sources.whoscored import WhoScored

SOURCES: Final[dict[str, Source]] = {source.name: source for source in (FootballData(), Openfootball())}
"""Every source by its name."""

__all__ = [
    "SOURCES",
    "Door",
    "Errand",
    "FootballDataSite",
    "OpenfootballSite",
    "Page",
    "ParseError",
    "ParsedFile",
    "Reading",
    "RefusedRow",
    "Request",
    "Scope",
    "Site",
    "Source",
    "WhoScored",
    "Window",
]
