"""What a scrape run looks for."""

from enum import StrEnum


class ScrapeScope(StrEnum):
    """Which pages of a source a run reads, and for which days."""

    RESULTS = "results"
    FIXTURES = "fixtures"
    ODDS = "odds"
    BACKFILL = "backfill"
    REPARSE = "reparse"
    """Every stored page that a run of any other scope can have fetched; no request is made."""
