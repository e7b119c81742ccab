"""The page of one match, and its row for lists that refresh it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils.translation import gettext

from apps.api import selectors, services
from apps.api.methods import read_only
from apps.api.pages import match_blocks as blocks
from apps.api.pages.context import HtmxRequest, kept_part, page_context, render_page
from apps.api.pages.sharing import share_of_match
from apps.matches import selectors as matches
from apps.matches.models import Match
from apps.matches.selectors import EarlierMatches
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services
from apps.ml.models import TeamRating

FORM_SHOWN = 6
MEETINGS_SHOWN = 8
HISTORY_SHOWN = 200
"""Latest forecasts of a match that the page looks at."""


@read_only
def match(request: HtmxRequest, match_id: int) -> HttpResponse:
    """Show one match: its forecast, the reasons for it, and after the match how good it was."""
    found = matches.match_with_stats.first(match_id)
    if found is None:
        raise Http404(gettext("There is no such match."))
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
    stats, stakes = getattr(found, "stats", None), getattr(found, "stakes", None)
    # All of the match itself that parts of its page show.
    key = card.shown
    context = {
        "card": card,
        "share": share_of_match(card),
        "match": found,
        "stats": stats,
        "contradictions": matches.contradictions_of(found.pk) if found.home_goals is not None else [],
        "price": price,
        "forecast": forecast,
        "why_none": why_none,
        "late": [each for each in history if each.published_at >= found.kickoff_at],
        "stakes": blocks.stakes_table(found, stakes),
        "squads": blocks.squads(found, lineups, matches.absences_of(found.pk)),
        "forms": kept_part(
            page,
            "partials/match/earlier.html",
            lambda: _forms(found, earlier, ratings),
            *key,
            *_earlier(earlier, ratings),
        ),
        "proof": ml_selectors.ledger_day_of(card.prediction, now=page.now) if card.prediction else None,
        "anonymous_api": settings.SPAI_ANONYMOUS_API,
    }
    if forecast is not None:
        context |= blocks.of_forecast(card, forecast, stats)
        known_at = max((each.known_at for each in lineups), default=None)
        end = min(page.now, found.kickoff_at)
        of_forms = [each for played in earlier.form.values() for each in played]
        of_forecast = {
            name: context[name] for name in ("card", "match", "price", "forecast", "judgement", "why", "expectation")
        }

        def chart() -> dict[str, Any]:
            return {"chart": blocks.movement(found, in_time, of_forms, known_at, end)}

        context["grid_and_why"] = kept_part(
            page,
            "partials/match/grid_and_why.html",
            lambda: of_forecast | blocks.of_grid(card, forecast),
            *(*key, forecast.p, forecast.model_goals, forecast.rho, *sorted(forecast.contributions.items())),
            *(price and (price.bookmaker, price.moment), card.may_kick_off),
        )
        # To the minute, as the chart writes its end.
        minute = end.replace(second=0, microsecond=0)
        context["movement"] = kept_part(
            page,
            "partials/match/movement.html",
            chart,
            *key,
            minute,
            known_at,
            *(each.pk for each in in_time),
            *of_forms,
        )
    return render_page(request, page, "pages/match.html", context, partial="partials/match.html")


def _forms(match: Match, earlier: EarlierMatches, ratings: Mapping[int, TeamRating]) -> dict[str, Any]:
    """Return the form of both teams and their earlier meetings."""
    teams = match.home_team, match.away_team
    return {
        "forms": [(team, earlier.form[team.pk], ratings.get(team.pk)) for team in teams],
        "meetings": earlier.meetings,
    }


def _earlier(earlier: EarlierMatches, ratings: Mapping[int, TeamRating]) -> Iterator[Hashable]:
    """Yield all that `_forms` shows of other matches."""
    for found in (*earlier.form.values(), earlier.meetings):
        yield tuple(found)
    for pk, rating in sorted(ratings.items()):
        yield pk, rating.place, rating.attack, rating.defence, rating.p_win
