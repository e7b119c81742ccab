"""The page of one match, and its row for lists that refresh it."""

from __future__ import annotations

from django.http import Http404, HttpResponse

from apps.api import charts, selectors, services
from apps.api.methods import read_only
from apps.api.pages.context import HtmxRequest, page_context, render_page
from apps.matches import selectors as matches
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services

FORM_SHOWN = 6
MEETINGS_SHOWN = 8


@read_only
def match(request: HtmxRequest, match_id: int) -> HttpResponse:
    """Show one match: its forecast, the reasons for it, and after the match its scores."""
    found = matches.matches().filter(pk=match_id).first()
    if found is None:
        raise Http404("There is no such match.")
    page = page_context(request, world=found.season.competition.world)
    (card,) = selectors.cards([found], now=page.now)
    target = (request.htmx.target or "") if request.htmx else ""
    if target in (f"row-{found.pk}", f"row-{found.pk}-followed"):
        # A list of several days shows the day in each row; a match of a followed team has two rows.
        context = {"card": card, "dated": "dated" in request.GET, "twin": target.removeprefix(f"row-{found.pk}")}
        return render_page(request, page, "", context, partial="partials/row.html")
    history = list(ml_selectors.prediction_history(found.pk))
    in_time = [each for each in history if each.published_at < found.kickoff_at]
    why_none = ""
    try:
        forecast = services.forecast_details(found, card.prediction, now=page.now)
    except ml_services.NoForecastError as error:
        forecast, why_none = None, str(error)
    recent = matches.recent_form([found.home_team_id, found.away_team_id], found.kickoff_at, limit=FORM_SHOWN)
    context = {
        "card": card,
        "match": found,
        "score": card.score,
        "contradictions": list(matches.contradictions_of(found.pk)),
        "price": selectors.market_prices([found.pk]).get(found.pk),
        "forecast": forecast,
        "why_none": why_none,
        "heat": charts.heat(forecast.grid) if forecast else [],
        "contribution_bars": charts.contribution_bars(forecast.contributions) if forecast else [],
        "movement": charts.movement(
            [(each.published_at, each.probabilities) for each in in_time], min(page.now, found.kickoff_at)
        ),
        "history": in_time[::-1],
        "late": [each for each in history if each.published_at >= found.kickoff_at],
        "forms": [(team, recent[team.pk]) for team in (found.home_team, found.away_team)],
        "meetings": matches.head_to_head(
            found.home_team_id, found.away_team_id, found.kickoff_at, limit=MEETINGS_SHOWN
        ),
    }
    return render_page(request, page, "pages/match.html", context, partial="partials/match.html")
