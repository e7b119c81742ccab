"""The list of all entries of the audit."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold.decorators import display

from apps.matches.admin.audited import OBJECT
from apps.matches.admin.facts import FactAdmin
from apps.matches.models import AuditEntry


def address_of_subject(subject: str) -> str:
    """Return the address of a subject's page in the admin; empty where it has none."""
    label, _, row_id = subject.partition("/")
    try:
        return reverse(f"admin:{label.replace('.', '_')}_change", args=[row_id])
    except NoReverseMatch:
        return ""


class UserFilter(admin.SimpleListFilter):
    """Whose actions."""

    title = "user"
    parameter_name = "user"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        staff = get_user_model()._default_manager.filter(is_staff=True).order_by("username")
        return [(name, name) for name in staff.values_list("username", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        names = [name for name, _ in self.lookup_choices]
        return queryset.filter(by=self.value()) if self.value() in names else queryset


class KindFilter(admin.SimpleListFilter):
    """Which kind of rows an action was about."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        known = {
            model._meta.label_lower: capfirst(model._meta.verbose_name) for model in model_admin.admin_site._registry
        }
        return sorted(known.items(), key=lambda each: each[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        kinds = [kind for kind, _ in self.lookup_choices]
        return queryset.filter(subjects__0__startswith=f"{self.value()}/") if self.value() in kinds else queryset


class SubjectFilter(admin.SimpleListFilter):
    """The history of one row; there is nothing to choose, links lead to it."""

    title = "history of"
    parameter_name = OBJECT

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        subject = request.GET.get(OBJECT, "")
        return [(subject, subject)] if subject else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        subject = (self.value() or "").replace("\x00", "")
        return queryset.filter(subjects__contains=[subject]) if subject else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(FactAdmin):
    """What people did, the latest first."""

    list_display = ("at", "by", "action", "shown_about", "shown_change", "reason", "origin")
    list_filter = (SubjectFilter, UserFilter, KindFilter, "origin", "at")
    sortable_by = ()
    search_fields = ("about", "by", "action", "reason")
    ordering = ("-id",)
    fields = ("at", "by", "origin", "action", "about", "shown_subjects", "before", "after", "reason")
    readonly_fields = ("shown_subjects",)

    @display(description="about")
    def shown_about(self, entry: AuditEntry) -> str | SafeString:
        return _link(entry.subjects[0], entry.about) if entry.subjects else entry.about

    @display(description="before → after")
    def shown_change(self, entry: AuditEntry) -> SafeString:
        return format_html('<span class="spai-change">{}</span>', change_in_words(entry))

    @display(description="shown in the history of")
    def shown_subjects(self, entry: AuditEntry) -> SafeString:
        return format_html_join(", ", "{}", ((_link(subject, subject),) for subject in entry.subjects))


def change_in_words(entry: AuditEntry) -> str:
    """Return both states of an entry in one text."""
    if entry.before and entry.after:
        return f"{entry.before} → {entry.after}"
    return entry.after or entry.before


def _link(subject: str, text: str) -> str | SafeString:
    address = address_of_subject(subject)
    return format_html('<a class="spai-link" href="{}">{}</a>', address, text) if address else text
