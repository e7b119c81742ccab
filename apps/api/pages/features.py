"""The list of the champion's features, and what each means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext, pgettext

from apps.api.methods import read_only
from apps.api.pages.context import page_context, render_page
from apps.api.pages.forms import FEATURE_SORTS, FeaturesForm
from apps.ml import selectors as ml_selectors

PAGE: Final = 100
"""Features on a page."""

FILTERS: Final = ("family", "side", "scope", "inputs")
"""Columns that the list can be filtered by, besides the text and whether the champion reads the feature."""


@dataclass(frozen=True, slots=True)
class FeatureQuery:
    """The filters, order and page that an address names; an empty text means no filter."""

    family: str
    side: str
    scope: str
    inputs: str
    q: str
    read: bool
    sort: str
    page: int

    def filters(self) -> dict[str, str]:
        """Return the values of `FILTERS`."""
        return {name: getattr(self, name) for name in FILTERS}

    def matches(self, row: Mapping[str, Any], read: frozenset[str], *, without: str = "") -> bool:
        """Whether a feature passes all filters, or all but one."""
        words = f"{row['name']} {row['meaning']} {row['unit']}".lower()
        return (
            all(not value or row[name] == value for name, value in self.filters().items() if name != without)
            and (not self.read or row["name"] in read)
            and all(word in words for word in self.q.lower().split())
        )

    def address(self, world: str, **changed: str | int) -> str:
        """Return the query string of the same list with some values changed."""
        values = {**self.filters(), "q": self.q, "read": "1" if self.read else "", "sort": self.sort, **changed}
        kept = {name: value for name, value in values.items() if value and (name, value) != ("sort", FEATURE_SORTS[0])}
        return "?" + urlencode(({"world": world} if world else {}) | kept)


@dataclass(frozen=True, slots=True)
class Family:
    """One family: how many of its features pass the filters, and how many of those the champion reads."""

    name: str
    n: int
    read: int
    query: str
    is_chosen: bool


@read_only
def features(request: HttpRequest) -> HttpResponse:
    """List the features of the champion, family by family, with what each means."""
    page, query = page_context(request), FeatureQuery(**FeaturesForm.parse(request))
    world = "" if page.world == page.served else page.world.value
    catalogue = ml_selectors.catalogue(page.world)
    context: dict[str, Any] = {"champion": ml_selectors.champion(page.world), "catalogue": catalogue, "query": query}
    if catalogue is not None:
        rows = [row for row in catalogue.features if query.matches(row, catalogue.read)]
        rows = _sorted(rows, query.sort)
        start = PAGE * (query.page - 1)
        if start >= max(1, len(rows)):
            raise Http404(gettext("The list has fewer pages."))
        shown = rows[start : start + PAGE]
        in_families = query.sort == FEATURE_SORTS[0]
        groups = groupby(shown, key=lambda row: row["family"] if in_families else "")
        context |= {
            "n": len(rows),
            "n_read": sum(row["name"] in catalogue.read for row in rows),
            "groups": [(name, list(group)) for name, group in groups],
            "families": _families(catalogue, query, world),
            "choices": [
                (name, _label(name).capitalize(), _values(catalogue.features, name), getattr(query, name))
                for name in FILTERS
            ],
            "sorts": [(_label(name), query.address(world, sort=name), name == query.sort) for name in FEATURE_SORTS],
            "first": start + 1,
            "latest": start + len(shown),
            "before": query.address(world, page=query.page - 1) if query.page > 1 else "",
            "after": query.address(world, page=query.page + 1) if start + PAGE < len(rows) else "",
            "all_query": query.address(world, family=""),
        }
    return render_page(request, page, "pages/features.html", context, partial="partials/features.html")


def _families(catalogue: ml_selectors.Catalogue, query: FeatureQuery, world: str) -> list[Family]:
    rows = [row for row in catalogue.features if query.matches(row, catalogue.read, without="family")]
    n = Counter(row["family"] for row in rows)
    read = Counter(row["family"] for row in rows if row["name"] in catalogue.read)
    return [
        Family(name, n[name], read[name], query.address(world, family=name), query.family == name)
        for name in dict.fromkeys(row["family"] for row in catalogue.features)
    ]


def _sorted(rows: Sequence[Mapping[str, Any]], sort: str) -> list[Mapping[str, Any]]:
    """Return rows in an order; families keep the order of the catalogue."""
    if sort == "family":
        return list(rows)
    if sort == "window":
        return sorted(rows, key=lambda row: (row["window"] is None, row["window"] or 0, row["name"]))
    return sorted(rows, key=lambda row: (row[sort], row["name"]))


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return [value for value in dict.fromkeys(str(row[name]) for row in rows) if value]


def _label(name: str) -> str:
    labels = {
        "family": pgettext("a feature", "family"),
        "name": pgettext("a feature", "name"),
        "side": pgettext("a feature", "side"),
        "scope": pgettext("a feature", "scope"),
        "window": pgettext("a feature", "window"),
        "inputs": pgettext("a feature", "made of"),
    }
    return labels[name]
