"""The page of one match, and its row for lists that refresh it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from apps.api import selectors, services
from apps.api.methods import read_only
from apps.api.pages import match_blocks as blocks
from apps.api.pages.context import HtmxRequest, PageContext, cached_part, page_context, render_page
from apps.api.pages.sharing import share_of_match
from apps.api.selectors import MatchCard, Price
from apps.api.services.forecasts import ForecastDetails
from apps.matches import selectors as matches
from apps.matches.models import Match, MatchStats
from apps.matches.selectors import EarlierMatch, EarlierMatches, SquadMember
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services
from apps.ml.models import Prediction, TeamRating

FORM_SHOWN = 6
MEETINGS_SHOWN = 8
HISTORY_SHOWN = 200
"""Largest number of latest forecasts of a match on the page."""


@dataclass(frozen=True, slots=True)
class MatchFacts:
    """The stored facts of a match that its page shows.

    `history` are its latest forecasts in chronological order, `in_time` those that were published before kick-off.
    `forecast` is None where there is none, and `why_none` is the reason.
    """

    match: Match
    card: MatchCard
    history: Sequence[Prediction]
    in_time: Sequence[Prediction]
    price: Price | None
    forecast: ForecastDetails | None
    why_none: str
    earlier: EarlierMatches
    ratings: Mapping[int, TeamRating]
    lineups: Sequence[SquadMember]

    @property
    def stats(self) -> MatchStats | None:
        """Shots, expected goals and more of the match, where they are known."""
        return getattr(self.match, "stats", None)

    @property
    def played_before(self) -> list[EarlierMatch]:
        """The latest matches of both teams."""
        return [each for played in self.earlier.form.values() for each in played]

    @property
    def lineups_known_at(self) -> datetime | None:
        """When the last name of the line-ups became known; None without line-ups."""
        return max((each.known_at for each in self.lineups), default=None)


@read_only
def match(request: HtmxRequest, match_id: int) -> HttpResponse:
    """Show one match: its forecast, the reasons for it, and after the match how good it was."""
    page = page_context(request)
    found = matches.match_with_stats.first(match_id)
    if found is None:
        raise Http404(gettext("There is no such match."))
    page = page.in_world(found.season.competition.world)
    target = (request.htmx.target or "") if request.htmx else ""
    if target in (f"row-{found.pk}", f"row-{found.pk}-followed"):
        return _row(request, page, found, twin=target.removeprefix(f"row-{found.pk}"))
    facts = _facts(found, page.now)
    context = _context(page, facts)
    if facts.forecast is not None:
        context |= blocks.of_forecast(facts.card, facts.forecast, facts.stats)
        context["grid_and_why"] = _grid_and_why(page, facts, facts.forecast, context)
        context["movement"] = _movement(page, facts)
    return render_page(request, page, "pages/match.html", context, partial="partials/match.html")


def _row(request: HtmxRequest, page: PageContext, match: Match, *, twin: str) -> HttpResponse:
    """Return the row of a match, for a list that shows it.

    A list of several days shows the day in each row; a match of a followed team has two rows, distinguished by `twin`.
    """
    (card,) = selectors.cards([match], now=page.now)
    context = {"card": card, "dated": "dated" in request.GET, "twin": twin}
    return render_page(request, page, "", context, partial="partials/row.html")


def _facts(match: Match, now: datetime) -> MatchFacts:
    """Read what the page of a match shows."""
    history = ml_selectors.prediction_history(match.pk, latest=HISTORY_SHOWN)
    in_time = [each for each in history if each.published_at < match.kickoff_at]
    price = selectors.market_prices([match.pk]).get(match.pk)
    card = MatchCard(
        match=match,
        now=now,
        prediction=in_time[-1] if in_time else None,
        score=ml_selectors.score_of(in_time[-1], match) if in_time and match.has_result else None,
        market=price.probabilities if price else None,
        live=selectors.live_scores([match], now).get(match.pk),
    )
    forecast, why_none = None, ""
    try:
        forecast = services.forecast_details(match, card.prediction, now=now)
    except ml_services.NoForecastError as error:
        why_none = str(error)
    earlier = matches.earlier_matches(match, form=FORM_SHOWN, meetings=MEETINGS_SHOWN)
    return MatchFacts(
        match=match,
        card=card,
        history=history,
        in_time=in_time,
        price=price,
        forecast=forecast,
        why_none=why_none,
        earlier=earlier,
        ratings=ml_selectors.ratings_at(earlier.form, match.kickoff_at),
        lineups=matches.lineups_of(match.pk),
    )


def _context(page: PageContext, facts: MatchFacts) -> dict[str, Any]:
    """Return what the page shows of a match with or without a forecast."""
    match, card = facts.match, facts.card
    return {
        "card": card,
        "share": share_of_match(card),
        "match": match,
        "stats": facts.stats,
        "contradictions": matches.contradictions_of(match.pk) if match.home_goals is not None else [],
        "price": facts.price,
        "forecast": facts.forecast,
        "why_none": facts.why_none,
        "late": [each for each in facts.history if each.published_at >= match.kickoff_at],
        "stakes": blocks.stakes_table(match, getattr(match, "stakes", None)),
        "squads": blocks.squads(match, facts.lineups, matches.absences_of(match.pk)),
        "forms": cached_part(
            page,
            "partials/match/earlier.html",
            lambda: _forms(match, facts.earlier, facts.ratings),
            *card.shown,
            *_earlier(facts.earlier, facts.ratings),
        ),
        "proof": ml_selectors.ledger_day_of(card.prediction, now=page.now) if card.prediction else None,
        "anonymous_api": settings.SPAI_ANONYMOUS_API,
    }


def _grid_and_why(
    page: PageContext, facts: MatchFacts, forecast: ForecastDetails, context: Mapping[str, Any]
) -> SafeString:
    """Return the scorelines and the reasons of a forecast as a part of the page; `context` is that of the page."""
    names = ("card", "match", "price", "forecast", "judgement", "why", "expectation")
    shown, price = {name: context[name] for name in names}, facts.price
    return cached_part(
        page,
        "partials/match/grid_and_why.html",
        lambda: shown | blocks.of_grid(facts.card, forecast),
        *facts.card.shown,
        *(forecast.p, forecast.model_goals, forecast.rho, *sorted(forecast.contributions.items())),
        *(price and (price.bookmaker, price.moment), facts.card.may_kick_off),
    )


def _movement(page: PageContext, facts: MatchFacts) -> SafeString:
    """Return the chart of the forecasts up to kick-off as a part of the page."""
    match, results, known_at = facts.match, facts.played_before, facts.lineups_known_at
    end = min(page.now, match.kickoff_at)
    return cached_part(
        page,
        "partials/match/movement.html",
        lambda: {"chart": blocks.movement(match, facts.in_time, results, known_at, end)},
        *facts.card.shown,
        # Rounded to the minute, like the label at the end of the chart.
        end.replace(second=0, microsecond=0),
        known_at,
        *(each.pk for each in facts.in_time),
        *results,
    )


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
