"""The days of the ledger, their leaves, and the proof that a forecast is among them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

from django.db.models import QuerySet

from apps.matches.composed import composed_once
from apps.matches.models import World
from apps.ml import ledger
from apps.ml.models import LedgerDay, LedgerLeaf, Prediction


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """What proves that a forecast is in the tree of its day; `path` are the neighbours on the way to the root."""

    entry: LedgerDay
    leaf: str
    position: int
    path: list[str]


def ledger_days(world: World) -> QuerySet[LedgerDay]:
    """Return the closed days of a world, newest first."""
    return LedgerDay.objects.filter(world=world).order_by("-day")


def ledger_day(world: World, day: date) -> LedgerDay | None:
    """Return the entry of a day; None while it is not closed, and before the first."""
    return LedgerDay.objects.filter(world=world, day=day).first()


def ledger_leaves(entry: LedgerDay, *, after: int, limit: int) -> list[str]:
    """Return the leaves of a day from a position on, in the order of the tree."""
    rows = entry.leaves.filter(position__gte=after).order_by("position")
    return list(rows.values_list("content", flat=True)[:limit])


def ledger_day_of(prediction: Prediction, *, now: datetime) -> LedgerDay | None:
    """Return the closed day whose tree holds a forecast; None while it is not closed, which the day itself never is."""
    if prediction.published_at.astimezone(UTC).date() == now.astimezone(UTC).date():
        return None
    return _day_of_leaf.first(prediction.pk)


@composed_once
def _day_of_leaf(prediction_id: int) -> QuerySet[LedgerDay]:
    return LedgerDay.objects.filter(leaves__prediction=prediction_id).order_by("pk")[:1]


def inclusion_proof(prediction_id: int) -> InclusionProof | None:
    """Return the proof of a forecast; None while its day is not closed."""
    leaf = LedgerLeaf.objects.select_related("day").filter(prediction_id=prediction_id).first()
    if leaf is None:
        return None
    path = ledger.path_of(_tree(leaf.day_id, leaf.day.root), leaf.position)
    return InclusionProof(leaf.day, leaf.content, leaf.position, [each.hex() for each in path])


@lru_cache(maxsize=4)
def _tree(day_id: int, root: str) -> list[list[bytes]]:
    """Return the tree of a closed day, which never changes; 64 bytes of memory for each forecast."""
    rows = LedgerLeaf.objects.filter(day=day_id).order_by("position").values_list("sha256", flat=True)
    return ledger.tree_of([bytes(each) for each in rows])
