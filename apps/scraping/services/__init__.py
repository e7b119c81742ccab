"""Visits to sources and imports of files."""

from apps.scraping.services.imports import FileReport, ImportReport, RefusedRecord, find_files, import_files
from apps.scraping.services.visits import (
    ScrapeReport,
    UnknownSourceError,
    ensure_sandbox,
    request_visits,
    scrape,
    scrape_due,
)

__all__ = [
    "FileReport",
    "ImportReport",
    "RefusedRecord",
    "ScrapeReport",
    "UnknownSourceError",
    "ensure_sandbox",
    "find_files",
    "import_files",
    "request_visits",
    "scrape",
    "scrape_due",
]
