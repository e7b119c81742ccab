"""Rows of a list side by side, on a page and as CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from apps.matches.admin import ExportedAdmin, csv_response, number_of
from apps.ml.selectors import ComparedSection

MOST: Final = 6
"""Largest number of rows side by side."""

OFFERED: Final = 50
"""Latest rows that can be added to the page."""


class SideBySideAdmin(ExportedAdmin):
    """Facts that can be compared side by side: chosen in the list, or by the address `side-by-side/?id=1&id=2`.

    `named_by` has the fields that the name of a row is made of.
    """

    named_by: tuple[str, ...]
    side_by_side_of: ClassVar[Callable[[Sequence[int]], tuple[list[Any], list[ComparedSection]]]]
    actions = ["compare_side_by_side"]

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_side_by_side"
        return [
            path("side-by-side/", self.admin_site.admin_view(self.side_by_side), name=name),
            *super().get_urls(),
        ]

    @admin.action(description="Compare side by side", permissions=["view"])
    def compare_side_by_side(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        ids = list(rows.values_list("pk", flat=True)[: MOST + 1])
        if not 2 <= len(ids) <= MOST:
            messages.warning(request, f"Choose two to {MOST} rows to compare.")
            return None
        return HttpResponseRedirect(f"{self._side_by_side_address()}?{urlencode({'id': sorted(ids)}, doseq=True)}")

    def side_by_side(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        given = [number_of(each) for each in request.GET.getlist("id") if each]
        columns, sections = type(self).side_by_side_of(given[:MOST])
        if request.GET.get("format") == "csv":
            rows = [(each.title, row.name, *row.values) for each in sections for row in each.rows]
            name = f"{self.opts.model_name}-{'-'.join(str(each.pk) for each in columns)}"
            return csv_response(name, ["section", "row", *map(str, columns)], rows)
        others = self.model._default_manager.exclude(pk__in=[each.pk for each in columns]).order_by("-pk")
        context = self.admin_site.each_context(request) | {
            "title": "Side by side",
            "opts": self.opts,
            "columns": columns,
            "sections": sections,
            "others": list(others.only(*self.named_by)[:OFFERED]) if len(columns) < MOST else [],
            "change_address": f"admin:{self.opts.app_label}_{self.opts.model_name}_change",
        }
        return render(request, "admin/ml/side_by_side.html", context)

    def _side_by_side_address(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_side_by_side")
