"""The page that forecasts a match of any two teams on a day to come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.utils.dateparse import parse_date

from apps.api import charts, selectors, services
from apps.api.methods import read_only
from apps.api.pages.frame import Frame, HtmxRequest, frame_of, show
from apps.matches.models import Match, Team, World
from apps.ml import services as ml_services

LETTERS = 80
SIDES = ("home", "away")


@dataclass(slots=True)
class TeamChoice:
    """One of the two teams, as far as the reader has chosen it.

    Parameters
    ----------
    name : str
        home or away.
    text : str
        What the reader wrote.
    team : Team or None
        The team that it means.
    choices : list of (Team, str)
        The teams that it may mean, each with the query that chooses it.
    """

    name: str
    text: str
    team: Team | None
    choices: list[tuple[Team, str]]

    @property
    def label(self) -> str:
        """The name of the side on the page."""
        return f"{self.name.capitalize()} team"

    @property
    def shown(self) -> str:
        """What stands in the field."""
        return self.team.name if self.team else self.text


@read_only
def what_if(request: HtmxRequest) -> HttpResponse:
    """Ask for two teams and a day, and show the forecast of their match as if it were a fixture.

    Where no world is asked for, it is that of the first team that is known.
    """
    frame = frame_of(request)
    sides = _sides(request.GET, frame.world)
    known = next((side.team for side in sides if side.team), None)
    if known and not request.GET.get("world"):
        world = selectors.world_of(known)
        if world and world != frame.world:
            frame = replace(frame, world=world)
            sides = _sides(request.GET, world)
    for side in sides:
        if request.htmx and request.htmx.target == f"{side.name}-found":
            return show(request, frame, "", {"side": side}, partial="partials/what_if/found.html")
    home, away = sides
    day = request.GET.get("date", "") or ml_services.next_saturday(frame.now).isoformat()
    context = {
        "sides": sides,
        "day": day,
        "today": frame.now.date(),
        "latest": (frame.now + ml_services.AHEAD).date(),
        "is_neutral": "neutral" in request.GET,
        "why_none": "",
    }
    if home.team and away.team:
        try:
            context |= _answer(home.team, away.team, _day(day), request.GET, frame)
        except (ml_services.WhatIfRefusedError, ml_services.NoForecastError) as error:
            context["why_none"] = str(error)
    return show(request, frame, "pages/what_if.html", context, partial="partials/what_if.html")


def _answer(home: Team, away: Team, day: date, asked: QueryDict, frame: Frame) -> dict[str, object]:
    question = services.ask(
        home_team=home,
        away_team=away,
        day=day,
        competition=asked.get("competition", ""),
        is_neutral="neutral" in asked,
        now=frame.now,
    )
    match = question.match
    outlook = services.outlook_of_imagined(match, now=frame.now)
    return {
        "question": question,
        "match": match,
        "card": selectors.Card(match=match, now=frame.now),
        "outlook": outlook,
        "heat": charts.heat(outlook.grid),
        "pushes": charts.pushes(outlook.contributions),
        "swapped": _with(asked, home=away.slug, away=home.slug),
        "api_query": _for_programs(match, day),
    }


def _sides(asked: QueryDict, world: World) -> list[TeamChoice]:
    return [_side(name, asked, world) for name in SIDES]


def _side(name: str, asked: QueryDict, world: World) -> TeamChoice:
    text = " ".join(asked.get(name, "").replace("\x00", "").split())[:LETTERS]
    if not text:
        return TeamChoice(name, "", None, [])
    team, candidates = services.team_called(text, world)
    return TeamChoice(name, text, team, [(each, _with(asked, **{name: each.slug})) for each in candidates])


def _with(asked: QueryDict, **values: str) -> str:
    """Return the query of this page with other values; a competition belongs to the teams that it was chosen for."""
    query = asked.copy()
    query.pop("competition", None)
    for name, value in values.items():
        query[name] = value
    return query.urlencode()


def _for_programs(match: Match, day: date) -> str:
    """Return the query of the API that asks for the same match."""
    query = {
        "home": match.home_team.slug,
        "away": match.away_team.slug,
        "date": day.isoformat(),
        "competition": match.season.competition.slug,
    }
    return urlencode(query | ({"neutral": "true"} if match.is_neutral else {}))


def _day(text: str) -> date:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise ml_services.WhatIfRefusedError("no-date", "date", "A day is written like 2026-11-28.")
    return day
