"""The ratings of all clubs of a world in one list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext

from apps.api.methods import read_only
from apps.api.pages.context import PageContext, cached_part, page_context, render_page
from apps.api.pages.forms import RatingsForm
from apps.matches import selectors as matches
from apps.matches.models import Competition, World
from apps.ml import selectors as ml_selectors
from apps.ml.models import TeamRating

ROWS_SHOWN: Final = 50

EARLIER: Final = {World.REAL: timedelta(days=28), World.SANDBOX: timedelta(days=1)}
"""What the change of a rating looks back to."""


@read_only
def ratings(request: HttpRequest) -> HttpResponse:
    """List the clubs of a world by strength, or those of a country, a league or a name."""
    page, query = page_context(request), RatingsForm.parse(request)
    newest = ml_selectors.newest_rating(page.world)
    context: dict[str, Any] = {"newest": newest}
    if newest is None:
        context["champion"] = ml_selectors.champion(page.world)
    else:
        key = newest.pk, *query.values()
        context["clubs"] = cached_part(page, "partials/ratings/clubs.html", lambda: _clubs(page, newest, query), *key)
    return render_page(request, page, "pages/ratings.html", context)


def _clubs(page: PageContext, newest: TeamRating, query: dict[str, Any]) -> dict[str, Any]:
    """Return a page of the clubs that match a query, with the choices of its filters."""
    every = ml_selectors.ratings(newest)
    leagues = Competition.objects.filter(world=page.world, level__gte=1).select_related("region")
    competitions = list(leagues.order_by("region__name", "level", "name"))
    pages = Paginator(_filtered(every, query, page.world), ROWS_SHOWN)
    if query["page"] > pages.num_pages:
        raise Http404(gettext("There is no such page."))
    shown = pages.page(query["page"])
    before = ml_selectors.ratings_before(newest, [row.team_id for row in shown], earlier=EARLIER[page.world])
    chosen = {name: query[name] for name in ("country", "competition", "q") if query[name]}
    address = "?" + urlencode(({"world": page.world.value} if page.world_query else {}) | chosen) + "&page="
    return {
        "newest": newest,
        "query": query,
        "shown": shown,
        "rows": [
            (row, 100.0 * (row.p_win - before[row.team_id].p_win) if row.team_id in before else None) for row in shown
        ],
        "competitions": competitions,
        "countries": list(dict.fromkeys(competition.region.name for competition in competitions)),
        "stronger": f"{address}{query['page'] - 1}" if shown.has_previous() else "",
        "weaker": f"{address}{query['page'] + 1}" if shown.has_next() else "",
        "is_day": page.world == World.SANDBOX,
    }


def _filtered(rows: QuerySet[TeamRating], query: dict[str, Any], world: World) -> QuerySet[TeamRating]:
    """Return the ratings that match a query."""
    if query["country"]:
        rows = rows.filter(competition__region__name=query["country"])
    if query["competition"]:
        rows = rows.filter(competition__slug=query["competition"])
    return rows.filter(team__in=matches.search_teams(query["q"], world, limit=ROWS_SHOWN)) if query["q"] else rows
