"""How matches of sources are stored: one ingest, after which teams that turn out to be one club are joined."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction

from apps.matches.aliases import aliases_for
from apps.matches.ingest import Ingestion
from apps.matches.services.club_joins import join_clubs


@contextmanager
def ingestion(*, source: str, now: datetime) -> Iterator[Ingestion]:
    """Yield an ingest that knows the alias table; join its clubs (`join_clubs`) after it, in the same transaction."""
    with transaction.atomic():
        with Ingestion(source=source, now=now, aliases=aliases_for) as run:
            yield run
        join_clubs(ingest_id=run.report().ingest_id, now=now)
