"""The context that all pages share, such as world and time zone, and how pages are rendered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags, quote_etag, urlencode
from django.utils.safestring import SafeString, mark_safe
from django_htmx.middleware import HtmxDetails

from apps.api import selectors, services
from apps.api.methods import View, read_only
from apps.api.pages.forms import (
    EmbeddedLanguageForm,
    LanguageForm,
    ThemeField,
    ThemeForm,
    WorldForm,
    ZoneField,
    ZoneForm,
    all_zones,
)
from apps.api.pages.languages import DEFAULT, LANGUAGE_COOKIE, language_query
from apps.api.pages.parts import PARTS
from apps.api.rest import conditional
from apps.matches.feed import newest_event_number
from apps.matches.models import World
from apps.ml import selectors as ml_selectors

CHOSEN_COOKIE = "zone"
"""The zone that the reader chose on the page."""
HERE_COOKIE = "zone_here"
"""The zone of the reader's device, kept up to date by a script."""
THEME_COOKIE = "theme"
"""Light or dark, if the reader chose; otherwise the device decides."""
FOLLOW_COOKIE = "follow"
"""Ids of the teams that the reader follows, separated by commas."""
MOST_FOLLOWED = services.MOST_TEAMS
CHOOSING = ("day", "season", "world")
"""Parameters that are part of the canonical address of a page, for search engines."""
YEAR_SECONDS = 31_536_000


class HtmxRequest(HttpRequest):
    """A request after the htmx middleware."""

    htmx: HtmxDetails


@dataclass(frozen=True, slots=True)
class PageContext:
    """The context that all pages share.

    `served` is the world that is shown by default. The reader chose the zone, or it is that of the device, or UTC
    before a script has reported one. `theme` is empty, light or dark. `language` is the code of the language in which
    the request is answered. `now` is the moment of the request, UTC. `event_number` is the number of the newest event
    before anything that the page shows was read: a script requests the events after it. It is 0 for a part of a
    page, whose script already has a number.
    """

    world: World
    served: World
    zone: ZoneInfo
    zone_is_chosen: bool
    theme: str
    language: str
    now: datetime
    event_number: int

    def in_world(self, world: World | None) -> PageContext:
        """Return the context for a page of `world`; unchanged for None."""
        return replace(self, world=world or self.world)

    @property
    def world_query(self) -> str:
        """The query string that links need to show the same world."""
        return "" if self.world == self.served else f"?world={self.world.value}"

    @property
    def zone_name(self) -> str:
        """The name of the zone for readers, such as Tokyo or New York."""
        return self.zone.key.rsplit("/", 1)[-1].replace("_", " ")

    @property
    def is_simulated(self) -> bool:
        """Whether the matches shown are simulated."""
        return self.world == World.SANDBOX


@cache
def zone_names() -> list[str]:
    """Return the zones that a reader may choose, by region and city."""
    regions = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
    return ["UTC", *sorted(name for name in all_zones() if name.split("/", 1)[0] in regions)]


def page_context(request: HttpRequest) -> PageContext:
    """Return the context of a request. A view calls it before it reads anything that the page shows.

    Raises
    ------
    Http404
        When the address names a world that does not exist.
    """
    event_number = 0 if _wants_part(request) else newest_event_number()
    served = ml_selectors.served_world()
    field = ZoneField(required=False)
    chosen = field.clean(request.COOKIES.get(CHOSEN_COOKIE))
    zone = chosen or field.clean(request.COOKIES.get(HERE_COOKIE)) or ZoneInfo("UTC")
    return PageContext(
        world=WorldForm.parse(request)["world"] or served,
        served=served,
        zone=zone,
        zone_is_chosen=chosen is not None,
        theme=ThemeField().clean(request.COOKIES.get(THEME_COOKIE)),
        language=translation.get_language() or DEFAULT,
        now=timezone.now(),
        event_number=event_number,
    )


def _wants_part(request: HttpRequest) -> bool:
    """Whether a script requests the changing part of a page; for a step back in the history it needs the whole page."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not getattr(htmx, "history_restore_request", False)


def followed_teams(request: HttpRequest) -> tuple[int, ...]:
    """Return the ids of the teams that the reader follows, in the order in which they were chosen."""
    return team_ids(request.COOKIES.get(FOLLOW_COOKIE, ""))


def team_ids(text: str) -> tuple[int, ...]:
    """Return the ids in a text separated by commas, without invalid ones; at most `MOST_FOLLOWED`."""
    ids = (int(part) for part in text.split(",") if part.isascii() and part.isdigit() and len(part) < 16)
    return tuple(dict.fromkeys(ids))[:MOST_FOLLOWED]


def canonical_path(request: HttpRequest, page: PageContext) -> str:
    """Return the path of a page with the parameters that choose its content, without those of filters and scripts."""
    query = {name: request.GET[name] for name in CHOOSING if request.GET.get(name)}
    if query.get("world") == page.served:
        del query["world"]
    return f"{request.path}?{urlencode(query)}" if query else request.path


def cached_part(page: PageContext, template: str, make: Callable[[], dict[str, Any]], *key: Hashable) -> SafeString:
    """Return a rendered part of a page, from the cache of this process if it is there.

    Parameters
    ----------
    template : str
        The template of the part.
    make : callable
        Returns the context for the template; called only if the part is not cached.
    *key : hashable
        Every value on which that context depends. World, zone and language are added.
    """
    name = template, page.world_query, page.zone.key, page.language, key
    part = PARTS.get(name)
    if part is None:
        with timezone.override(page.zone):
            part = render_to_string(template, {"page": page, **make()})
        PARTS.set(name, part)
    return part


def render_page(
    request: HttpRequest, page: PageContext, template: str, context: dict[str, Any], *, partial: str = ""
) -> HttpResponse:
    """Render a page, or only its changing part when a script of the page requests it.

    The template `partial` renders the changing part, which the page includes as `part`. Without `partial` the whole
    page is always sent. The part has an ETag, which is also in the page; a request for an unchanged part gets 304
    without a body.
    """
    only_part = bool(partial) and _wants_part(request)
    context = {"page": page, "now": page.now, "followed": followed_teams(request), **context}
    context |= {"site_url": settings.SPAI_WEB_URL, "canonical": canonical_path(request, page)}
    context |= {
        "has_accounts": settings.SPAI_ACCOUNTS,
        "languages": settings.LANGUAGES,
        "language_query": language_query(page.language),
        "language_with_zone": language_query(page.language, sign="&"),
        "language_with_world": language_query(page.language, sign="&" if page.world_query else "?"),
    }
    response: HttpResponse
    with timezone.override(page.zone):
        part = render_to_string(partial, context, request) if partial else ""
        # Weak, as `CompressionMiddleware` makes it.
        etag = f"W/{quote_etag(hashlib.sha256(part.encode()).hexdigest()[:32])}" if partial else ""
        if only_part:
            known = parse_etags(request.headers.get("If-None-Match", ""))
            response = HttpResponseNotModified() if etag in known else HttpResponse(part)
            response["ETag"] = etag
        else:
            other = selectors.other_world(page.world)
            context |= {
                "part": mark_safe(part),  # noqa: S308 - a template made it
                "part_etag": etag,
                "push_url": settings.SPAI_PUSH_WS_URL,
                "other_world": other,
                "other_query": f"?world={other.value}" if other and other != page.served else "",
            }
            response = TemplateResponse(request, template, context).render()
    patch_vary_headers(response, ["Cookie", "Accept-Language", "HX-Request", "HX-Target"])
    patch_cache_control(response, private=True, no_cache=True)
    return response


def cached_for(period: timedelta) -> Callable[[View], View]:
    """Let HTTP caches store the response of a view, which is the same for all readers, for `period`.

    A client that already has the response gets 304. Its language is that of the parameter ``lang``, else English: a
    cookie or the header Accept-Language would need a copy in the cache for each of their values.
    """

    def decorator(view: Any) -> View:
        def revalidated(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            # The response to an error has this language too.
            translation.activate(EmbeddedLanguageForm.parse(request)["lang"] or DEFAULT)
            response = view(request, *args, **kwargs)
            if response.status_code != 200:
                return response
            patch_cache_control(response, public=True, max_age=int(period.total_seconds()))
            return conditional(request, response)

        return read_only(revalidated)

    return decorator


@read_only
def choose_zone(request: HttpRequest) -> HttpResponse:
    """List the zones; store the one that the reader chose, or delete the choice, and redirect back."""
    query = ZoneForm.parse(request)
    if "zone" not in request.GET:
        regions = [
            (region, [*zones]) for region, zones in groupby(zone_names(), key=lambda name: name.split("/", 1)[0])
        ]
        context = {"regions": regions, "next": query["next"]}
        return render_page(request, page_context(request), "pages/zone.html", context)
    return _choice(request, CHOSEN_COOKIE, query["zone"].key if query["zone"] else "", query["next"])


@read_only
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Store light or dark as the reader chose, or delete the choice, and redirect back."""
    query = ThemeForm.parse(request)
    return _choice(request, THEME_COOKIE, query["theme"], query["next"])


@read_only
def choose_language(request: HttpRequest) -> HttpResponse:
    """Store the language that the reader chose, or delete the choice, and redirect back."""
    query = LanguageForm.parse(request)
    return _choice(request, LANGUAGE_COOKIE, query["language"], query["next"])


def _choice(request: HttpRequest, cookie: str, value: str, back: str) -> HttpResponse:
    """Store a choice in a cookie and redirect back."""
    response = HttpResponseRedirect(back)
    set_choice(request, response, cookie, value)
    return response


def set_choice(request: HttpRequest, response: HttpResponse, cookie: str, value: str) -> None:
    """Store a choice of the reader in a cookie for a year, or delete the cookie for an empty value."""
    if value:
        response.set_cookie(cookie, value, max_age=YEAR_SECONDS, samesite="Lax", secure=request.is_secure())
    else:
        response.delete_cookie(cookie, samesite="Lax")
