"""The page of one match, and its row for lists that refresh it."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils import timezone

from apps.api import selectors, services
from apps.api.methods import read_only
from apps.api.pages import match_blocks as blocks
from apps.api.pages.context import HtmxRequest, page_context, render_page
from apps.api.pages.sharing import share_of_match
from apps.matches import selectors as matches
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services

FORM_SHOWN = 6
MEETINGS_SHOWN = 8
HISTORY_SHOWN = 200
"""Latest forecasts of a match that the page looks at."""


@read_only
def match(request: HtmxRequest, match_id: int) -> HttpResponse:
    """Show one match: its forecast, the reasons for it, and after the match how good it was."""
    found = matches.matches().select_related("stats", "stakes").filter(pk=match_id).first()
    if found is None:
        raise Http404("There is no such match.")
    page = page_context(request, world=found.season.competition.world)
    target = (request.htmx.target or "") if request.htmx else ""
    if target in (f"row-{found.pk}", f"row-{found.pk}-followed"):
        (card,) = selectors.cards([found], now=page.now)
        # A list of several days shows the day in each row; a match of a followed team has two rows.
        context = {"card": card, "dated": "dated" in request.GET, "twin": target.removeprefix(f"row-{found.pk}")}
        return render_page(request, page, "", context, partial="partials/row.html")
    history = ml_selectors.prediction_history(found.pk, latest=HISTORY_SHOWN)
    in_time = [each for each in history if each.published_at < found.kickoff_at]
    price = selectors.market_prices([found.pk]).get(found.pk)
    card = selectors.MatchCard(
        match=found,
        now=page.now,
        prediction=in_time[-1] if in_time else None,
        score=ml_selectors.score_of(in_time[-1], found) if in_time and found.has_result else None,
        market=price.probabilities if price else None,
        live=selectors.live_scores([found], page.now).get(found.pk),
    )
    forecast, why_none = None, ""
    try:
        forecast = services.forecast_details(found, card.prediction, now=page.now)
    except ml_services.NoForecastError as error:
        why_none = str(error)
    earlier = matches.earlier_matches(found, form=FORM_SHOWN, meetings=MEETINGS_SHOWN)
    ratings = ml_selectors.ratings_at(earlier.form, found.kickoff_at)
    lineups = matches.lineups_of(found.pk)
    stats = getattr(found, "stats", None)
    context = {
        "card": card,
        "share": share_of_match(card),
        "match": found,
        "stats": stats,
        "contradictions": list(matches.contradictions_of(found.pk)) if found.home_goals is not None else [],
        "price": price,
        "forecast": forecast,
        "why_none": why_none,
        "late": [each for each in history if each.published_at >= found.kickoff_at],
        "stakes": blocks.stakes_table(found, getattr(found, "stakes", None)),
        "squads": blocks.squads(found, lineups, matches.absences_of(found.pk)),
        "forms": [(team, earlier.form[team.pk], ratings.get(team.pk)) for team in (found.home_team, found.away_team)],
        "meetings": earlier.meetings,
        "proof": ml_selectors.ledger_day_of(card.prediction, now=page.now) if card.prediction else None,
        "anonymous_api": settings.SPAI_ANONYMOUS_API,
    }
    if forecast is not None:
        known_at = max((each.known_at for each in lineups), default=None)
        with timezone.override(page.zone):
            chart = blocks.movement(
                found,
                in_time,
                [each for played in earlier.form.values() for each in played],
                known_at,
                min(page.now, found.kickoff_at),
            )
        context |= {"chart": chart} | blocks.of_forecast(card, forecast, stats)
    return render_page(request, page, "pages/match.html", context, partial="partials/match.html")
