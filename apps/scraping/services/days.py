"""Notes what each source delivered day by day, so that its freshness and volume can be compared with its own past."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncDate

from apps.scraping import selectors
from apps.scraping.models import ScrapeRun, Source, SourceDay

FIRST_DAYS: Final = timedelta(days=70)
"""How far back the days of a source are noted the first time: as long as volumes look back."""


def note_source_days(*, now: datetime) -> int:
    """Note the days since the latest one that is noted, that day and the one before included; return how many rows.

    A second call writes the same rows.
    """
    rows: list[SourceDay] = []
    for source in Source.objects.all():
        latest = source.days.order_by("-day").values_list("day", flat=True).first()
        first = (now - FIRST_DAYS).astimezone(UTC).date() if latest is None else latest - timedelta(days=1)
        counted = (
            ScrapeRun.objects.filter(
                source=source, requested_at__gte=datetime.combine(first, time.min, UTC), started_at__isnull=False
            )
            .exclude(scope__in=selectors.CAN_WAIT)
            .values(day=TruncDate("requested_at", tzinfo=UTC))
            .annotate(
                complete=Count("pk", filter=Q(**selectors.FRESHENS)),
                stored=Sum(F("created") + F("changed")),
                lost=Sum("refused"),
            )
        )
        rows += [
            SourceDay(
                source=source, day=row["day"], complete=row["complete"], stored=row["stored"], refused=row["lost"]
            )
            for row in counted
        ]
    SourceDay.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["source", "day"],
        update_fields=["complete", "stored", "refused"],
    )
    return len(rows)
