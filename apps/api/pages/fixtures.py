"""The start page, which lists the matches of a day, the calendar behind it, and the search."""

from __future__ import annotations

from calendar import Calendar, monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from apps.api import charts, record_charts, selectors
from apps.api.methods import read_only
from apps.api.pages.context import PageContext, cached_part, followed_teams, page_context, render_page
from apps.api.pages.forms import CalendarForm, FixturesForm, SearchForm
from apps.api.pages.record import FAIR_FROM
from apps.api.selectors import CompetitionFixtures, MatchCard
from apps.matches import selectors as matches
from apps.matches.models import World
from apps.ml import selectors as ml_selectors
from apps.ml.models import Prediction

DAYS_BEFORE = 3
DAYS_AFTER = 9

SURPRISING = 40
"""Per cents below which what happened counts as a surprise."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day, the number of its matches, and whether days without one were left out before it."""

    day: date
    matches: int
    is_after_gap: bool = False


@dataclass(frozen=True, slots=True)
class Pick:
    """A match worth a look: the outcome that it is about, and the whole per cents that we and the market give to it."""

    card: MatchCard
    outcome: str
    ours: list[int]
    given: int
    market: int | None


@read_only
def fixtures(request: HttpRequest) -> HttpResponse:
    """Show the matches of a day: those of followed teams, then league by league."""
    page, query = page_context(request), FixturesForm.parse(request)
    day = query["day"] or selectors.nearest_day(page.world, page.now, page.zone)
    whole = query["competition"]
    followed = () if whole else followed_teams(request)
    found = selectors.fixtures_of_day(page.world, day, page.zone, now=page.now, whole=whole, followed=followed)
    shown = {
        card.match.pk: card for card in (*found.followed, *(card for each in found.leagues for card in each.cards))
    }
    forecast = [(card, card.prediction) for card in shown.values() if card.prediction]
    days = _days(page.world, day, page.zone)
    today = page.now.astimezone(page.zone).date()
    champion = ml_selectors.champion_shown(page.world)
    context = {
        "day": day,
        "today": today,
        "days": cached_part(
            page,
            "partials/fixtures/days.html",
            lambda: {"days": days, "day": day, "today": today, "request": request},
            *(request.GET.urlencode(), day, today, *days),
        ),
        "followed": found.followed,
        "leagues": _leagues(request, page, found, day),
        "others": found.others,
        "whole": whole,
        "closest": _closest(forecast),
        "widest": _widest(forecast),
        "lede": _lede(page),
        "surprise": _surprise(forecast),
        "champion": champion,
        "run": None if champion else ml_selectors.latest_run(page.world),
        "has_matches": any(each.matches for each in days),
    }
    return render_page(request, page, "pages/fixtures.html", context, partial="partials/fixtures.html")


def _leagues(request: HttpRequest, page: PageContext, found: selectors.DayFixtures, day: date) -> list[SafeString]:
    """Return the leagues of a day as parts of the page."""
    today = page.now.astimezone(page.zone).date()

    def part(league: CompetitionFixtures, *, is_first: bool) -> SafeString:
        competition = league.competition
        whole = ""
        if league.earlier or league.later:
            query = request.GET.copy()
            query["day"], query["competition"] = day.isoformat(), competition.slug
            whole = f"?{query.urlencode()}"
        return cached_part(
            page,
            "partials/fixtures/league.html",
            lambda: {"league": league, "is_first": is_first, "whole": whole, "day": day, "today": today},
            *(competition.pk, competition.name, competition.slug, competition.region.name, is_first),
            *(league.earlier, league.later, whole, day == today),
            *(card.shown for card in league.cards),
        )

    return [part(league, is_first=not n and not found.followed) for n, league in enumerate(found.leagues)]


def _lede(page: PageContext) -> SafeString:
    """Return the first line: what this is, with the record of published forecasts, of back-tests until it is fair."""
    found = {each.is_back_tested: each for each in ml_selectors.records(page.world) if each.content["n"]}
    published = found.get(False)
    is_fair = published is not None and published.content["n"] >= FAIR_FROM
    summary = published if is_fair else found.get(True, published)

    def claim() -> dict[str, Any]:
        if summary is None:
            return {}
        content, compared = summary.content, summary.content["compared"]
        return {
            "record": content,
            "is_back_tested": summary.is_back_tested,
            "headline": record_charts.calibration(content["calibration"]).headline
            if content["n"] >= FAIR_FROM
            else None,
            "verdict": record_charts.verdict(compared["to_market"]) if compared and "to_market" in compared else "",
        }

    return cached_part(
        page, "partials/fixtures/lede.html", claim, *((summary.pk, summary.computed_at) if summary else ())
    )


def _days(world: World, day: date, zone: ZoneInfo) -> list[Day]:
    """Return the days with matches around a day, and the day itself."""
    days = selectors.days_around(world, day, zone, before=DAYS_BEFORE, after=DAYS_AFTER)
    return [
        Day(each, count, before is not None and each - before > timedelta(days=1))
        for before, (each, count) in zip([None, *days], days.items(), strict=False)
    ]


Forecasts = Sequence[tuple[MatchCard, Prediction]]


def _closest(forecasts: Forecasts) -> Pick | None:
    """Return the match to come whose sides are most equal."""
    coming = [each for each in forecasts if each[0].phase == "coming"]
    if not coming:
        return None
    card, forecast = min(coming, key=lambda each: abs(each[1].p_home - each[1].p_away))
    return _pick(card, forecast, "home" if forecast.p_home >= forecast.p_away else "away")


def _widest(forecasts: Forecasts) -> Pick | None:
    """Return the match to come on which we and the market differ most, if they are not level on all of them."""
    wide = [
        (abs(gap.points), gap.outcome, card, forecast)
        for card, forecast in forecasts
        if card.phase == "coming" and (gap := card.gap) and not gap.is_level
    ]
    if not wide:
        return None
    _, outcome, card, forecast = max(wide, key=lambda each: each[0])
    return _pick(card, forecast, outcome)


def _surprise(forecasts: Forecasts) -> Pick | None:
    """Return the match that ended as we expected least, if that was little."""
    over = [
        (card.given, card, forecast)
        for card, forecast in forecasts
        if card.given is not None and card.given < SURPRISING
    ]
    if not over:
        return None
    _, card, forecast = min(over, key=lambda each: each[0])
    return _pick(card, forecast, charts.OUTCOMES["HDA".index(card.outcome)])


def _pick(card: MatchCard, forecast: Prediction, outcome: str) -> Pick:
    place, ours = charts.OUTCOMES.index(outcome), charts.whole_percents(forecast.probabilities)
    market = charts.whole_percents(card.market)[place] if card.market else None
    return Pick(card, outcome, ours, ours[place], market)


@read_only
def calendar(request: HttpRequest) -> HttpResponse:
    """Show the days of a month, with the number of matches on each."""
    page, query = page_context(request), CalendarForm.parse(request)
    first = query["month"] or selectors.nearest_day(page.world, page.now, page.zone).replace(day=1)
    last = first.replace(day=monthrange(first.year, first.month)[1])
    counts = selectors.day_counts(page.world, first, last.day, page.zone)
    earlier = min(selectors.days_around(page.world, first, page.zone, before=1, after=0))
    later = max(selectors.days_around(page.world, last, page.zone, before=0, after=1))
    context = {
        "month": first,
        "today": page.now.astimezone(page.zone).date(),
        "weeks": [
            [Day(day, counts.get(day, 0)) for day in week]
            for week in Calendar().monthdatescalendar(first.year, first.month)
        ],
        "earlier": earlier if earlier < first else None,
        "later": later if later > last else None,
    }
    return render_page(request, page, "pages/calendar.html", context)


@read_only
def search(request: HttpRequest) -> HttpResponse:
    """Find teams, leagues and matches by any of their names."""
    page, text = page_context(request), SearchForm.parse(request)["q"]
    teams = matches.search_teams(text, page.world)
    context = {
        "q": text,
        "teams": teams,
        "competitions_found": selectors.search_competitions(text, world=page.world),
        "matches_found": selectors.search_matches(text, teams, world=page.world, now=page.now),
    }
    return render_page(request, page, "pages/search.html", context, partial="partials/search.html")
