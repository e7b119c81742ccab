"""The office's view of matches: facts are read-only, names are reviewed."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline


class FactAdmin(ModelAdmin):
    """Rows that nobody edits by hand: they are shown, searched and filtered."""

    compressed_fields = True
    show_full_result_count = False
    actions: list[Any] = []

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Facts are recorded, not typed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts stay as they were recorded."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts stay."""
        return False


class FactInline(TabularInline):
    """Facts that belong to the fact above them."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts are recorded, not typed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts stay as they were recorded."""
        return False
