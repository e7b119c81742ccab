"""Admin of hosts, addresses and raw pages."""

from __future__ import annotations

from typing import Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.matches.admin import FactAdmin
from apps.scraping import services
from apps.scraping.models import Address, HostState, Snapshot

PAGE_SHOWN: Final = 2_000_000
"""Bytes of a raw page that are shown; the whole page can be saved (`SAVE`)."""

SAVE: Final = "save"
"""Query parameter of a raw page's address: the browser saves the page instead of showing it."""


@admin.register(HostState)
class HostStateAdmin(FactAdmin):
    """Politeness state of each host."""

    list_display = (
        "host",
        "shown_state",
        "free_at",
        "failures",
        "open_until",
        "reason",
        "robots_until",
        "robots_status",
    )
    list_filter = ("state",)
    ordering = ("host",)

    @display(description="state", label={"open for requests": "success", "halted": "danger", "probing": "warning"})
    def shown_state(self, state: HostState) -> str:
        return state.get_state_display()


@admin.register(Address)
class AddressAdmin(FactAdmin):
    """Addresses with their latest good page."""

    list_display = ("url", "source", "kind", "seen_at", "taken_at", "counts")
    list_filter = ("source", "kind")
    list_select_related = ("source",)
    search_fields = ("url",)
    ordering = ("-seen_at",)
    exclude = ("snapshot",)


@admin.register(Snapshot)
class SnapshotAdmin(FactAdmin):
    """Raw pages as they were fetched."""

    list_display = ("fetched_at", "source", "kind", "status", "outcome", "shown_size", "url", "shown_link")
    list_filter = ("source", "outcome", "kind", "status")
    list_select_related = ("source",)
    search_fields = ("url", "sha256")
    ordering = ("-fetched_at",)
    readonly_fields = ("shown_link",)

    @display(description="size")
    def shown_size(self, snapshot: Snapshot) -> str:
        return f"{snapshot.size / 1024:,.1f} KB"

    @display(description="raw page")
    def shown_link(self, snapshot: Snapshot) -> SafeString:
        return format_html(
            '<a class="spai-link" href="{0}" target="_blank" rel="noopener">open</a> · '
            '<a class="spai-link" href="{0}?{1}=1">save</a>',
            reverse("admin:scraping_snapshot_raw", args=[snapshot.pk]),
            SAVE,
        )

    def get_urls(self) -> list[URLPattern]:
        raw = path("<int:snapshot_id>/raw/", self.admin_site.admin_view(self.raw), name="scraping_snapshot_raw")
        return [raw, *super().get_urls()]

    def raw(self, request: HttpRequest, snapshot_id: int) -> HttpResponse:
        """Show or save a page as plain text, so that no script in it is run."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        snapshot = Snapshot.objects.filter(pk=snapshot_id).first()
        if snapshot is None:
            raise Http404
        try:
            body = services.content_of(snapshot)
        except services.LostPageError as error:
            return HttpResponse(str(error), status=410, content_type="text/plain; charset=utf-8")
        is_saved = SAVE in request.GET
        shown = body if is_saved or len(body) <= PAGE_SHOWN else body[:PAGE_SHOWN] + _cut(len(body))
        response = HttpResponse(shown, content_type="text/plain; charset=utf-8")
        if is_saved:
            response["Content-Disposition"] = f'attachment; filename="page-{snapshot.pk}.txt"'
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response


def _cut(size: int) -> bytes:
    """Return the note below a page that is not shown to its end."""
    return (
        f"\n\n[The first {PAGE_SHOWN:,} of {size:,} bytes are shown. "
        f"To save the whole page, add ?{SAVE}=1 to its address.]\n"
    ).encode()
