"""Sources: pure parsers, one package per site, behind the protocols in `base`."""

from __future__ import annotations

from typing import Final

from apps.scraping.scopes import ScrapeScope
from apps.scraping.sources.base import (
    CrawlJob,
    FetchMethod,
    FileReader,
    Page,
    ParsedFile,
    ParseError,
    Reading,
    RefusedRow,
    Request,
    Site,
    UnknownCompetitionError,
    Window,
)
from apps.scraping.sources.football_data import FootballData, FootballDataSite
from apps.scraping.sources.openfootball import Openfootball, OpenfootballSite
from apps.scraping.sources.understat import Understat, UnderstatSite
from apps.scraping.sources.whoscored import WhoScored

SOURCES: Final[dict[str, FileReader]] = {
    source.name: source for source in (FootballData(), Openfootball(), Understat())
}
"""Readers of imported files by the name of their source."""

__all__ = [
    "SOURCES",
    "CrawlJob",
    "FetchMethod",
    "FileReader",
    "FootballDataSite",
    "OpenfootballSite",
    "Page",
    "ParseError",
    "ParsedFile",
    "Reading",
    "RefusedRow",
    "Request",
    "ScrapeScope",
    "Site",
    "UnderstatSite",
    "UnknownCompetitionError",
    "WhoScored",
    "Window",
]
