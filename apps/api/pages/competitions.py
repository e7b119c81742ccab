"""The competitions, and the table and matches of one of them."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from apps.api import charts, selectors
from apps.api.methods import read_only
from apps.api.pages.frame import frame_of, show
from apps.matches import selectors as matches
from apps.matches.models import Competition, Team

SHOWN = 8


@read_only
def competitions(request: HttpRequest) -> HttpResponse:
    """List the competitions of a world, region by region."""
    frame = frame_of(request)
    found = matches.competitions(frame.world)
    regions = [(region, list(group)) for region, group in groupby(found, key=lambda each: each.region)]
    return show(request, frame, "pages/competitions.html", {"regions": regions})


@read_only
def competition(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the table of a season, its coming matches and its latest results."""
    found = Competition.objects.select_related("region").filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such competition.")
    frame = frame_of(request, world=found.world)
    seasons = list(matches.seasons(found))
    asked = request.GET.get("season", "")
    season = next((each for each in seasons if each.label == asked), None)
    if asked and season is None:
        raise Http404(f"{found.name} has no season {asked[:24]}.")
    season = season or (seasons[0] if seasons else None)
    coming = selectors.coming_of_season(season, frame.now, limit=SHOWN) if season else []
    latest = selectors.latest_of_season(season, frame.now, limit=SHOWN) if season else []
    cards = selectors.cards([*coming, *latest], now=frame.now)
    end = selectors.season_end(season) if season and coming else None
    context = {
        "competition": found,
        "seasons": seasons,
        "season": season,
        "table": matches.league_table(season) if season else None,
        "end": end,
        "end_rows": _end_rows(end) if end else [],
        "coming": cards[: len(coming)],
        "latest": cards[len(coming) :],
    }
    return show(request, frame, "pages/competition.html", context, partial="partials/competition.html")


def _end_rows(end: selectors.SeasonEnd) -> list[tuple[Team, dict[str, Any], charts.Strip]]:
    """Return what a line of the simulated end shows: the club, its chances and the strip of its places."""
    strips = charts.strips(end.lines, [row["places"] for _, row in end.clubs])
    return [(team, row, strip) for (team, row), strip in zip(end.clubs, strips, strict=True)]
