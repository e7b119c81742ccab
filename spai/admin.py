"""Admin of the models of other packages: in the style of Unfold, with a list of failed logins."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessLog
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
    """Users."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class UnfoldGroupAdmin(GroupAdmin, ModelAdmin):
    """Groups of users that share permissions."""


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ModelAdmin):
    """Recent failed logins; deleting a row unlocks the account at once."""

    list_display = ("username", "ip_address", "failures_since_start", "attempt_time", "user_agent")
    list_filter = ("attempt_time",)
    search_fields = ("username", "ip_address")
    ordering = ("-attempt_time",)
    exclude: tuple[str, ...] = ("get_data", "post_data", "http_accept")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        return False


@admin.register(AccessLog)
class AccessLogAdmin(AccessAttemptAdmin):
    """Logins; without its rows an address is new to the account (`spai/logins.py`)."""

    list_display = ("username", "ip_address", "attempt_time", "logout_time", "user_agent")
    exclude = ("http_accept", "session_hash")


def adopt_plain_admins() -> None:
    """Re-register every plain ModelAdmin as one of Unfold.

    Unfold's style sheet removes the borders of all fields and only its own widgets add them back: the fields of a plain
    ModelAdmin would be invisible.
    """
    registered: dict[type[Model], admin.ModelAdmin[Any]] = dict(admin.site._registry)
    for model, found in registered.items():
        if isinstance(found, ModelAdmin):
            continue
        plain = type(found)
        admin.site.unregister(model)
        admin.site.register(model, type(plain.__name__, (plain, ModelAdmin), {"__module__": plain.__module__}))
