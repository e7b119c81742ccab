"""Wrong passwords in the office: who is locked out, and the way to let them in."""

from __future__ import annotations

from axes.models import AccessAttempt
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin


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
