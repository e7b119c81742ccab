"""The base of all admins: each change is an entry of the audit, and the page of a row shows its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.text import capfirst
from unfold.admin import ModelAdmin

from apps.matches import selectors
from apps.matches.services import record_action

HISTORY_SHOWN: Final = 10
"""Latest entries on the page of a row; its history lists all."""

LISTED: Final = 10
"""Of a longer list of chosen rows only the difference is written."""

SECRET: Final = frozenset({"password", "password1", "password2", "secret", "token", "key"})
"""Fields whose content no entry holds."""

OBJECT: Final = "object"
"""Query parameter of the list of entries: the subject whose history it shows."""


@dataclass(frozen=True, slots=True)
class FormChange:
    """What a form changed, before and after, a field in each line."""

    before: str
    after: str


class AuditedAdmin(ModelAdmin):
    """An admin whose additions, changes and deletions are entries of the audit; the page of a row shows its entries."""

    change_form_outer_after_template = "admin/history_panel.html"

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Return the changed fields (`FormChange`); Django passes them on to `log_addition` and `log_change`."""
        return change_of(form)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, "added", obj, FormChange("", message.after))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Write an entry where a field has changed."""
        if message.before != message.after:
            self._record(request, "changed", obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for row in queryset:
            self._record(request, "deleted", row, FormChange(str(row), ""))

    def _record(self, request: HttpRequest, action: str, row: models.Model, change: FormChange) -> None:
        record_action(
            by=request.user, action=action, about=row, before=change.before, after=change.after, now=timezone.now()
        )

    @transaction.atomic
    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Carry out an action on chosen rows together with its entries."""
        return super().response_action(request, queryset)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *given: Any, **more: Any) -> Any:
        row = more.get("obj")
        context["history"] = [] if row is None else selectors.history_of(row)[:HISTORY_SHOWN]
        return super().render_change_form(request, context, *given, **more)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show all entries of a row."""
        query = urlencode({OBJECT: f"{self.opts.label_lower}/{object_id}"})
        return redirect(f"{reverse('admin:matches_auditentry_changelist')}?{query}")


def change_of(form: forms.BaseForm) -> FormChange:
    """Return the fields that a form changed, in words."""
    before, after = [], []
    # Django's forms for passwords have two fields, and report a change of `password`, which is none of them.
    for name in dict.fromkeys(name.rstrip("12") if name in SECRET else name for name in form.changed_data):
        if name in SECRET:
            before.append(f"{capfirst(name)}: the one before")
            after.append(f"{capfirst(name)}: a new one")
            continue
        field, label = form.fields[name], str(form[name].label)
        old, new = _words(field, form.get_initial_for_field(field, name), form.cleaned_data.get(name))
        before.append(f"{label}: {old}")
        after.append(f"{label}: {new}")
    return FormChange("\n".join(before), "\n".join(after))


def _words(field: forms.Field, old: Any, new: Any) -> tuple[str, str]:
    """Return the values of a field before and after in words."""
    if isinstance(field, forms.ModelMultipleChoiceField):
        sides = [{str(row) for row in side or ()} for side in (old, new)]
        same = sides[0] & sides[1] if max(map(len, sides)) > LISTED else set()
        others = f" and {len(same)} more" if same else ""
        return tuple(f"{', '.join(sorted(side - same)) or 'none'}{others}" for side in sides)  # type: ignore[return-value]
    return _word(field, old), _word(field, new)


def _word(field: forms.Field, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], ()):
        return "none"
    if isinstance(field, forms.ModelChoiceField) and not isinstance(value, models.Model):
        value = field.queryset.filter(pk=value).first() if field.queryset is not None else value
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
