"""The list of competitions, and the page of one."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from apps.api import charts, selectors
from apps.api.methods import read_only
from apps.api.pages.context import page_context, render_page
from apps.api.pages.forms import SeasonForm
from apps.api.pages.sharing import share_of_competition
from apps.matches import selectors as matches
from apps.matches.models import Competition, Team

MATCHES_SHOWN = 8


@read_only
def competitions(request: HttpRequest) -> HttpResponse:
    """List the competitions of a world, region by region."""
    page = page_context(request)
    found = matches.competitions(page.world)
    regions = [(region, list(group)) for region, group in groupby(found, key=lambda each: each.region)]
    return render_page(request, page, "pages/competitions.html", {"regions": regions})


@read_only
def competition(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the table of a season, its next matches and its latest results."""
    found = Competition.objects.select_related("region").filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such competition.")
    page = page_context(request, world=found.world)
    seasons = list(matches.seasons(found))
    label = SeasonForm.parse(request)["season"]
    season = next((each for each in seasons if each.label == label), None)
    if label and season is None:
        raise Http404(f"{found.name} has no season {label[:24]}.")
    season = season or (seasons[0] if seasons else None)
    coming = selectors.coming_of_season(season, page.now, limit=MATCHES_SHOWN) if season else []
    latest = selectors.latest_of_season(season, page.now, limit=MATCHES_SHOWN) if season else []
    cards = selectors.cards([*coming, *latest], now=page.now)
    end = selectors.season_end(season) if season and coming else None
    adjustments = list(matches.adjustments_of(season)) if season else []
    context = {
        "competition": found,
        "share": share_of_competition(found, end),
        "seasons": seasons,
        "season": season,
        "table": matches.league_table(season) if season else None,
        "adjustments": adjustments,
        "adjusted": {each.team_id for each in adjustments},
        "awarded_results": matches.awarded_results_of(season) if season else [],
        "awarded": matches.awarded_of(season) if season else [],
        "end": end,
        "end_rows": _end_rows(end) if end else [],
        "coming": cards[: len(coming)],
        "latest": cards[len(coming) :],
    }
    return render_page(request, page, "pages/competition.html", context, partial="partials/competition.html")


def _end_rows(end: selectors.SeasonEnd) -> list[tuple[Team, dict[str, Any], charts.Strip]]:
    """Return the rows of the simulated final table: club, chances, and the strip of its places."""
    strips = charts.strips(end.lines, [row["places"] for _, row in end.clubs])
    return [(team, row, strip) for (team, row), strip in zip(end.clubs, strips, strict=True)]
