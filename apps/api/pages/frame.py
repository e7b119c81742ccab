"""What every page knows of its reader: the world and the zone that are shown, and where push is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags, quote_etag, url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django_htmx.middleware import HtmxDetails

from apps.api import selectors
from apps.api.methods import read_only
from apps.api.push import newest_event_number
from apps.matches.models import World
from apps.ml import selectors as ml_selectors

CHOSEN_COOKIE = "zone"
"""The zone that the reader chose."""
HERE_COOKIE = "zone_here"
"""The zone of the reader's device, kept up to date by a script."""
YEAR_SECONDS = 31_536_000


class HtmxRequest(HttpRequest):
    """A request as the htmx middleware leaves it."""

    htmx: HtmxDetails


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page is shown in.

    Parameters
    ----------
    world, served : World
        The world shown, and the one that is shown where none is asked for.
    zone : ZoneInfo
        Zone of the times and days shown.
    zone_is_chosen : bool
        Whether the reader chose it; else it is that of the device, or UTC on a first visit.
    now : datetime
        The moment of the request, UTC.
    """

    world: World
    served: World
    zone: ZoneInfo
    zone_is_chosen: bool
    now: datetime

    @property
    def world_query(self) -> str:
        """What links add to stay in the world."""
        return "" if self.world == self.served else f"?world={self.world.value}"

    @property
    def is_simulated(self) -> bool:
        """Whether no real club plays here."""
        return self.world == World.SANDBOX


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def zone_names() -> list[str]:
    """Return the zones that a reader may choose, by region and city."""
    regions = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
    return ["UTC", *sorted(name for name in _zones() if name.split("/", 1)[0] in regions)]


def frame_of(request: HttpRequest, *, world: World | None = None) -> Frame:
    """Return what a request is shown in; a page that belongs to one world names it.

    Raises
    ------
    Http404
        When the address asks for a world that there is not.
    """
    served = ml_selectors.served_world()
    asked = request.GET.get("world", "")
    if world is None:
        if asked and asked not in World.values:
            raise Http404(f"There is no world called {asked[:20]}.")
        world = World(asked) if asked else served
    chosen = _zone(request.COOKIES.get(CHOSEN_COOKIE))
    zone = chosen or _zone(request.COOKIES.get(HERE_COOKIE)) or ZoneInfo("UTC")
    return Frame(world=world, served=served, zone=zone, zone_is_chosen=chosen is not None, now=timezone.now())


def _zone(name: str | None) -> ZoneInfo | None:
    return ZoneInfo(name) if name and name in _zones() else None


def show(
    request: HttpRequest, frame: Frame, template: str, context: dict[str, Any], *, partial: str = "", status: int = 200
) -> HttpResponse:
    """Render a page, or only its changing part where a script of the page asks for it.

    The part carries an entity tag, which the page around it knows: who asks for a part that has not changed is
    answered 304, without a body.

    Parameters
    ----------
    partial : str
        Template of the changing part, which the page shows as `part`; empty where the page is always shown whole.
    """
    htmx: Any = getattr(request, "htmx", None)
    # A step back in the history asks for the whole page.
    only_part = bool(partial) and bool(htmx) and not getattr(htmx, "history_restore_request", False)
    context = {"frame": frame, "now": frame.now, **context}
    response: HttpResponse
    with timezone.override(frame.zone):
        part = render_to_string(partial, context, request) if partial else ""
        etag = quote_etag(hashlib.sha256(part.encode()).hexdigest()[:32]) if partial else ""
        if only_part:
            asked = parse_etags(request.headers.get("If-None-Match", ""))
            response = HttpResponseNotModified() if etag in asked else HttpResponse(part, status=status)
            response["ETag"] = etag
        else:
            other = selectors.other_world(frame.world)
            context |= {
                "part": mark_safe(part),  # noqa: S308 - a template made it
                "part_etag": etag,
                "push_url": settings.SPAI_PUSH_WS_URL,
                "event_number": newest_event_number(),
                "other_world": other,
                "other_query": f"?world={other.value}" if other and other != frame.served else "",
            }
            response = TemplateResponse(request, template, context, status=status).render()
    patch_vary_headers(response, ["Cookie", "HX-Request", "HX-Target"])
    patch_cache_control(response, private=True, no_cache=True)
    return response


@read_only
def choose_zone(request: HttpRequest) -> HttpResponse:
    """Keep the zone that the reader chose, or forget it, and go back."""
    back = request.GET.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None) or not back.startswith("/"):
        back = "/"
    response = HttpResponseRedirect(back)
    zone = _zone(request.GET.get("zone"))
    if zone:
        response.set_cookie(CHOSEN_COOKIE, zone.key, max_age=YEAR_SECONDS, samesite="Lax", secure=request.is_secure())
    else:
        response.delete_cookie(CHOSEN_COOKIE, samesite="Lax")
    return response
