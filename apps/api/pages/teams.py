"""The page of one team."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from apps.api import selectors
from apps.api.methods import read_only
from apps.api.pages.context import page_context, render_page
from apps.api.pages.sharing import share_of_team
from apps.matches import selectors as matches
from apps.matches.models import Team

COMING_SHOWN = 6
PLAYED_SHOWN = 10


@read_only
def team(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the next matches of a team and its latest results."""
    found = Team.objects.select_related("region").filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such team.")
    seasons = selectors.seasons_of_team(found)
    page = page_context(request, world=seasons[0].competition.world if seasons else None)
    coming = selectors.coming_of_team(found, page.now, limit=COMING_SHOWN)
    recent = matches.recent_form([found.pk], page.now, limit=PLAYED_SHOWN)[found.pk]
    cards = selectors.cards([*coming, *(each.match for each in recent)], now=page.now)
    context = {
        "team": found,
        "share": share_of_team(found, cards[0] if coming else None),
        "seasons": seasons,
        "coming": cards[: len(coming)],
        "played": cards[len(coming) :],
        "recent": recent,
    }
    return render_page(request, page, "pages/team.html", context)
