"""The look of the admin for the models of other packages, whose own admins know nothing of Unfold."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class OfficeUserAdmin(UserAdmin, ModelAdmin):
    """Accounts of the office."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class OfficeGroupAdmin(GroupAdmin, ModelAdmin):
    """Groups of accounts that share permissions."""


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
