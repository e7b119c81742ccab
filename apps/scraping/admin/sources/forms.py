"""Forms in the dialogs of the source actions."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget


class ScopeForm(BaseDialogForm):
    """Which matches to scrape."""

    scope = forms.ChoiceField(
        choices=[
            ("results", "results of the last days"),
            ("fixtures", "fixtures of the next fifteen days"),
            ("odds", "odds of today and tomorrow"),
        ],
        widget=UnfoldAdminSelectWidget,
    )


class PeriodForm(BaseDialogForm):
    """First and last day of a back-fill."""

    start = forms.DateField(label="From", widget=UnfoldAdminDateWidget)
    end = forms.DateField(label="To", widget=UnfoldAdminDateWidget, help_text="Both days are included.")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if isinstance(start, date) and isinstance(end, date) and end < start:
            self.add_error("end", "The last day is before the first.")
        return cleaned


class PermissionForm(BaseDialogForm):
    """Who permits the scraping."""

    note = forms.CharField(
        label="Who gave the permission, when, and for what",
        help_text="Kept with the source. Without a permission of its owners the source stays off.",
        widget=UnfoldAdminTextareaWidget,
    )
