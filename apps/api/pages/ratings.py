"""The ratings of all clubs of a world in one list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from apps.api.methods import read_only
from apps.api.pages.context import page_context, render_page
from apps.api.pages.forms import RatingsForm
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
    context: dict[str, Any] = {"newest": newest, "query": query}
    if newest is None:
        context["champion"] = ml_selectors.champion(page.world)
        return render_page(request, page, "pages/ratings.html", context)
    every = ml_selectors.ratings(newest)
    of = list(
        Competition.objects.filter(pk__in=every.order_by().values("competition"))
        .select_related("region")
        .order_by("region__name", "level", "name")
    )
    pages = Paginator(_filtered(every, query), ROWS_SHOWN)
    if query["page"] > pages.num_pages:
        raise Http404("There is no such page.")
    shown = pages.page(query["page"])
    before = ml_selectors.ratings_before(newest, [row.team_id for row in shown], earlier=EARLIER[page.world])
    context |= {
        "shown": shown,
        "rows": [
            (row, 100.0 * (row.p_win - before[row.team_id].p_win) if row.team_id in before else None) for row in shown
        ],
        "competitions": of,
        "countries": list(dict.fromkeys(competition.region.name for competition in of)),
        "is_day": page.world == World.SANDBOX,
    }
    return render_page(request, page, "pages/ratings.html", context)


def _filtered(rows: QuerySet[TeamRating], query: dict[str, Any]) -> QuerySet[TeamRating]:
    """Return the ratings that a query asks for."""
    if query["country"]:
        rows = rows.filter(competition__region__name=query["country"])
    if query["competition"]:
        rows = rows.filter(competition__slug=query["competition"])
    return rows.filter(team__name__icontains=query["q"]) if query["q"] else rows
