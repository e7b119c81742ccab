"""The page of one team."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from apps.api import selectors
from apps.api.methods import read_only
from apps.api.pages.context import page_context, render_page
from apps.api.pages.sharing import share_of_team
from apps.api.rating_charts import rating_history
from apps.api.services import league as leagues
from apps.matches import selectors as matches
from apps.matches.models import Match, Team
from apps.matches.records import Side
from apps.ml import selectors as ml_selectors

COMING_SHOWN = 5
PLAYED_SHOWN = 10


@read_only
def team(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what a team may expect of its season, its next matches, its latest results, and who is missing."""
    found = Team.objects.select_related("region").filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such team.")
    seasons = selectors.seasons_of_team(found)
    page = page_context(request, world=seasons[0].competition.world if seasons else None)
    season = next((each for each in seasons if each.competition.level >= 1), None)
    coming = selectors.coming_of_team(found, page.now, limit=COMING_SHOWN)
    recent = matches.recent_form([found.pk], page.now, limit=PLAYED_SHOWN)[found.pk]
    cards = selectors.cards([*coming, *(each.match for each in recent)], now=page.now)
    context = {
        "team": found,
        "share": share_of_team(found, cards[0] if coming else None),
        "seasons": seasons,
        "season": season,
        "in_league": leagues.team_in_league(found, season, page.now) if season else None,
        "coming": cards[: len(coming)],
        "played": list(zip(recent, cards[len(coming) :], strict=True)),
        "history": rating_history(found, ml_selectors.rating_history(found.pk)),
        "squad_value": matches.squad_value_of(found),
        "absences": _absences(found, coming[0]) if coming else [],
    }
    return render_page(request, page, "pages/team.html", context)


def _absences(found: Team, match: Match) -> list[matches.MissingPlayer]:
    """Return who is missing from a team's side of its next match."""
    side = Side.HOME if match.home_team_id == found.pk else Side.AWAY
    return [player for player in matches.absences_of(match.pk) if player.side == side]
