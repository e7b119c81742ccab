"""How facts are shown in the admin, and the form of a decision on one."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.functional import cached_property
from unfold.admin import TabularInline
from unfold.dataclasses import UnfoldAction
from unfold.forms import BaseDialogForm
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.matches.admin.audited import AuditedAdmin
from apps.matches.models import World

LARGEST_ID: Final = 2**63 - 1

PAGES: Final = 6
"""Most pages of a list: to show a page, PostgreSQL reads all pages before it."""


class FactList(ChangeList):
    """A page of a list of facts; the fields in `not_listed` are not loaded."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        return super().get_queryset(request, exclude_parameters).defer(*self.model_admin.not_listed)


class FactPaginator(Paginator):
    """The first pages of a list, however long it is: `count` ends there, and no later row is read or counted.

    Later rows are found by search and filters.
    """

    template_name = "admin/first_pages.html"

    @cached_property
    def count(self) -> int:
        """Number of rows, at most those of `PAGES` pages."""
        rows: Any = self.object_list
        return int(rows.order_by()[: self.limit].count())

    @property
    def limit(self) -> int:
        return PAGES * int(self.per_page)

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows than pages."""
        return self.count == self.limit

    def page(self, number: int | str) -> Page:
        """Return a page; related rows are joined only for the rows of the page, not for those before them."""
        page = super().page(number)
        rows: Any = self.object_list
        ids = rows.values("pk")[page.start_index() - 1 : page.end_index()]
        page.object_list = rows.filter(pk__in=ids)
        return page


class OfferingAdmin(AuditedAdmin):
    """An admin that offers an action only where it would not be refused.

    A method `offers_NAME` decides it for the action `NAME`: it takes the id of the row, or nothing where the action
    belongs to the list. An action from an outdated page is refused with its reason.
    """

    def get_actions_list(self, request: HttpRequest) -> list[UnfoldAction]:
        return [each for each in super().get_actions_list(request) if self._offers(each)]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        return [each for each in super().get_actions_detail(request, object_id) if self._offers(each, object_id)]

    def _offers(self, action: UnfoldAction, *row_id: Any) -> bool:
        offers = getattr(self, f"offers_{action.method.original_function_name}", None)
        return offers is None or bool(offers(*map(number_of, row_id)))


class Unedited:
    """Rows that nobody adds or edits by hand: facts stay as they were recorded."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FactAdmin(Unedited, OfferingAdmin):
    """Rows that nobody edits by hand: they are shown, searched and filtered.

    `not_listed` names large fields, of the row or of related rows, that the list does not load.
    """

    not_listed: tuple[str, ...] = ()

    compressed_fields = True
    paginator = FactPaginator
    show_full_result_count = False
    actions: list[Any] = []

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[FactList]:
        return FactList

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CorrectingAdmin(FactAdmin):
    """Facts with actions that set the result of a match, which no source overrules then."""

    def has_correct_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("matches.add_correction"))


class FactInline(Unedited, TabularInline):
    """Facts that belong to the fact above them."""

    extra = 0
    can_delete = False


class TwoStatesFilter(admin.SimpleListFilter):
    """Rows whose `column` is empty, and those where it is filled; `lookups` names the empty ones first."""

    column: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        states = [state for state, _ in self.lookup_choices]
        if self.value() not in states:
            return queryset
        return queryset.filter(**{f"{self.column}__isnull": self.value() == states[0]})


class WorldFilter(admin.SimpleListFilter):
    """Real or simulated."""

    title = "world"
    parameter_name = "world"
    lookup = "world"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(World.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in World.values:
            return queryset
        return queryset.filter(**{self.lookup: self.value()})


def number_of(text: str | int) -> int:
    """Return the number of a row that an address names.

    Raises
    ------
    Http404
        When no row can have it.
    """
    number = number_in(text)
    if number < 0:
        raise Http404("There is no such row.")
    return number


def number_in(text: str | int | None) -> int:
    """Return the number of a row that an address names; -1 where no row can have it, or none is named."""
    if isinstance(text, str):
        text = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    return text if text is not None and 0 <= text <= LARGEST_ID else -1


class ReasonForm(BaseDialogForm):
    """The reason of a decision by an operator."""

    reason = forms.CharField(
        max_length=400,
        help_text="Stored with the decision.",
        widget=UnfoldAdminTextareaWidget,
    )
