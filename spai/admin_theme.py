"""How the admin looks: its titles, colours, styles and links, as settings of Unfold."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse


def unfold_settings(site_url: str) -> dict[str, Any]:
    """Return UNFOLD for the public address of pages and API."""
    return {
        "SITE_TITLE": "SPAI admin",
        "SITE_HEADER": "SPAI admin",
        "SITE_URL": site_url,
        "SITE_SYMBOL": "sports_soccer",
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("spai/icon.svg")}],
        # The blue of the pages, in Unfold's shades.
        "COLORS": {
            "primary": {
                "50": "oklch(97% .014 254)",
                "100": "oklch(93% .032 254)",
                "200": "oklch(88% .059 254)",
                "300": "oklch(81% .095 252)",
                "400": "oklch(71% .130 252)",
                "500": "oklch(60% .140 254)",
                "600": "oklch(49% .136 255)",
                "700": "oklch(44% .122 256)",
                "800": "oklch(38% .100 257)",
                "900": "oklch(33% .080 258)",
                "950": "oklch(25% .060 259)",
            }
        },
        "LOGIN": {"form": "spai.logins.LoginForm"},
        "STYLES": [lambda request: static("spai/admin.css")],
        "SCRIPTS": [lambda request: static("spai/admin.js")],
        "ACCOUNT": {
            "navigation": [
                {"title": "Change password", "link": lambda request: reverse("admin:password_change")},
                {"title": "Second factor", "link": lambda request: reverse("admin:second_factor")},
            ]
        },
        "DASHBOARD_CALLBACK": "spai.home.home",
    }
