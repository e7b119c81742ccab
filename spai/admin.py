"""The admin of models of other packages: with the look of Unfold, and with a way to let a locked-out person in."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UnfoldUserAdmin(UserAdmin, ModelAdmin):
    """Accounts of the admin."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class UnfoldGroupAdmin(GroupAdmin, ModelAdmin):
    """Groups of accounts that share permissions."""


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ModelAdmin):
    """Failed logins of late; deleting a row forgets them and ends a wait."""

    list_display = ("username", "ip_address", "failures_since_start", "attempt_time", "user_agent")
    list_filter = ("attempt_time",)
    search_fields = ("username", "ip_address")
    ordering = ("-attempt_time",)
    exclude = ("get_data", "post_data", "http_accept")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody writes what did not happen."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        """What happened stands; it can only be forgotten."""
        return False


def adopt_plain_admins() -> None:
    """Give every registered admin that is not one of Unfold's the forms and widgets of Unfold.

    Unfold's style sheet removes the borders of all fields and only its own widgets bring others: a field of a plain
    admin cannot be seen.
    """
    registered: dict[type[Model], admin.ModelAdmin[Any]] = dict(admin.site._registry)
    for model, found in registered.items():
        if isinstance(found, ModelAdmin):
            continue
        plain = type(found)
        admin.site.unregister(model)
        admin.site.register(model, type(plain.__name__, (plain, ModelAdmin), {"__module__": plain.__module__}))
