"""The start page, which lists the matches of a day, and the search for teams and competitions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from django.http import HttpRequest, HttpResponse

from apps.api import selectors
from apps.api.methods import read_only
from apps.api.pages.context import page_context, render_page, zone_names
from apps.api.pages.forms import FixturesForm, SearchForm
from apps.api.selectors import DayMatch, MatchCard
from apps.matches import selectors as matches
from apps.matches.models import Competition
from apps.ml import selectors as ml_selectors

STRIP_BEFORE = 3
STRIP_DAYS = 9


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the row of days, with the number of its matches."""

    day: date
    matches: int


@dataclass(frozen=True, slots=True)
class CompetitionFixtures:
    """The matches of one competition on a day; `earlier` and `later` count those that are not shown."""

    competition: Competition
    cards: list[MatchCard]
    earlier: int
    later: int


@read_only
def fixtures(request: HttpRequest) -> HttpResponse:
    """Show the matches of a day, competition by competition."""
    page, query = page_context(request), FixturesForm.parse(request)
    today = page.now.astimezone(page.zone).date()
    day = query["day"] or selectors.nearest_day(page.world, page.now, page.zone)
    whole = query["competition"]
    first = day - timedelta(days=STRIP_BEFORE)
    counts = selectors.day_counts(page.world, first, STRIP_DAYS, page.zone)
    earlier, later = selectors.neighbour_days(page.world, first, STRIP_DAYS, page.zone)
    rows = selectors.fixtures_of_day(page.world, day, page.zone, now=page.now, whole=whole)
    leagues = _leagues(rows, selectors.cards([row.match for row in rows], now=page.now))
    champion = ml_selectors.champion(page.world)
    context = {
        "day": day,
        "today": today,
        "strip": [Day(each, counts.get(each, 0)) for each in (first + timedelta(days=n) for n in range(STRIP_DAYS))],
        "earlier_day": earlier,
        "later_day": later,
        "leagues": leagues,
        "whole": whole,
        "champion": champion,
        "run": None if champion else ml_selectors.latest_run(page.world),
        "has_matches": bool(leagues or counts or earlier or later),
        "zones": zone_names(),
    }
    return render_page(request, page, "pages/fixtures.html", context, partial="partials/fixtures.html")


def _leagues(rows: list[DayMatch], cards: list[MatchCard]) -> list[CompetitionFixtures]:
    leagues = []
    pairs = zip(rows, cards, strict=True)
    for _, group in groupby(pairs, key=lambda pair: pair[0].match.season.competition_id):
        found = list(group)
        started = [row for row, _ in found if row.has_started]
        coming = [row for row, _ in found if not row.has_started]
        leagues.append(
            CompetitionFixtures(
                competition=found[0][0].match.season.competition,
                cards=[card for _, card in found],
                earlier=started[0].of_its_kind - len(started) if started else 0,
                later=coming[0].of_its_kind - len(coming) if coming else 0,
            )
        )
    return leagues


@read_only
def search(request: HttpRequest) -> HttpResponse:
    """Find teams and competitions by a part of their name."""
    page, text = page_context(request), SearchForm.parse(request)["q"]
    context = {
        "q": text,
        "teams": matches.search_teams(text, page.world),
        "competitions_found": selectors.search_competitions(text, world=page.world),
    }
    return render_page(request, page, "pages/search.html", context, partial="partials/search.html")
