"""Deletion of old raw pages and scrape runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.core.files.storage import storages

from apps.matches.retention import PAGES
from apps.matches.services import Deletion, Retention
from apps.scraping.models import ScrapeRun, Snapshot, Source

KINDS: Final = {PAGES: False, "sandbox-pages": True}
"""Kind of retention → whether its sources are simulated."""


def delete_pages(run: Retention, kind: str) -> Deletion:
    """Delete the pages and scrape runs of real or simulated sources that are older than their period.

    The latest good page of an address is kept whatever its age, since later runs are compared with it; in the sandbox
    only until the address has not been seen for twice the period. So is the newest run of each scope, which shows how
    fresh the source is.

    Raises
    ------
    RoleMissingError
    """
    before, done = run.before(kind), Deletion()
    if before is None:
        return done
    for source in Source.objects.filter(is_simulated=KINDS[kind]).order_by("pk"):
        known = source.addresses.all()
        if source.is_simulated:
            # Each of its matches has its own pages, and the simulation never ends.
            limit = before - (run.now - before)
            done += run.rows(known.filter(seen_at__lt=limit))
            known = known.filter(seen_at__gte=limit)
        old = Snapshot.objects.filter(source=source, fetched_at__lt=before).exclude(pk__in=known.values("snapshot_id"))
        done += run.rows(old, by_role=True, first=_delete_files)
        ended = ScrapeRun.objects.filter(source=source, finished_at__lt=before)
        newest = ended.order_by("scope", "-requested_at").distinct("scope").values_list("pk", flat=True)
        done += run.rows(ended.exclude(pk__in=list(newest)), by_role=True)
    return done


def _delete_files(ids: Iterable[int]) -> Deletion:
    """Delete the files that only these pages name; a page that is stored meanwhile has its file written again."""
    going = dict(Snapshot.objects.filter(pk__in=ids).values_list("sha256", "stored_as"))
    staying = set(Snapshot.objects.filter(sha256__in=going).exclude(pk__in=ids).values_list("stored_as", flat=True))
    names = sorted(set(going.values()) - staying)
    for name in names:
        storages["snapshots"].delete(name)
    return Deletion(files=len(names))
