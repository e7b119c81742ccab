"""Each saved page of WhoScored's shape gives exactly the reading that stands beside it.

The pages are written for these tests; clubs, players and numbers are made up. The first word of a page's name is its
kind; ``feed.month.json`` has its reading in ``feed.month.json.expected.json``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.matches.records import (
    CompetitionKey,
    IncidentKind,
    IncidentRecord,
    MatchDetails,
    MatchRecord,
    MatchStatus,
    PlayerKey,
    Side,
    StatsRecord,
)
from apps.scraping.sources import CrawlJob, Page, Reading, Request, ScrapeScope, WhoScored, Window
from apps.scraping.sources.competitions import WHOSCORED
from apps.scraping.sources.whoscored.tournaments import Tournament, WhoScoredSeason, WhoScoredStage
from tests.pure.scraping.test_sources_golden import PAGES, SUFFIX, plain

FOLDER = PAGES / "whoscored"
CASES = sorted(path.name for path in FOLDER.iterdir() if not path.name.endswith(SUFFIX))

SITE = WhoScored(base_url="https://football.test")
FETCHED_AT = datetime(2032, 2, 1, 12, 0, tzinfo=UTC)

LEAGUE = Tournament(252, 2, "england-premier-league", WHOSCORED[252, 2])
CUP = Tournament(252, 26, "england-fa-cup", CompetitionKey("England", "FA Cup", 0))
EUROPE = Tournament(250, 12, "europe-champions-league", WHOSCORED[250, 12])


def stage(tournament: Tournament, stage_id: int) -> WhoScoredStage:
    return WhoScoredStage(WhoScoredSeason(tournament, 940, "2031/2032"), stage_id)


BO_LIND = PlayerKey("9002", "Bo Lind")
FINISHED = MatchRecord(
    competition=WHOSCORED[252, 2],
    season="2031-32",
    home_team="Eastmoor",
    away_team="Northbridge United",
    kickoff_at=datetime(2031, 9, 6, 11, 30, tzinfo=UTC),
    status=MatchStatus.FINISHED,
    home_goals=2,
    away_goals=1,
    source_id="7001",
    home_team_id="301",
    away_team_id="302",
    stats=StatsRecord(home_yellow_cards=2, away_yellow_cards=3, home_red_cards=0, away_red_cards=1),
    details=MatchDetails(
        datetime(2031, 9, 6, 10, 30, tzinfo=UTC),
        incidents=(
            IncidentRecord(IncidentKind.GOAL, Side.HOME, 8, PlayerKey("9001", "Alan Pike"), BO_LIND),
            IncidentRecord(IncidentKind.PENALTY, Side.AWAY, 46, PlayerKey("9003", "Carl Dray")),
            IncidentRecord(IncidentKind.OWN_GOAL, Side.HOME, 93, PlayerKey("9005", "Ed Hale")),
        ),
    ),
)
COMING = MatchRecord(
    competition=WHOSCORED[252, 2],
    season="2031-32",
    home_team="Eastmoor",
    away_team="Kingsferry",
    kickoff_at=datetime(2032, 2, 2, 19, 45, tzinfo=UTC),
    source_id="7501",
    home_team_id="301",
    away_team_id="305",
)

ABOUT = {
    "tournament": LEAGUE,
    "season": WhoScoredSeason(LEAGUE, 940, "2031/2032", "england-premier-league"),
    "season.stages": WhoScoredSeason(EUROPE, 955, "2031/2032", "europe-champions-league"),
    "stage": stage(LEAGUE, 51),
    "feed": stage(LEAGUE, 51),
    "feed.extra_time": stage(CUP, 61),
    "feed.shoot_out": stage(CUP, 61),
    "feed.placeholder": stage(CUP, 61),
    "feed.world": stage(EUROPE, 71),
    "match_centre": FINISHED,
    "preview": COMING,
}
"""What the pages before reported, by the longest beginning of a page's name."""

SCOPES = {"feed.coming.json": ScrapeScope.FIXTURES, "feed.placeholder.json": ScrapeScope.FIXTURES}


def read(name: str, content: bytes, site: WhoScored = SITE) -> Reading:
    kind = name.split(".")[0]
    about = ABOUT.get(name.rsplit(".", 1)[0], ABOUT.get(kind))
    job = CrawlJob(SCOPES.get(name, ScrapeScope.RESULTS), Window(date(2032, 1, 1), date(2032, 2, 28)), FETCHED_AT)
    if name.startswith(("feed.month", "feed.wrapped")):
        job = CrawlJob(ScrapeScope.BACKFILL, Window(date(2031, 9, 6), date(2031, 9, 6)), FETCHED_AT)
    page = Page(f"https://football.test/{name}", content, FETCHED_AT)
    return site.read(Request(page.url, kind, about=about), page, job)


def as_document(reading: Reading) -> dict[str, Any]:
    return {
        "records": plain(reading.records),
        "follow": [request_document(request) for request in reading.follow],
        "refused": [asdict(row) for row in reading.refused],
        "notes": reading.notes,
        "may_be_empty": reading.may_be_empty,
    }


def request_document(request: Request) -> dict[str, Any]:
    document = {
        "url": request.url,
        "kind": request.kind,
        "method": request.method.value,
        "wait_for": request.wait_for,
        "about": type(request.about).__name__,
    }
    if request.final_after is not None:
        document["final_after"] = request.final_after.isoformat()
    if request.max_age is not None:
        document["max_age_hours"] = request.max_age / timedelta(hours=1)
    return document


@pytest.mark.parametrize("name", CASES)
def test_a_page_gives_the_reading_beside_it(name: str) -> None:
    reading = read(name, (FOLDER / name).read_bytes())
    expected = json.loads(Path(FOLDER / (name + SUFFIX)).read_text(encoding="utf-8"))
    assert as_document(reading) == expected


@pytest.mark.parametrize("name", CASES)
def test_a_page_read_twice_gives_the_same(name: str) -> None:
    content = (FOLDER / name).read_bytes()
    assert read(name, content) == read(name, content)


def test_every_kind_of_page_has_a_golden_one() -> None:
    kinds = {name.split(".")[0] for name in CASES}
    assert kinds == {"home", "tournament", "season", "stage", "feed", "match_centre", "preview"}
