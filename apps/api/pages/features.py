"""What the features mean that the champion's forecasts are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, QueryDict

from apps.api.methods import read_only
from apps.api.pages.frame import frame_of, show
from apps.ml import selectors as ml_selectors

PAGE: Final = 100
"""Features on a page."""

LETTERS: Final = 80

CHOICES: Final = ("family", "side", "scope", "inputs")
"""What the list can be narrowed by, beside a text and whether the champion reads it."""

SORTS: Final = ("family", "name", "side", "window")


@dataclass(frozen=True, slots=True)
class FeatureQuery:
    """What of the catalogue is asked for; an empty text asks for all."""

    chosen: Mapping[str, str]
    q: str
    read: bool
    sort: str
    page: int

    @classmethod
    def of(cls, query: QueryDict) -> FeatureQuery:
        """Return what an address asks for.

        Raises
        ------
        Http404
            When it asks for an order or a page that there is not.
        """
        sort, page = query.get("sort") or SORTS[0], query.get("page") or "1"
        if sort not in SORTS:
            raise Http404(f"Features are sorted by one of {', '.join(SORTS)}.")
        if not page.isascii() or not page.isdigit() or not 1 <= len(page) <= 4 or int(page) < 1:
            raise Http404("A page is a whole number from 1.")
        text = " ".join(query.get("q", "").replace("\x00", "").split())[:LETTERS]
        return cls({name: query.get(name, "") for name in CHOICES}, text, bool(query.get("read")), sort, int(page))

    def wants(self, row: Mapping[str, Any], read: frozenset[str], *, but: str = "") -> bool:
        """Whether a row of the catalogue is asked for, whatever is chosen of `but`."""
        words = f"{row['name']} {row['meaning']} {row['unit']}".lower()
        return (
            all(not value or row[name] == value for name, value in self.chosen.items() if name != but)
            and (not self.read or row["name"] in read)
            and all(word in words for word in self.q.lower().split())
        )

    def query(self, world: str, **changed: str | int) -> str:
        """Return the address that asks for the same with something changed."""
        values = {**self.chosen, "q": self.q, "read": "1" if self.read else "", "sort": self.sort, **changed}
        kept = {name: value for name, value in values.items() if value and (name, value) != ("sort", SORTS[0])}
        return "?" + urlencode(({"world": world} if world else {}) | kept)


@dataclass(frozen=True, slots=True)
class Family:
    """One family: how many of its features are asked for, and how many of those the champion reads."""

    name: str
    n: int
    read: int
    query: str
    is_chosen: bool


@read_only
def features(request: HttpRequest) -> HttpResponse:
    """List the features of the champion, family by family, with what each means."""
    frame, asked = frame_of(request), FeatureQuery.of(request.GET)
    world = "" if frame.world == frame.served else frame.world.value
    found = ml_selectors.catalogue(frame.world)
    context: dict[str, Any] = {"champion": ml_selectors.champion(frame.world), "catalogue": found, "asked": asked}
    if found is not None:
        rows = [row for row in found.features if asked.wants(row, found.read)]
        rows = _sorted(rows, asked.sort)
        start = PAGE * (asked.page - 1)
        if start >= max(1, len(rows)):
            raise Http404("The list has no such page.")
        shown = rows[start : start + PAGE]
        in_families = asked.sort == SORTS[0]
        groups = groupby(shown, key=lambda row: row["family"] if in_families else "")
        context |= {
            "n": len(rows),
            "n_read": sum(row["name"] in found.read for row in rows),
            "groups": [(name, list(group)) for name, group in groups],
            "families": _families(found, asked, world),
            "choices": [(name, _words(name), _values(found.features, name), asked.chosen[name]) for name in CHOICES],
            "sorts": [(name, asked.query(world, sort=name), name == asked.sort) for name in SORTS],
            "first": start + 1,
            "latest": start + len(shown),
            "before": asked.query(world, page=asked.page - 1) if asked.page > 1 else "",
            "after": asked.query(world, page=asked.page + 1) if start + PAGE < len(rows) else "",
            "all_query": asked.query(world, family=""),
        }
    return show(request, frame, "pages/features.html", context, partial="partials/features.html")


def _families(found: ml_selectors.Catalogue, asked: FeatureQuery, world: str) -> list[Family]:
    rows = [row for row in found.features if asked.wants(row, found.read, but="family")]
    n = Counter(row["family"] for row in rows)
    read = Counter(row["family"] for row in rows if row["name"] in found.read)
    return [
        Family(name, n[name], read[name], asked.query(world, family=name), asked.chosen["family"] == name)
        for name in dict.fromkeys(row["family"] for row in found.features)
    ]


def _sorted(rows: Sequence[Mapping[str, Any]], sort: str) -> list[Mapping[str, Any]]:
    """Return rows in the order asked for; families keep the order in which the code lists them."""
    if sort == "family":
        return list(rows)
    if sort == "window":
        return sorted(rows, key=lambda row: (row["window"] is None, row["window"] or 0, row["name"]))
    return sorted(rows, key=lambda row: (row[sort], row["name"]))


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return [value for value in dict.fromkeys(str(row[name]) for row in rows) if value]


def _words(name: str) -> str:
    return {"inputs": "Made of"}.get(name, name.capitalize())
