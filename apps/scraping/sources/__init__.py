"""Sources: pure parsers, one per site, behind one protocol."""

from __future__ import annotations

from typing import Final

from apps.scraping.sources.base import ParsedFile, ParseError, RefusedRow, Source
from apps.scraping.sources.football_data import FootballData
from apps.scraping.sources.openfootball import Openfootball

SOURCES: Final[dict[str, Source]] = {source.name: source for source in (FootballData(), Openfootball())}
"""Every source by its name."""

__all__ = ["SOURCES", "ParseError", "ParsedFile", "RefusedRow", "Source"]
