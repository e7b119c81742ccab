"""Closes the days of the ledger: stores the hash of all forecasts of a day, so that a later change is noticed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.matches import events
from apps.matches.locks import Lock, try_lock
from apps.matches.models import Topic, World
from apps.ml import ledger, metrics
from apps.ml.models import LedgerDay, LedgerLeaf, ModelVersion, Prediction

logger = logging.getLogger(__name__)

MARGIN: Final = timedelta(minutes=30)
"""How long after midnight a day is closed; far longer than the task that publishes forecasts may take."""
LOCK_SECONDS: Final = 5
"""Longest wait for forecasts that are being stored; those that come meanwhile wait as long."""
BATCH: Final = 2_000
FORMAT: Final = 1
"""Version of what a leaf contains."""


@dataclass(frozen=True)
class LedgerReport:
    """Days that were closed, by world, and forecasts of closed days that are in no tree, which there must not be."""

    closed: dict[str, list[date]]
    missing: dict[str, int]
    busy: bool = False


def close_due(*, now: datetime) -> LedgerReport:
    """Close each day that ended at least `MARGIN` ago, in order; a second call finds nothing to do."""
    closed: dict[str, list[date]] = {}
    missing: dict[str, int] = {}
    with try_lock(Lock.LEDGER) as ours:
        if not ours:
            return LedgerReport(closed, missing, busy=True)
        for world in World:
            try:
                while (day := _next_day(world)) is not None and _begin(day + timedelta(days=1)) + MARGIN <= now:
                    _close(world, day, now=now)
                    closed.setdefault(world.value, []).append(day)
            except DatabaseError as error:
                # Forecasts are being stored, say. The next call closes the day.
                metrics.ERRORS.labels("ledger").inc()
                logger.warning("the ledger of the %s world was not closed: %s", world, error)
            if world.value in closed and (found := _missing(world, before=closed[world.value][-1])):
                missing[world.value] = found
                metrics.ERRORS.labels("ledger").inc()
                logger.error(
                    "%d forecasts of the %s world are of days whose ledger is closed and are in no tree: "
                    "somebody stored them past the checks of the database",
                    found,
                    world,
                )
    return LedgerReport(closed, missing)


def _begin(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _published(world: World) -> QuerySet[Prediction]:
    return Prediction.objects.filter(version__in=ModelVersion.objects.filter(world=world).values("id"))


def _next_day(world: World) -> date | None:
    """Return the day after the last closed one, or that of the first forecast; None before that."""
    last = LedgerDay.objects.filter(world=world).order_by("-day").values_list("day", flat=True).first()
    if last is not None:
        return last + timedelta(days=1)
    first = _published(world).order_by("published_at").values_list("published_at", flat=True).first()
    return first.astimezone(UTC).date() if first else None


@transaction.atomic
def _close(world: World, day: date, *, now: datetime) -> LedgerDay:
    """Make the tree of a day and store its entry.

    The lock on the table waits for transactions that are storing forecasts, and those that begin meanwhile wait for
    this one. Afterwards a trigger refuses forecasts of the day. So none is left out and none is added.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_SECONDS * 1000:.0f}ms"])
        cursor.execute("SELECT spai_hold_forecasts()")
    rows = _published(world).filter(published_at__gte=_begin(day), published_at__lt=_begin(day + timedelta(days=1)))
    leaves = [(pk, ledger.canonical(content)) for pk, content in _leaves(rows)]
    hashes = [ledger.leaf_hash(text) for _, text in leaves]
    root = ledger.root_of(ledger.tree_of(hashes)).hex()
    previous = LedgerDay.objects.filter(world=world, day=day - timedelta(days=1)).values_list("hash", flat=True).first()
    facts: dict[str, Any] = {
        "world": world.value,
        "forecasts": len(leaves),
        "root": root,
        "previous": previous or ledger.BEFORE_THE_FIRST,
    }
    entry = LedgerDay.objects.create(
        **facts, day=day, hash=ledger.entry_hash(**facts, day=day.isoformat()), closed_at=now
    )
    LedgerLeaf.objects.bulk_create(
        (
            LedgerLeaf(prediction_id=pk, day=entry, position=position, content=text, sha256=sha256)
            for position, ((pk, text), sha256) in enumerate(zip(leaves, hashes, strict=True))
        ),
        batch_size=BATCH,
    )
    events.publish(
        topic=Topic.LEDGER_PUBLISHED,
        key=day.isoformat(),
        world=world.value,
        now=now,
        payload={"day": day.isoformat(), "forecasts": len(leaves), "root": root, "entry": entry.hash},
    )
    return entry


def _leaves(rows: QuerySet[Prediction]) -> Iterable[tuple[int, dict[str, Any]]]:
    """Yield id and content of the leaf of each forecast."""
    columns = (
        *("id", "match_id", "data_snapshot", "as_of", "published_at", "kickoff_at"),
        *("p_home", "p_draw", "p_away", "home_expected_goals", "away_expected_goals", "rho"),
        *("version__number", "version__world", "match__competition__slug"),
        *("match__home_team__name", "match__away_team__name"),
    )
    for row in rows.order_by("id").values(*columns):
        yield (
            row["id"],
            {
                "format": FORMAT,
                "prediction": row["id"],
                "world": row["version__world"],
                "match": row["match_id"],
                "competition": row["match__competition__slug"],
                "home_team": row["match__home_team__name"],
                "away_team": row["match__away_team__name"],
                "model": row["version__number"],
                "data_snapshot": row["data_snapshot"],
                **{name: _moment(row[name]) for name in ("kickoff_at", "as_of", "published_at")},
                **{
                    name: ledger.decimal(row[name])
                    for name in ("p_home", "p_draw", "p_away", "home_expected_goals", "away_expected_goals", "rho")
                },
            },
        )


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _missing(world: World, *, before: date) -> int:
    """Return how many forecasts up to a closed day are in no tree, but for days whose leaves retention has deleted."""
    days = LedgerDay.objects.filter(world=world, day__lte=before, forecasts__gt=0)
    first = days.filter(Exists(LedgerLeaf.objects.filter(day=OuterRef("pk")))).order_by("day").first()
    since = first.day if first else before
    period = {"published_at__gte": _begin(since), "published_at__lt": _begin(before + timedelta(days=1))}
    return _published(world).filter(**period, ledger_leaf__isnull=True).count()
