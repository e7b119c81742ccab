"""The first page: the matches of a day, and the search for a team."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.dateparse import parse_date

from apps.api import selectors
from apps.api.methods import read_only
from apps.api.pages.frame import frame_of, show, zone_names
from apps.api.selectors import Card, OnDay
from apps.matches import selectors as matches
from apps.matches.models import Competition
from apps.ml import selectors as ml_selectors

STRIP_BEFORE = 3
STRIP_DAYS = 9
SEARCH_LETTERS = 80
FIRST_YEAR, LAST_YEAR = 1850, 2200


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the strip."""

    day: date
    matches: int


@dataclass(frozen=True, slots=True)
class CompetitionFixtures:
    """The matches of one competition on the day; `earlier` and `later` count those that are left out."""

    competition: Competition
    cards: list[Card]
    earlier: int
    later: int


@read_only
def fixtures(request: HttpRequest) -> HttpResponse:
    """Show the matches of a day, competition by competition."""
    frame = frame_of(request)
    today = frame.now.astimezone(frame.zone).date()
    day = _day(request.GET.get("day")) or selectors.nearest_day(frame.world, frame.now, frame.zone)
    whole = request.GET.get("competition", "").replace("\x00", "")
    first = day - timedelta(days=STRIP_BEFORE)
    counts = selectors.day_counts(frame.world, first, STRIP_DAYS, frame.zone)
    earlier, later = selectors.neighbour_days(frame.world, first, STRIP_DAYS, frame.zone)
    rows = selectors.fixtures_of_day(frame.world, day, frame.zone, now=frame.now, whole=whole)
    leagues = _leagues(rows, selectors.cards([row.match for row in rows], now=frame.now))
    champion = ml_selectors.champion(frame.world)
    context = {
        "day": day,
        "today": today,
        "strip": [Day(each, counts.get(each, 0)) for each in (first + timedelta(days=n) for n in range(STRIP_DAYS))],
        "earlier_day": earlier,
        "later_day": later,
        "leagues": leagues,
        "whole": whole,
        "champion": champion,
        "run": None if champion else ml_selectors.latest_run(frame.world),
        "has_matches": bool(leagues or counts or earlier or later),
        "zones": zone_names(),
    }
    return show(request, frame, "pages/fixtures.html", context, partial="partials/fixtures.html")


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Http404("A day is written like 2026-11-23.")
    return day


def _leagues(rows: list[OnDay], cards: list[Card]) -> list[CompetitionFixtures]:
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
    frame = frame_of(request)
    text = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:SEARCH_LETTERS]
    context = {
        "q": text,
        "teams": matches.search_teams(text, frame.world),
        "competitions_found": selectors.search_competitions(text, world=frame.world),
    }
    return show(request, frame, "pages/search.html", context, partial="partials/search.html")
