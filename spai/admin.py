"""Admin of the models of other packages: in the style of Unfold, with entries of the audit, and pages of our own."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessLog
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import PeriodicTask
from django_htmx.http import HttpResponseClientRedirect
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from kombu.exceptions import OperationalError
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, BaseDialogForm, UserChangeForm, UserCreationForm

from apps.matches.admin import AuditedAdmin, OfferingAdmin, number_of
from apps.matches.services import record_action
from spai import home, second_factor

# The pages of the devices show their keys; users see their own on a page of theirs.
for _model in (User, Group, PeriodicTask, TOTPDevice, StaticDevice):
    admin.site.unregister(_model)


@transaction.atomic
def change_password(request: HttpRequest) -> HttpResponse:
    """Let users change their own passwords, as Unfold does, with an entry of the audit."""
    user: Any = request.user
    response = admin.site.password_change(request)
    if request.method == "POST" and response.status_code == 302:
        record_action(by=user, action="changed their password", about=user, now=timezone.now())
    return response


def own_pages() -> list[URLPattern]:
    """Return the pages of the admin that belong to no model."""
    view = admin.site.admin_view
    return [
        path("second-factor/", view(second_factor.page), name="second_factor"),
        path("password_change/", view(change_password, cacheable=True), name="password_change"),
        path("health/", view(home.health), name="health"),
    ]


admin.site.extra_urls = own_pages  # type: ignore[attr-defined]  # Unfold's site looks for it


@admin.register(User)
class UnfoldUserAdmin(UserAdmin, OfferingAdmin):
    """Users."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    actions_detail = ("remove_second_factor",)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        return super().user_change_password(request, id, form_url)

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("auth.change_user"))

    def offers_remove_second_factor(self, row_id: int) -> bool:
        return second_factor.is_set_up(User(pk=row_id))

    @action(
        description="Remove the second factor",
        icon="phonelink_erase",
        permissions=["remove"],
        dialog={
            "title": "Remove the second factor",
            "description": "For a user who has lost the phone and the backup codes. Make sure that it is really this "
            "person who asks: a login needs only the password then.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Remove",
        },
    )
    def remove_second_factor(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        user = User.objects.get(pk=number_of(object_id))
        if second_factor.remove(user=user, by=request.user, now=timezone.now()):
            messages.success(request, f"The second factor of {user} is removed.")
        else:
            messages.info(request, f"{user} has no second factor.")
        return HttpResponseClientRedirect(reverse("admin:auth_user_change", args=[user.pk]))


@admin.register(Group)
class UnfoldGroupAdmin(GroupAdmin, AuditedAdmin):
    """Groups of users that share permissions."""


@admin.register(PeriodicTask)
class TimetableAdmin(PeriodicTaskAdmin, AuditedAdmin):
    """The timetable; its actions need the right to change it, which the package does not ask for."""

    @admin.action(description="Switch on", permissions=["change"])
    def enable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._switch(request, queryset, super().enable_tasks)

    @admin.action(description="Switch off", permissions=["change"])
    def disable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._switch(request, queryset, super().disable_tasks)

    @admin.action(description="Switch those on that are off, and the others off", permissions=["change"])
    def toggle_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._switch(request, queryset, super().toggle_tasks)

    @admin.action(description="Send once now", permissions=["change"])
    def run_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        try:
            super().run_tasks(request, queryset)
        except OperationalError:
            messages.error(request, "Nothing was sent: the broker does not answer. Start it and try again.")
            return
        # The package sends none of them when it does not know one.
        if {task.task for task in queryset} <= self.celery_app.tasks.keys():
            for task in queryset:
                record_action(by=request.user, action="sent a task", about=task, now=timezone.now())

    def _switch(self, request: HttpRequest, queryset: QuerySet[PeriodicTask], switch: Any) -> None:
        """Carry out an action of the package, with an entry for each task that it switched."""
        before = dict(queryset.values_list("pk", "enabled"))
        chosen = PeriodicTask.objects.filter(pk__in=before)
        switch(request, chosen)
        for task in chosen:
            if task.enabled != before[task.pk]:
                old, new = ("off", "on") if task.enabled else ("on", "off")
                record_action(
                    by=request.user, action=f"switched {new}", about=task, before=old, after=new, now=timezone.now()
                )


@admin.register(AccessAttempt)
class AccessAttemptAdmin(AuditedAdmin):
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
    """Re-register every plain ModelAdmin as one of Unfold that writes entries of the audit.

    Unfold's style sheet removes the borders of all fields and only its own widgets add them back: the fields of a plain
    ModelAdmin would be invisible.
    """
    registered: dict[type[Model], admin.ModelAdmin[Any]] = dict(admin.site._registry)
    for model, found in registered.items():
        if isinstance(found, AuditedAdmin):
            continue
        plain = type(found)
        admin.site.unregister(model)
        admin.site.register(model, type(plain.__name__, (plain, AuditedAdmin), {"__module__": plain.__module__}))
