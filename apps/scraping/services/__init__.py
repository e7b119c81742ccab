"""Scrape runs of sources, imports of files, politeness per host."""

from typing import Final

from apps.scraping.metrics import count_records
from apps.scraping.services.days import note_source_days
from apps.scraping.services.hosts import resume
from apps.scraping.services.imports import FileReport, ImportReport, import_files
from apps.scraping.services.match_files import find_files, read_files
from apps.scraping.services.retention import delete_pages
from apps.scraping.services.run_requests import (
    SourceIsOffError,
    WindowError,
    cancel,
    request_backfill,
    request_reparse,
    request_run,
    request_scheduled_run,
)
from apps.scraping.services.runs import ScrapeReport, accept_counts, scrape_due
from apps.scraping.services.snapshots import LostPageError, content_of
from apps.scraping.services.sources import (
    SHIPPED,
    PermissionMissingError,
    UnknownSourceError,
    base_url_of,
    confirm_permission,
    ensure_sandbox,
    ensure_sources,
    source_named,
    switch,
    why_off,
    withdraw_permission,
)

REFUSALS: Final = (SourceIsOffError, WindowError, PermissionMissingError, UnknownSourceError)
"""Errors that refuse what an operator asked for; the text says why."""

__all__ = [
    "REFUSALS",
    "SHIPPED",
    "FileReport",
    "ImportReport",
    "LostPageError",
    "PermissionMissingError",
    "ScrapeReport",
    "SourceIsOffError",
    "UnknownSourceError",
    "WindowError",
    "accept_counts",
    "base_url_of",
    "cancel",
    "confirm_permission",
    "content_of",
    "count_records",
    "delete_pages",
    "ensure_sandbox",
    "ensure_sources",
    "find_files",
    "import_files",
    "note_source_days",
    "read_files",
    "request_backfill",
    "request_reparse",
    "request_run",
    "request_scheduled_run",
    "resume",
    "scrape_due",
    "source_named",
    "switch",
    "why_off",
    "withdraw_permission",
]
