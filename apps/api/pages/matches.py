"""The page of one match, and its row where a list pulls it."""

from __future__ import annotations

from django.http import Http404, HttpResponse

from apps.api import charts, selectors, services
from apps.api.methods import read_only
from apps.api.pages.frame import HtmxRequest, frame_of, show
from apps.matches import selectors as matches
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services

LARGEST_ID = 2**63 - 1
FORM_SHOWN = 6
MEETINGS_SHOWN = 8


@read_only
def match(request: HtmxRequest, match_id: int) -> HttpResponse:
    """Show one match: its forecast, what the forecast rests on, and afterwards how it did."""
    found = matches.matches().filter(pk=match_id).first() if match_id <= LARGEST_ID else None
    if found is None:
        raise Http404("There is no such match.")
    frame = frame_of(request, world=found.season.competition.world)
    (card,) = selectors.cards([found], now=frame.now)
    if request.htmx and request.htmx.target == f"row-{found.pk}":
        # A list of several days shows the day in each row.
        context = {"card": card, "dated": "dated" in request.GET}
        return show(request, frame, "", context, partial="partials/row.html")
    history = list(ml_selectors.prediction_history(found.pk))
    in_time = [each for each in history if each.published_at < found.kickoff_at]
    why_none = ""
    try:
        outlook = services.outlook_of(found, card.prediction, now=frame.now)
    except ml_services.NoForecastError as error:
        outlook, why_none = None, str(error)
    form = matches.recent_form([found.home_team_id, found.away_team_id], found.kickoff_at, limit=FORM_SHOWN)
    context = {
        "card": card,
        "match": found,
        "score": card.score,
        "contradictions": list(matches.contradictions_of(found.pk)),
        "price": selectors.market_prices([found.pk]).get(found.pk),
        "outlook": outlook,
        "why_none": why_none,
        "heat": charts.heat(outlook.grid) if outlook else [],
        "pushes": charts.pushes(outlook.contributions) if outlook else [],
        "movement": charts.movement(
            [(each.published_at, each.probabilities) for each in in_time], min(frame.now, found.kickoff_at)
        ),
        "history": in_time[::-1],
        "late": [each for each in history if each.published_at >= found.kickoff_at],
        "forms": [(team, form[team.pk]) for team in (found.home_team, found.away_team)],
        "meetings": matches.head_to_head(
            found.home_team_id, found.away_team_id, found.kickoff_at, limit=MEETINGS_SHOWN
        ),
    }
    return show(request, frame, "pages/match.html", context, partial="partials/match.html")
