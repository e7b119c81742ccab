"""Scrape runs of sources, imports of files, politeness per host."""

from apps.scraping.services.hosts import resume
from apps.scraping.services.imports import FileReport, ImportReport, RefusedRecord, find_files, import_files, read_files
from apps.scraping.services.retention import PruneReport, RoleMissingError, prune
from apps.scraping.services.run_requests import (
    RunRequest,
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
    switch,
    why_off,
    withdraw_permission,
)

__all__ = [
    "SHIPPED",
    "FileReport",
    "ImportReport",
    "LostPageError",
    "PermissionMissingError",
    "PruneReport",
    "RefusedRecord",
    "RoleMissingError",
    "RunRequest",
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
    "read_files",
    "request_backfill",
    "request_reparse",
    "request_run",
    "request_scheduled_run",
    "resume",
    "scrape_due",
    "switch",
    "why_off",
    "withdraw_permission",
]
