"""Lists of the admin as CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.admin.utils import lookup_field
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from apps.matches.admin.facts import FactAdmin
from apps.matches.spreadsheets import csv_text


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """Return a table as a CSV file to download."""
    response = HttpResponse(csv_text(columns, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


class ExportedAdmin(FactAdmin):
    """Facts whose list is also a CSV file, with the filters, search and order of the page that links to it.

    `csv_columns` names fields of the model and methods of the admin.
    """

    csv_columns: tuple[str, ...]
    list_before_template = "admin/list_links.html"
    list_links: tuple[tuple[str, str], ...] = ()  # further links above the list: name of the address, text

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_csv"
        return [path("csv/", self.admin_site.admin_view(self.as_csv), name=name), *super().get_urls()]

    def as_csv(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_changelist_instance(request).get_queryset(request)
        return csv_response(self.opts.model_name or "rows", self.csv_columns, map(self._values, rows.iterator(500)))

    def _values(self, row: Any) -> list[Any]:
        return [lookup_field(name, row, self)[2] for name in self.csv_columns]
