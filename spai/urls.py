"""The URLs of each process, by its role."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from apps.api.methods import read_only
from apps.api.urls import account_urlpatterns, ingest_urlpatterns
from spai import logins, probes

probe_urls: list[URLPattern | URLResolver] = [
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
]

account_urls: list[URLPattern | URLResolver] = [
    path("account/", include(account_urlpatterns(logins.ReaderLoginForm))),
]
"""Accounts of readers, which `web` has where the operator allows them."""

role_urls: dict[str, list[URLPattern | URLResolver]] = {
    "web": [
        re_path(
            r"^admin/(?P<rest>.*)$",
            read_only(RedirectView.as_view(url=f"{settings.SPAI_ADMIN_URL}/admin/%(rest)s", query_string=True)),
        ),
        *(account_urls if settings.SPAI_ACCOUNTS else []),
        path("", include("apps.api.urls")),
    ],
    "admin": [
        path("admin/", admin.site.urls),
        *ingest_urlpatterns,
        path("", read_only(RedirectView.as_view(pattern_name="admin:index"))),
    ],
    "push": [],
}

urlpatterns = probe_urls + role_urls[settings.SPAI_ROLE]
handler400 = "apps.api.pages.bad_request"
handler403 = "apps.api.pages.forbidden"
handler404 = "apps.api.pages.not_found"
handler500 = "apps.api.pages.server_error"
