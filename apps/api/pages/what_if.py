"""The page that forecasts a match of any two teams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext

from apps.api import selectors, services
from apps.api.methods import read_only
from apps.api.pages.context import HtmxRequest, PageContext, page_context, render_page
from apps.api.pages.forms import WhatIfForm
from apps.api.pages.match_blocks import of_forecast, of_grid
from apps.matches.models import Match, Team, World
from apps.ml import services as ml_services

SIDES = ("home", "away")


@dataclass(slots=True)
class TeamChoice:
    """One of the two teams, home or away: what the reader wrote, and the team of that slug or name.

    `choices` are the teams that the text may mean, each with the query that chooses it.
    """

    name: str
    text: str
    team: Team | None
    choices: list[tuple[Team, str]]

    @property
    def label(self) -> str:
        """The label of the field."""
        return gettext("Home team") if self.name == SIDES[0] else gettext("Away team")

    @property
    def shown(self) -> str:
        """The value of the field."""
        return self.team.display_name if self.team else self.text


@read_only
def what_if(request: HtmxRequest) -> HttpResponse:
    """Show the form for two teams and a day, and the forecast of their match.

    Where the address names no world, it is that of the first team that is found.
    """
    page, form = page_context(request), WhatIfForm(request.GET)
    # A wrong day is no reason for 404: the form is shown again with what is wrong.
    form.is_valid()
    query = form.cleaned_data
    choices = _choices(query, request.GET, page.world)
    found = next((choice.team for choice in choices if choice.team), None)
    if found and not request.GET.get("world"):
        world = selectors.world_of(found)
        if world and world != page.world:
            page = page.in_world(world)
            choices = _choices(query, request.GET, world)
    for choice in choices:
        if request.htmx and request.htmx.target == f"{choice.name}-found":
            return render_page(request, page, "", {"choice": choice}, partial="partials/what_if/found.html")
    home, away = choices
    next_saturday = ml_services.next_saturday(page.now)
    context = {
        "choices": choices,
        "day": request.GET.get("date") or next_saturday.isoformat(),
        "today": page.now.date(),
        "latest": (page.now + ml_services.AHEAD).date(),
        "is_neutral": query["neutral"],
        "why_none": "",
    }
    if home.team and away.team and form.errors:
        context["why_none"] = form.errors["date"][0]
    elif home.team and away.team:
        try:
            context |= _forecast(home.team, away.team, query["date"] or next_saturday, query, request.GET, page)
        except (ml_services.WhatIfRefusedError, ml_services.NoForecastError) as error:
            context["why_none"] = str(error)
    return render_page(request, page, "pages/what_if.html", context, partial="partials/what_if.html")


def _forecast(
    home: Team, away: Team, day: date, query: dict[str, Any], parameters: QueryDict, page: PageContext
) -> dict[str, object]:
    what_if = services.what_if_match(
        home_team=home,
        away_team=away,
        day=day,
        competition=query["competition"],
        is_neutral=query["neutral"],
        now=page.now,
    )
    match = what_if.match
    forecast = services.what_if_details(match, now=page.now)
    card = selectors.MatchCard(match=match, now=page.now)
    return {
        "what_if": what_if,
        "match": match,
        "card": card,
        "forecast": forecast,
        **of_forecast(card, forecast),
        **of_grid(card, forecast),
        "anonymous_api": settings.SPAI_ANONYMOUS_API,
        "swapped": _with(parameters, home=away.slug, away=home.slug),
        "api_query": _api_query(match, day),
    }


def _choices(query: dict[str, Any], parameters: QueryDict, world: World) -> list[TeamChoice]:
    return [_choice(name, query[name], parameters, world) for name in SIDES]


def _choice(name: str, text: str, parameters: QueryDict, world: World) -> TeamChoice:
    if not text:
        return TeamChoice(name, "", None, [])
    team, candidates = services.find_team(text, world)
    return TeamChoice(name, text, team, [(each, _with(parameters, **{name: each.slug})) for each in candidates])


def _with(parameters: QueryDict, **values: str) -> str:
    """Return the query of this page with other values, and without the competition, which depends on the teams."""
    query = parameters.copy()
    query.pop("competition", None)
    for name, value in values.items():
        query[name] = value
    return query.urlencode()


def _api_query(match: Match, day: date) -> str:
    """Return the query with which the REST API forecasts the same match."""
    query = {
        "home": match.home_team.slug,
        "away": match.away_team.slug,
        "date": day.isoformat(),
        "competition": match.season.competition.slug,
    }
    return urlencode(query | ({"neutral": "true"} if match.is_neutral else {}))
