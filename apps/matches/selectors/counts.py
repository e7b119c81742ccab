"""How many rows there are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet

COUNTED: Final = 1000
"""Rows that are counted one by one where only their number is shown."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How many rows there are; of very many, about how many."""

    n: int
    is_exact: bool

    def __bool__(self) -> bool:
        return self.n > 0

    def __str__(self) -> str:
        return f"{self.n:,}" if self.is_exact else f"about {round(self.n, -3):,}"


def amount(found: QuerySet[Any]) -> Amount:
    """Return how many rows a query finds: counted up to `COUNTED`, beyond that as PostgreSQL estimates."""
    counted = found.order_by()[: COUNTED + 1].count()
    if counted <= COUNTED:
        return Amount(counted, is_exact=True)
    (plan,) = json.loads(found.order_by().explain(format="json"))
    return Amount(max(int(plan["Plan"]["Plan Rows"]), counted), is_exact=False)
