"""How many queries each page and list makes, recorded; and that it is as many for few rows as for many.

Renew with `pytest tests/web/test_query_counts.py --renew` and look at the difference.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.api.pages.parts import PARTS
from apps.api.services import league
from tests.web.conftest import read_json, write_json

PAGES = {
    "fixtures": "/",
    "fixtures, changing part": "/",
    "calendar": "/calendar/",
    "zone": "/zone/",
    "search": "/search/?q=crown",
    "match": "/matches/{match}/",
    "match, row": "/matches/{match}/",
    "competitions": "/competitions/",
    "competition": "/competitions/aldermark-crown-league/",
    "team": "/teams/crown-league-1/",
    "record": "/track-record/",
    "record, back-tests": "/track-record/?of=back-tests",
    "ratings": "/ratings/",
    "models": "/models/",
    "model version": "/models/sandbox/1/",
    "features": "/features/",
    "features, changing part": "/features/",
    "about": "/about/",
    "what if, empty": "/what-if/",
    "what if": "/what-if/?home=crown-league-1&away=crown-league-2",
    "follow": "/follow/",
    "calendar of a team": "/teams/crown-league-1/calendar.ics",
    "calendar of a competition": "/competitions/aldermark-crown-league/calendar.ics",
    "calendar of teams": "/follow/calendar.ics?teams={home},{away}",
    "feed": "/feed/",
    "feed of a team": "/teams/crown-league-1/feed/",
    "widget of a match": "/embed/match/{match}/",
    "widget of a table": "/embed/table/aldermark-crown-league/",
    "share image of a match": "/share/match/{match}.png",
    "share image of a team": "/share/team/crown-league-1.png",
    "share image of a competition": "/share/competition/aldermark-crown-league.png",
    "sitemap of matches": "/sitemap-matches.xml",
    "REST matches": "/api/v1/matches/",
    "REST match": "/api/v1/matches/{match}/",
    "REST features": "/api/v1/features/",
    "REST prediction": "/api/v1/matches/{match}/prediction/",
    "REST season forecast": "/api/v1/competitions/aldermark-crown-league/season-forecast/",
    "REST table": "/api/v1/competitions/aldermark-crown-league/table/",
    "REST root": "/api/v1/",
    "REST predictions": "/api/v1/predictions/",
    "REST predictions as csv": "/api/v1/predictions/?format=csv&model=1",
    "REST scores": "/api/v1/scores/",
    "REST closing gap": "/api/v1/scores/closing-gap/",
    "REST competitions": "/api/v1/competitions/",
    "REST competition": "/api/v1/competitions/aldermark-crown-league/",
    "REST seasons": "/api/v1/seasons/?competition=aldermark-crown-league",
    "REST season forecasts": "/api/v1/season-forecasts/",
    "REST models": "/api/v1/models/",
    "REST model": "/api/v1/models/sandbox/1/",
    "REST live comparisons": "/api/v1/live-comparisons/",
    "REST sources": "/api/v1/sources/",
    "REST bookmakers": "/api/v1/bookmakers/",
    "REST teams": "/api/v1/teams/",
    "REST team": "/api/v1/teams/crown-league-1/",
    "REST team search": "/api/v1/teams/?q=crown",
    "REST events": "/api/v1/events/?after=0",
    "REST ledger": "/api/v1/ledger/",
    "ledger": "/ledger/",
    "REST what if": "/api/v1/what-if/?home=crown-league-1&away=crown-league-2",
}


def counted(client, match) -> dict[str, int]:
    found = {}
    for name, address in PAGES.items():
        headers = {"HX-Request": "true"} if "part" in name or "row" in name else {}
        if "row" in name:
            headers["HX-Target"] = f"row-{match.pk}"
        # What a process does that has not kept a part of the page yet.
        PARTS.clear()
        league.facts_of.cache_clear()
        with CaptureQueriesContext(connection) as queries:
            ids = {"match": match.pk, "home": match.home_team_id, "away": match.away_team_id}
            response = client.get(address.format(**ids), headers=headers)
        assert response.status_code == 200, name
        found[name] = len(queries)
    return found


@pytest.fixture
def filled(build, champion, answers):
    """Two rounds of matches; a function adds more of everything."""
    seasons = [build.season(), build.season("Shield League")]
    matches = [match for season in seasons for match in build.round(season, finished=2, coming=2, version=champion)]
    build.record(champion)
    build.season_end(seasons[0], champion, ["Crown League 1", "Crown League 2"])
    # A champion before and a challenger, which forecast in shadow.
    build.promote(build.version(6))
    build.promote(champion)
    build.comparison(build.version(7), champion)

    def more() -> None:
        for season in (*seasons, build.season("Third League")):
            build.round(season, finished=4, coming=5, version=champion)
        everybody = [f"Crown League {n}" for n in range(8)]
        build.season_end(seasons[0], champion, everybody, data_snapshot=2, as_of=build.now + timedelta(seconds=1))
        for number in range(2, 6):
            version = build.version(number, catalogue=build.catalogue(), columns=["elo_home"])
            build.comparison(version, champion)
            build.comparison(champion, version)
            build.promote(version)
            build.run(status="succeeded")
        build.record(champion)

    return matches[-1], more


def test_pages_make_as_many_queries_as_recorded(client, filled, renew):
    match, _ = filled
    found = counted(client, match)
    if renew:
        write_json("query_counts.json", found)
    assert found == read_json("query_counts.json")


def test_more_rows_need_no_more_queries(client, filled):
    match, more = filled
    before = counted(client, match)
    more()
    assert counted(client, match) == before
