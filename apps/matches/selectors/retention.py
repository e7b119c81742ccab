"""What uses the disk, and when retention begins to delete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.migrations.recorder import MigrationRecorder

from apps.matches.models import RetentionRun


@dataclass(frozen=True, slots=True)
class PartSize:
    """A part of what SPAI keeps, and the bytes that it uses on disk."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What everything used at the end of the latest run of retention, the largest part first."""

    run: RetentionRun
    parts: tuple[PartSize, ...]

    @property
    def largest(self) -> tuple[PartSize, ...]:
        """The parts that matter on a page: the eight largest, without empty ones."""
        return tuple(part for part in self.parts[:8] if part.bytes)

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(part.bytes for part in self.parts)

    @property
    def free(self) -> int:
        """Bytes that the disk had left."""
        return self.run.free_bytes or 0

    @property
    def errors(self) -> list[str]:
        """Kinds that could not be deleted."""
        return sorted(self.run.errors)


def disk_use() -> DiskUse | None:
    """Return what uses the disk, as the latest run of retention measured it; None before the first."""
    run = RetentionRun.objects.filter(finished_at__isnull=False).order_by("-started_at").first()
    if run is None:
        return None
    parts = sorted(run.sizes.items(), key=lambda item: (-item[1], item[0]))
    return DiskUse(run, tuple(PartSize(name, size) for name, size in parts))


NOTICE: Final = timedelta(days=7)
"""Time between the upgrade to a version with retention and the first deletion by the timetable."""


def retention_begins_at(now: datetime) -> datetime | None:
    """Return when the timetable begins to delete; None where it already does.

    An installation that kept everything before its upgrade has so long to set its own periods.
    """
    upgraded = MigrationRecorder.Migration.objects.filter(app="matches", name="0014_retention").first()
    begins_at = None if upgraded is None else upgraded.applied + NOTICE
    return begins_at if begins_at is not None and begins_at > now else None
