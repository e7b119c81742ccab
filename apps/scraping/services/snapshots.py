"""Raw first: every answer is kept before anything reads it.

The bytes are gzipped under their sha256 in the storage ``snapshots`` (a folder, or S3 by setting), so that equal pages
are kept once. The row comes after the bytes: a row never names bytes that are not there. A page that equals the latest
one of its address makes no row.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from apps.scraping.models import LONGEST_URL, ScrapeRun, Snapshot
from apps.scraping.responses import Outcome, Response, kept_headers
from apps.scraping.sources import Page, Request


class LostPageError(OSError):
    """The bytes of a kept page are not where its row says."""


def keep(*, run: ScrapeRun, request: Request, response: Response, outcome: Outcome) -> Snapshot:
    """Keep an answer and return its row: a new one, or the latest of the address when the page is the same.

    Parameters
    ----------
    run : ScrapeRun
        The visit that asked.
    request : Request
    response : Response
    outcome : Outcome
        What the status and the body say before anything reads them.
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
        headers=kept_headers(response.headers.items()),
        outcome=outcome,
        sha256=digest,
        size=len(response.body),
        stored_as=name,
    )


def content_of(snapshot: Snapshot) -> bytes:
    """Return the bytes of a kept page.

    Raises
    ------
    LostPageError
        When they are gone or are not those that were kept.
    """
    try:
        with _storage().open(snapshot.stored_as) as file:
            body = gzip.decompress(file.read())
    except (OSError, EOFError, zlib.error) as error:
        raise LostPageError(f"the kept page {snapshot.pk} ({snapshot.stored_as}) cannot be read: {error}") from error
    if hashlib.sha256(body).hexdigest() != snapshot.sha256:
        raise LostPageError(f"the kept page {snapshot.pk} ({snapshot.stored_as}) has another sha256 than when it came")
    return body


def page_of(snapshot: Snapshot) -> Page:
    """Return a kept page as a reader takes it."""
    return Page(
        url=snapshot.final_url,
        content=content_of(snapshot),
        fetched_at=snapshot.fetched_at,
        content_type=snapshot.headers.get("content-type", ""),
    )


def _storage() -> Storage:
    return storages["snapshots"]


def _write(name: str, body: bytes) -> None:
    """Write the bytes under their name, unless they stand there whole."""
    storage = _storage()
    if storage.exists(name):
        if storage.size(name) and _unpacked(name) == body:
            return
        # A storage that finds a name taken chooses another one.
        storage.delete(name)
    storage.save(name, ContentFile(gzip.compress(body, compresslevel=6, mtime=0)))


def _unpacked(name: str) -> bytes | None:
    """Return what stands under a name, None when it cannot be unpacked."""
    try:
        with _storage().open(name) as file:
            return gzip.decompress(file.read())
    except (OSError, EOFError, zlib.error):
        return None
