"""Reads of the push feed: what a client subscribes to, and the numbered events after a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from django.db.models import BigIntegerField, Q, QuerySet

from apps.matches.composed import composed_once
from apps.matches.models import Event, Topic, World

MOST_VALUES: Final = 100
"""Values that the subscriptions of one client may name together; each is a separate look-up in a replay."""
LARGEST_NUMBER: Final = BigIntegerField.MAX_BIGINT

_SLUG: Final = re.compile(r"[-a-zA-Z0-9_]{1,160}")
_ID: Final = re.compile(r"[0-9]{1,18}")


class SubscriptionError(ValueError):
    """A subscription names something that cannot be subscribed to; `field` is which."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class Filterable(Protocol):
    """The columns of an event that subscriptions filter by; empty where the event has none."""

    topic: str
    world: str
    match_id: int | None
    competition: str
    home_team: str
    away_team: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """The events that a client wants. Of each field one value must fit; a field without values lets all through."""

    match: frozenset[str] = frozenset()
    competition: frozenset[str] = frozenset()
    team: frozenset[str] = frozenset()
    topic: frozenset[str] = frozenset()
    world: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, wanted: Mapping[str, Any]) -> Subscription:
        """Return the subscription that a client names.

        Parameters
        ----------
        wanted : mapping
            Field → one value, several with commas between, or a list of them.

        Raises
        ------
        SubscriptionError
            For an unknown field, or a value that no event can have.
        """
        names = [field.name for field in fields(cls)]
        for name in wanted:
            if name not in names:
                raise SubscriptionError(str(name)[:40], f"There is no such filter; the filters are {', '.join(names)}.")
        return cls(**{name: frozenset(_values(name, value)) for name, value in wanted.items()})

    @property
    def size(self) -> int:
        """How many values it names; 1 for everything."""
        return max(1, sum(len(getattr(self, field.name)) for field in fields(self)))

    def covers(self, event: Filterable) -> bool:
        """Whether the client wants an event."""
        return (
            (not self.match or str(event.match_id) in self.match)
            and (not self.competition or event.competition in self.competition)
            and (not self.team or event.home_team in self.team or event.away_team in self.team)
            and (not self.topic or event.topic in self.topic)
            and (not self.world or event.world in self.world)
        )

    def conditions(self) -> list[Q]:
        """Return the same for the database: conditions of which an event fulfils one, each with its own index."""
        wanted = Q()
        for column, values in (
            ("match_id", self.match),
            ("competition", self.competition),
            ("topic", self.topic),
            ("world", self.world),
        ):
            if values:
                wanted &= Q(**{f"{column}__in": sorted(values)})
        if self.team:
            wanted &= Q(home_team__in=sorted(self.team)) | Q(away_team__in=sorted(self.team))
        if self.match:
            return [Q(match_id=value) & wanted for value in sorted(self.match)]
        if self.team:
            return [Q(**{side: value}) & wanted for value in sorted(self.team) for side in ("home_team", "away_team")]
        if self.competition:
            return [Q(competition=value) & wanted for value in sorted(self.competition)]
        if self.topic:
            worlds = sorted(self.world) or ["", *World.values]
            return [Q(topic=value, world=world) & wanted for value in sorted(self.topic) for world in worlds]
        return [Q(world=value) & wanted for value in sorted(self.world)] or [Q()]


EVERYTHING: Final = Subscription()


def _values(name: str, wanted: Any) -> Iterable[str]:
    given = wanted.split(",") if isinstance(wanted, str) else wanted if isinstance(wanted, list) else [wanted]
    if not given or len(given) > MOST_VALUES:
        raise SubscriptionError(name, f"It must have from 1 to {MOST_VALUES} values.")
    for value in given:
        if name == "match":
            text = "" if isinstance(value, bool) else str(value)
            if not _ID.fullmatch(text):
                raise SubscriptionError(name, "It must be the id of a match, a whole number.")
            yield str(int(text))
        elif name in ("topic", "world"):
            allowed = Topic.values if name == "topic" else World.values
            if value not in allowed:
                raise SubscriptionError(name, f"It must be one of {', '.join(allowed)}.")
            yield value
        else:
            if not isinstance(value, str) or not _SLUG.fullmatch(value):
                raise SubscriptionError(name, f"It must be the slug of a {name}, as the API has it.")
            yield value


def newest_event_number() -> int:
    """Return the number of the newest numbered event; 0 before the first."""
    return _newest_number.first() or 0


@composed_once
def _newest_number() -> QuerySet[Event, int | None]:
    numbered = Event.objects.filter(number__isnull=False)
    return numbered.order_by("-number").values_list("number", flat=True)[:1]


def oldest_event_number() -> int:
    """Return the number of the oldest event that is kept; 1 before the first."""
    return Event.objects.filter(number__isnull=False).order_by("number").values_list("number", flat=True).first() or 1


def oldest_unnumbered_event_at() -> datetime | None:
    """Return when the oldest event happened that the relay has not numbered; None where there is none."""
    return Event.objects.filter(number__isnull=True).order_by("id").values_list("created_at", flat=True).first()


def events_after(number: int, *, limit: int, subscriptions: Sequence[Subscription] = (EVERYTHING,)) -> list[Event]:
    """Return the first events after `number` that any of the subscriptions covers, in the order of their numbers."""
    rows = Event.objects.filter(number__gt=number).order_by("number")
    conditions = [condition for subscription in subscriptions for condition in subscription.conditions()]
    if not conditions:
        return []
    first, *others = (rows.filter(condition) for condition in conditions)
    if not others:
        return list(first[:limit])
    # PostgreSQL would read an OR in full; of each branch of a union it reads `limit` rows in the order of an index.
    head, *tail = (branch.values_list("number")[:limit] for branch in (first, *others))
    return list(rows.filter(number__in=[each for (each,) in head.union(*tail).order_by("number")[:limit]]))


def message_of(event: Event) -> dict[str, Any]:
    """Return a numbered event as clients get it."""
    return {
        "number": event.number,
        "topic": event.topic,
        "key": event.key,
        "world": event.world or None,
        "match": event.match_id,
        "competition": event.competition or None,
        "teams": [event.home_team, event.away_team] if event.home_team else [],
        "payload": event.payload,
        "created_at": event.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
