"""Raw pages: every response is stored before it is parsed.

The bytes are gzipped under their sha256 in the storage ``snapshots`` (a folder, or S3 by setting), so that equal pages
are stored once. The row is created after the bytes, so that it never names missing ones. A page that equals the latest
one of its address gets no new row.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from apps.scraping.models import LONGEST_URL, ScrapeRun, Snapshot
from apps.scraping.responses import FetchOutcome, FetchResponse, stored_headers
from apps.scraping.sources import Page, Request


class LostPageError(OSError):
    """The bytes of a stored page are missing or damaged."""


def store(*, run: ScrapeRun, request: Request, response: FetchResponse, outcome: FetchOutcome) -> Snapshot:
    """Store a response and return its row: a new one, or the latest of the address when the page is the same.

    `outcome` is the judgement of status and body, before the page is parsed.
    """
    digest = hashlib.sha256(response.body).hexdigest()
    latest = Snapshot.objects.filter(source_id=run.source_id, url=request.url).order_by("-fetched_at").first()
    if latest is not None and (latest.sha256, latest.status, latest.outcome) == (digest, response.status, outcome):
        _write(latest.stored_as, response.body)
        return latest
    name = f"{run.source.name}/{digest[:2]}/{digest}.gz"
    _write(name, response.body)
    return Snapshot.objects.create(
        source_id=run.source_id,
        run=run,
        url=request.url[:LONGEST_URL],
        final_url=response.url[:LONGEST_URL],
        kind=request.kind,
        fetched_at=response.fetched_at,
        status=response.status,
        headers=stored_headers(response.headers.items()),
        outcome=outcome,
        sha256=digest,
        size=len(response.body),
        stored_as=name,
    )


def content_of(snapshot: Snapshot) -> bytes:
    """Return the bytes of a stored page.

    Raises
    ------
    LostPageError
        When they are missing or have another sha256.
    """
    try:
        with _storage().open(snapshot.stored_as) as file:
            body = gzip.decompress(file.read())
    except (OSError, EOFError, zlib.error) as error:
        raise LostPageError(f"the stored page {snapshot.pk} ({snapshot.stored_as}) cannot be read: {error}") from error
    if hashlib.sha256(body).hexdigest() != snapshot.sha256:
        raise LostPageError(f"the bytes of the stored page {snapshot.pk} ({snapshot.stored_as}) have changed")
    return body


def page_of(snapshot: Snapshot) -> Page:
    """Return a stored page in the form that readers take."""
    return Page(
        url=snapshot.final_url,
        content=content_of(snapshot),
        fetched_at=snapshot.fetched_at,
        content_type=snapshot.headers.get("content-type", ""),
    )


def _storage() -> Storage:
    return storages["snapshots"]


def _write(name: str, body: bytes) -> None:
    """Write the bytes under their name, unless they are there and complete."""
    storage = _storage()
    if storage.exists(name):
        if storage.size(name) and _unpacked(name) == body:
            return
        # Django saves under another name when this one exists.
        storage.delete(name)
    storage.save(name, ContentFile(gzip.compress(body, compresslevel=6, mtime=0)))


def _unpacked(name: str) -> bytes | None:
    """Return the unpacked content of a file, None when it is damaged."""
    try:
        with _storage().open(name) as file:
            return gzip.decompress(file.read())
    except (OSError, EOFError, zlib.error):
        return None
