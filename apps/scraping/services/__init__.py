"""Visits to sources and imports of files."""

from apps.scraping.services.asking import (
    Asked,
    SourceIsOffError,
    WindowError,
    cancel,
    request_backfill,
    request_reparse,
    request_visit,
    visit_due,
)
from apps.scraping.services.imports import FileReport, ImportReport, RefusedRecord, find_files, import_files
from apps.scraping.services.lanes import resume
from apps.scraping.services.retention import PruneReport, RoleMissingError, prune
from apps.scraping.services.snapshots import LostPageError, content_of
from apps.scraping.services.sources import (
    PermissionMissingError,
    UnknownSourceError,
    base_url_of,
    confirm_permission,
    ensure_sandbox,
    ensure_sources,
    switch,
    why_off,
    withdraw_permission,
)
from apps.scraping.services.visits import ScrapeReport, accept_counts, scrape_due

__all__ = [
    "Asked",
    "FileReport",
    "ImportReport",
    "LostPageError",
    "PermissionMissingError",
    "PruneReport",
    "RefusedRecord",
    "RoleMissingError",
    "ScrapeReport",
    "SourceIsOffError",
    "UnknownSourceError",
    "WindowError",
    "accept_counts",
    "base_url_of",
    "cancel",
    "confirm_permission",
    "content_of",
    "ensure_sandbox",
    "ensure_sources",
    "find_files",
    "import_files",
    "prune",
    "request_backfill",
    "request_reparse",
    "request_visit",
    "resume",
    "scrape_due",
    "switch",
    "visit_due",
    "why_off",
    "withdraw_permission",
]
