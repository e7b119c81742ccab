"""The page of one team."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext

from apps.api import selectors
from apps.api.methods import read_only
from apps.api.pages.context import cached_part, page_context, render_page
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
    page = page_context(request)
    found = matches.team_of_slug.first(slug)
    if found is None:
        raise Http404(gettext("There is no such team."))
    seasons = selectors.seasons_of_team(found)
    page = page.in_world(seasons[0].competition.world if seasons else None)
    season = next((each for each in seasons if each.competition.level >= 1), None)
    to_come = selectors.ids_of_coming(found, page.now, limit=COMING_SHOWN)
    over = matches.recent_results([found.pk], page.now, PLAYED_SHOWN)[found.pk]
    cards = selectors.cards_of([*to_come, *over], now=page.now)
    coming = [cards[pk] for pk in to_come]
    played = [(matches.form_entry(cards[pk].match, found.pk), cards[pk]) for pk in over]
    ratings = ml_selectors.rating_history(found.pk)
    context = {
        "team": found,
        "share": share_of_team(found, coming[0] if coming else None),
        "seasons": seasons,
        "season": season,
        "in_league": leagues.team_in_league(found, season, page.now) if season else None,
        "coming": coming,
        "results": cached_part(
            page, "partials/team/results.html", lambda: {"played": played}, found.pk, *(cards[pk].shown for pk in over)
        ),
        "ratings": cached_part(
            page,
            "partials/ratings/history.html",
            lambda: {"history": rating_history(found, ratings)},
            *(found.name, found.display_code, *ratings),
        ),
        "squad_value": matches.squad_value_of(found),
        "absences": _absences(found, coming[0].match) if coming else [],
    }
    return render_page(request, page, "pages/team.html", context)


def _absences(found: Team, match: Match) -> list[matches.MissingPlayer]:
    """Return who is missing from a team's side of its next match."""
    side = Side.HOME if match.home_team_id == found.pk else Side.AWAY
    return [player for player in matches.absences_of(match.pk) if player.side == side]
