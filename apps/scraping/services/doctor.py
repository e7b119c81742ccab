"""Checks of `manage.py scrape doctor`: what scraping needs, what is missing, and what to do about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from apps.matches.findings import Finding
from apps.matches.services import ROLE, may_delete
from apps.scraping import selectors
from apps.scraping.models import HostState
from apps.scraping.responses import FetchError
from apps.scraping.services.fetching import SourceFetcher, agent, found_browser
from apps.scraping.services.sources import base_url_of, ensure_sources, why_off
from apps.scraping.sources import FetchMethod, Request

PROBE: Final = "doctor/probe"


def examine(*, now: datetime) -> list[Finding]:
    """Check the browser, the storage, the database role, the hosts and every source; request only the sandbox."""
    ensure_sources(now=now)
    findings = [_browser(), _agent(), _storage(), _role()]
    findings += [_host(state) for state in selectors.halted_hosts()]
    source: Any
    for source in selectors.sources():
        reason = why_off(source)
        seen = f"complete at {source.complete_at:%Y-%m-%d %H:%M} UTC" if source.complete_at else "never scraped"
        findings.append(Finding(f"source {source.name}", True, reason or f"on; {seen}"))
        if source.is_simulated and not reason:
            with SourceFetcher(source) as fetcher:
                findings.append(_site(source.name, base_url_of(source), fetcher))
    return findings


def _browser() -> Finding:
    found, missing = found_browser()
    if found is None:
        said = "none found: the sandbox is read by plain HTTP, and WhoScored cannot be read at all"
        return Finding("browser", False, said, missing, is_needed=False)
    return Finding("browser", True, f"{found.version or 'a remote browser'} at {found.place} ({found.why})")


def _agent() -> Finding:
    if settings.SPAI_CONTACT:
        return Finding("user agent", True, agent())
    return Finding(
        "user agent",
        False,
        f"{agent()} names no contact",
        "Set SPAI_CONTACT to a web page or mail address, so that the owner of a site can reach you.",
        is_needed=False,
    )


def _storage() -> Finding:
    storage = storages["snapshots"]
    place = settings.SPAI_SNAPSHOTS or settings.SPAI_VAR_DIR / "snapshots"
    try:
        name = storage.save(PROBE, ContentFile(b"probe"))
        with storage.open(name) as file:
            came_back = file.read() == b"probe"
        storage.delete(name)
    except Exception as error:
        return Finding("raw pages", False, f"{place}: {error}", "Check SPAI_SNAPSHOTS, its keys and its rights.")
    return Finding("raw pages", came_back, f"{place} can be written and read")


def _role() -> Finding:
    if may_delete():
        return Finding("retention", True, f"old pages are deleted by the role {ROLE}")
    return Finding(
        "retention",
        False,
        "nothing is ever deleted",
        f"Have a superuser run: CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO the user of this database; migrate again.",
        is_needed=False,
    )


def _host(state: HostState) -> Finding:
    return Finding(
        f"host {state.host}",
        False,
        f"halted until {state.open_until:%Y-%m-%d %H:%M} UTC: {state.reason}",
        "Open a page yourself and ask the owner; then resume the host in the admin, or switch the source off.",
        is_needed=False,
    )


def _site(name: str, base_url: str, fetcher: SourceFetcher) -> Finding:
    try:
        response = fetcher.get(Request(f"{base_url}/", "home", FetchMethod.HTTP), stored=None)
    except FetchError as error:
        return Finding(f"site {name}", False, error.reason, "`manage.py stack status` shows whether its process runs.")
    return Finding(f"site {name}", True, f"{base_url} answers {response.status}")
