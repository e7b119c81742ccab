"""For programs and phones: the list of pages, what crawlers must not request, and the manifest of the web app."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap, views
from django.core.paginator import Page, Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.translation import gettext

from apps.api.pages.context import cached_for
from apps.matches.models import Competition, Match, Season, Team
from apps.ml import selectors as ml_selectors

MAX_AGE: Final = timedelta(hours=6)
PAGES: Final = ("/", "/competitions/", "/track-record/", "/ledger/", "/models/", "/features/", "/about/", "/api/docs/")


class SiteSitemap(Sitemap):
    """A part of the sitemap: of the world that is shown first, with the public address."""

    limit = 1000
    protocol = urlsplit(settings.SPAI_WEB_URL).scheme

    def get_domain(self, site: Any = None) -> str:
        """Return the host of the public address."""
        return urlsplit(settings.SPAI_WEB_URL).netloc


class PageSitemap(SiteSitemap):
    """Pages that are there once."""

    def items(self) -> Any:
        """Return their paths."""
        return PAGES

    def location(self, item: Any) -> str:
        """Return the path."""
        return str(item)


class CompetitionSitemap(SiteSitemap):
    """Competitions."""

    def items(self) -> Any:
        """Return their slugs."""
        of_world = Competition.objects.filter(world=ml_selectors.served_world())
        return of_world.order_by("pk").values_list("slug", flat=True)

    def location(self, item: Any) -> str:
        """Return the path of the page."""
        return f"/competitions/{item}/"


class TeamSitemap(SiteSitemap):
    """Teams."""

    def items(self) -> Any:
        """Return their slugs."""
        of_world = Competition.objects.filter(world=ml_selectors.served_world(), region=OuterRef("region"))
        return Team.objects.filter(Exists(of_world)).order_by("pk").values_list("slug", flat=True)

    def location(self, item: Any) -> str:
        """Return the path of the page."""
        return f"/teams/{item}/"


class SeasonPaginator(Paginator):
    """Pages of matches, one for each season: the next page is found without counting the matches before it."""

    def __init__(self) -> None:
        seasons = Season.objects.filter(world=ml_selectors.served_world())
        super().__init__(seasons.order_by("pk").values_list("pk", flat=True), 1)

    def page(self, number: int | str) -> Page:
        """Return the matches of a season.

        Raises
        ------
        InvalidPage
            When there is no such page.
        """
        seasons: Iterable[int] = super().page(number).object_list
        rows = Match.objects.filter(season__in=list(seasons)).order_by("kickoff_at", "pk")
        return Page(list(rows.values_list("pk", "updated_at")), self.validate_number(number), self)


class MatchSitemap(SiteSitemap):
    """Matches, season by season."""

    @property
    def paginator(self) -> Paginator:
        """Return the seasons."""
        return SeasonPaginator()

    def location(self, item: Any) -> str:
        """Return the path of the page."""
        return f"/matches/{item[0]}/"

    def lastmod(self, item: Any) -> datetime:
        """Return when it was last changed."""
        changed_at: datetime = item[1]
        return changed_at

    def get_latest_lastmod(self) -> None:
        """Return nothing: the newest of all matches is not looked for."""


SITEMAPS: Final[dict[str, type[Sitemap[Any]] | Sitemap[Any]]] = {
    "pages": PageSitemap,
    "competitions": CompetitionSitemap,
    "teams": TeamSitemap,
    "matches": MatchSitemap,
}


@cached_for(MAX_AGE)
def sitemap_index(request: HttpRequest) -> HttpResponse:
    """List the parts of the sitemap."""
    return views.index(request, SITEMAPS, sitemap_url_name="sitemap").render()


@cached_for(MAX_AGE)
def sitemap(request: HttpRequest, section: str) -> HttpResponse:
    """List the pages of one part."""
    return views.sitemap(request, SITEMAPS, section).render()


@cached_for(MAX_AGE)
def robots(request: HttpRequest) -> HttpResponse:
    """Say what programs may fetch."""
    return render(request, "robots.txt", {"site_url": settings.SPAI_WEB_URL}, content_type="text/plain; charset=utf-8")


@cached_for(MAX_AGE)
def manifest(request: HttpRequest) -> HttpResponse:
    """Describe the site to phones and browsers that keep it like an app."""
    return JsonResponse(
        {
            "name": gettext("spai: football forecasts"),
            "short_name": "spai",
            "description": gettext(
                "The chance of every football result, published before kick-off and graded in public."
            ),
            "start_url": "/",
            "scope": "/",
            "display": "minimal-ui",
            "background_color": "#f7f6f2",
            "theme_color": "#f7f6f2",
            "icons": [
                {"src": static("spai/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
                *(
                    {"src": static(f"spai/icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"}
                    for size in (192, 512)
                ),
            ],
        },
        content_type="application/manifest+json",
    )
