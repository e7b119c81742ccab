"""Understat as a source: off until it is switched on, then its lists are fetched and join the stored matches."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from apps.matches.models import Match, MatchStats, Team
from apps.scraping import services
from apps.scraping.models import Source
from apps.scraping.services import import_files
from apps.scraping.services.runs import scrape_due
from apps.scraping.services.sources import site_of
from tests.db.scraping.conftest import NOW
from tests.db.scraping.test_import import real_data
from tests.misbehaviour import Server, Site, started

pytestmark = pytest.mark.django_db

FOOTBALL_DATA = """\
Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR,HS,AS
E0,21/11/2026,15:00,Aldermoor,Birkfell,2,1,H,14,9
E0,22/11/2026,16:30,Birkfell,Aldermoor,0,0,D,7,12
"""

IDS = {"Aldermoor": "1", "Birkfell": "2", "Craydale": "3"}


def entry(number: int, day: str, home: str, away: str, goals: tuple[int, int] | None) -> dict:
    return {
        "id": str(number),
        "isResult": goals is not None,
        "h": {"id": IDS[home], "title": home},
        "a": {"id": IDS[away], "title": away},
        "goals": {"h": None, "a": None} if goals is None else {"h": str(goals[0]), "a": str(goals[1])},
        "xG": {"h": None, "a": None} if goals is None else {"h": "1.5", "a": "0.25"},
        "datetime": f"{day} 15:00:00",
    }


DATES = [
    entry(1, "2026-11-21", "Aldermoor", "Birkfell", (2, 1)),
    entry(2, "2026-11-23", "Birkfell", "Aldermoor", (0, 0)),
    entry(3, "2026-12-05", "Aldermoor", "Craydale", None),
]


class Lists(Site):
    """The endpoint: without its header it says 404, and of leagues that it does not have too."""

    def robots_txt(self):
        self.send(b"", 404)

    def __getattr__(self, name):
        if not name.startswith("getLeagueData"):
            raise AttributeError(name)
        is_there = name == "getLeagueData/EPL/2026" and self.headers.get("x-requested-with") == "XMLHttpRequest"
        body = json.dumps({"teams": {}, "players": [], "dates": DATES}).encode()
        return lambda: self.send(body, content_type="application/json") if is_there else self.send(b"", 404)


def store_results(folder) -> None:
    (folder / "2026-27").mkdir()
    (folder / "2026-27" / "E0.csv").write_text(FOOTBALL_DATA)
    assert import_files([folder], source="football-data", now=NOW).ingest.created == 2


def test_the_source_is_off_until_it_is_switched_on(stage):
    source = Source.objects.get(name="understat")
    assert services.why_off(source).startswith("It is switched off.")
    assert site_of(source).name == "understat"


def test_a_run_adds_xg_to_the_matches_of_other_sources_and_nothing_else(stage, tmp_path):
    store_results(tmp_path)
    before = list(Match.objects.order_by("id").values("id", "kickoff_at", "status", "result_source", "kickoff_source"))
    with started(Server(Lists)) as server:
        source = Source.objects.get(name="understat")
        source.base_url, source.delay = server.url, timedelta(0)
        source.save()
        services.switch(source=source, is_on=True, by="ann", now=NOW)
        services.request_run(source=source, scope="results", by="somebody", now=NOW)
        (report,) = scrape_due(now=NOW, clock=lambda: NOW)
        assert (report.outcome, report.created, report.changed) == ("stored", 0, 2)
        assert len(server.asked) == 1 + 6  # robots.txt, and a list of each league
    assert list(Match.objects.order_by("id").values(*before[0])) == before
    assert Team.objects.count() == 2
    assert list(MatchStats.objects.values_list("home_xg", "away_xg").distinct()) == [(1.5, 0.25)]
    assert {stats.home_shots for stats in MatchStats.objects.all()} == {14, 7}


@pytest.mark.real_data
def test_every_real_match_joins_that_of_football_data(tmp_path):
    """The Premier League of ten seasons, by name and day; a second import writes nothing."""
    root = real_data()
    results = [file for file in sorted(root.glob("football-data/20*/E0.csv")) if file.parent.name >= "2014-15"]
    now = datetime(2026, 11, 1, tzinfo=UTC)
    import_files(results, source="football-data", now=now)
    teams, kickoffs = (
        Team.objects.count(),
        list(Match.objects.order_by("id").values_list("kickoff_at", "result_source")),
    )
    lines = gzip.decompress((root / "understat" / "understat_matches.csv.gz").read_bytes()).decode().splitlines()
    table = tmp_path / "understat.csv"
    table.write_text("\n".join([lines[0], *(line for line in lines if ",E0,EPL," in line)]) + "\n")
    for expected in ((0, 3_800, 0, 0), (0, 0, 3_800, 0)):
        done = import_files([table], source="understat", now=now).ingest
        assert (done.created, done.changed, done.same, done.refused) == expected
    assert MatchStats.objects.filter(home_xg__isnull=False).count() == 3_800
    assert Team.objects.count() == teams
    assert list(Match.objects.order_by("id").values_list("kickoff_at", "result_source")) == kickoffs
