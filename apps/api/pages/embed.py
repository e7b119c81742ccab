"""Widgets that other sites show in a frame: one match, or the table of a league."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.clickjacking import xframe_options_exempt

from apps.api import selectors
from apps.api.methods import View
from apps.api.pages.context import cached_for
from apps.api.pages.forms import ZoneForm
from apps.matches import selectors as matches
from apps.matches.models import Competition

MAX_AGE: Final = timedelta(minutes=1)

POLICY: Final[dict[str, Any]] = {
    "default-src": [NONE],
    "style-src": [SELF],
    "img-src": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": ["*"],
}
"""The one policy that lets other sites frame a page, which holds a style sheet and nothing that could be clicked by
mistake: no form, no script, no cookie."""


def framed(view: Any) -> View:
    """Let every site show what a view returns in a frame; nothing of the reader is read or stored."""
    return cached_for(MAX_AGE)(csp(POLICY)(xframe_options_exempt(view)))


@framed
def embedded_match(request: HttpRequest, match_id: int) -> HttpResponse:
    """Show the forecast of one match, and after the match what it gave to the result."""
    found = matches.matches().filter(pk=match_id).first()
    if found is None:
        raise Http404(gettext("There is no such match."))
    (card,) = selectors.cards([found], now=timezone.now())
    return _render(request, "embed/match.html", {"card": card, "match": found, "competition": found.season.competition})


@framed
def embedded_table(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the table of the newest season of a competition."""
    found = Competition.objects.select_related("region").filter(slug=slug).first()
    season = matches.seasons(found).first() if found else None
    if season is None:
        raise Http404(gettext("There is no such table."))
    context = {"season": season, "table": matches.league_table(season), "competition": season.competition}
    return _render(request, "embed/table.html", context)


def _render(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    zone = ZoneForm.parse(request)["zone"]
    with timezone.override(zone or "UTC"):
        return render(request, template, {**context, "zone": zone, "site_url": settings.SPAI_WEB_URL})
