"""What Understat requests, and what it makes of faults."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from apps.matches.records import KickoffPrecision, MatchStatus
from apps.scraping.sources import CrawlJob, Page, ParseError, ScrapeScope, UnderstatSite, Window
from apps.scraping.sources.understat import Understat
from apps.scraping.sources.understat.site import LEAGUES
from tests.pure.scraping.test_sources_golden import PAGES
from tests.pure.scraping.test_sources_real import REAL_DATA


def job(scope: ScrapeScope, start: date = date(2024, 10, 1)) -> CrawlJob:
    return CrawlJob(scope, Window(start, start), datetime(2024, 10, 2, tzinfo=UTC))


def entry(number: int = 1, when: str = "2023-08-12 19:00:00", **changes: Any) -> dict[str, Any]:
    teams = {"h": {"id": "1", "title": "Grisval"}, "a": {"id": "2", "title": "Montclair"}}
    scores = {"goals": {"h": "2", "a": "1"}, "xG": {"h": "1.5", "a": "0.5"}}
    return {"id": str(number), "isResult": True, "datetime": when, **teams, **scores, **changes}


def read(*entries: Any, name: str = "EPL_2023.json") -> Any:
    return Understat().parse_file(name, json.dumps({"dates": entries}).encode())


# ── The site ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_league_of_the_running_season_is_one_request_with_the_header_that_the_site_wants():
    requests = UnderstatSite().start(job(ScrapeScope.RESULTS))
    assert [request.url for request in requests] == [
        f"https://understat.com/getLeagueData/{league}/2024" for league in LEAGUES
    ]
    assert {request.headers for request in requests} == {(("x-requested-with", "XMLHttpRequest"),)}
    assert {request.max_age for request in requests} == {timedelta(hours=6)}


@pytest.mark.parametrize("scope", [ScrapeScope.FIXTURES, ScrapeScope.ODDS])
def test_there_are_no_fixtures_and_no_odds(scope):
    assert UnderstatSite().start(job(scope)) == []


def test_chosen_leagues_alone_are_requested_and_unknown_ones_refused():
    site = UnderstatSite(leagues=["Serie_A"], base_url="http://127.0.0.1:1/")
    assert [request.url for request in site.start(job(ScrapeScope.BACKFILL))] == [
        "http://127.0.0.1:1/getLeagueData/Serie_A/2024"
    ]
    with pytest.raises(ValueError, match="Eredivisie"):
        UnderstatSite(leagues=["Eredivisie"])


def test_nothing_is_older_than_2014():
    assert UnderstatSite().start(job(ScrapeScope.BACKFILL, date(2013, 10, 1))) == []


def test_a_response_of_the_site_is_read_by_the_league_that_was_asked_for():
    site = UnderstatSite()
    request = site.start(job(ScrapeScope.RESULTS))[0]
    content = (PAGES / "understat" / "EPL_2020.json").read_bytes()
    reading = site.read(
        request, Page(request.url, content, datetime(2024, 10, 2, tzinfo=UTC)), job(ScrapeScope.RESULTS)
    )
    # The days say which season it is, not what was asked for.
    assert {(record.competition.name, record.season) for record in reading.records} == {("Premier League", "2020-21")}


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_kick_offs_are_days_since_their_zone_is_not_known():
    (record,) = read(entry(when="2023-08-12 23:45:00")).records
    assert (record.kickoff_at, record.kickoff_precision) == (datetime(2023, 8, 12, tzinfo=UTC), KickoffPrecision.DATE)


@pytest.mark.parametrize(
    ("days", "season"),
    [
        (("2023-08-12", "2024-05-19"), "2023-24"),
        (("2024-05-19",), "2023-24"),
        (("2019-08-09", "2020-08-02"), "2019-20"),
        (("2099-08-09",), "2099-00"),
    ],
)
def test_the_first_match_of_a_list_says_when_the_season_begins(days, season):
    records = read(*(entry(number, f"{day} 19:00:00") for number, day in enumerate(days))).records
    assert {record.season for record in records} == {season}


@pytest.mark.parametrize(
    ("name", "league"),
    [
        ("EPL_2020.json", "Premier League"),
        ("raw/la_liga/2020.json", "La Liga"),
        ("getLeagueData-Serie-A-2020.json", "Serie A"),
        ("understat.Ligue 1.json", "Ligue 1"),
        ("bundesliga/rfpl.json", "Premier League"),
    ],
)
def test_the_league_is_in_the_name_of_the_file_or_its_folder(name, league):
    assert read(entry(), name=name).records[0].competition.name == league


@pytest.mark.parametrize("name", ["2020.json", "replay_1.json", "sepl.json"])
def test_a_list_without_a_league_in_its_name_says_how_to_name_it(name):
    with pytest.raises(ParseError, match="nothing says which league it is"):
        read(entry(), name=name)


@pytest.mark.parametrize(
    "page", ["EPL_2020.json", "La_liga_2018.html", "understat_match.html", "understat_matches.csv"]
)
def test_a_file_is_known_by_its_content(page):
    content = (PAGES / "understat" / page).read_bytes()
    for form in (content, b"\xef\xbb\xbf" + content, b"\n" + content):
        assert Understat().accepts("page.txt", form)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", b"# Data of understat.com, see understat_matches.csv"),
        ("README.md", b"# Data\n`understat_id` is the id"),
        ("E0.csv", b"Div,Date,HomeTeam,AwayTeam\nE0,19/08/2023,Arsenal,Chelsea\n"),
        ("en.1.json", b'{"name": "x", "matches": [{"team1": "a", "team2": "b"}]}'),
        ("index.html", b"<html><title>Another site</title></html>"),
    ],
)
def test_another_file_is_none_of_this_source(name, content):
    assert not Understat().accepts(name, content)


def test_a_season_that_has_not_begun_is_no_error():
    assert read().records == []
    coming = entry(isResult=False, goals={"h": None, "a": None}, xG={"h": None, "a": None})
    assert read(coming).notes == {"not yet played, left out": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"{}",
        b"[1",
        b'{"dates": 5}',
        b'{"rosters": {}, "shots": {}, "tmpl": {}}',
        b"<script>var datesData = JSON.parse('\\x5B')</script>",
        b"<script>var datesData = [];</script>",
        b"understat_id,league\n1,EPL\n",
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_something_else_is_refused_as_a_whole(content):
    with pytest.raises(ParseError):
        Understat().parse_file("EPL_2020.json", content)


def test_results_none_of_which_has_xg_are_a_changed_layout():
    with pytest.raises(ParseError, match="the xG of every match"):
        read(entry(xG=None), entry(2, xG={"home": "1.5", "away": "0.5"}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"h": None}, "None is no team's name"),
        ({"h": {"id": "1", "title": "  "}}, "both teams need a name"),
        ({"id": None}, "id None cannot be read"),
        ({"id": "-4"}, "id '-4' cannot be read"),
        ({"h": {"id": "one", "title": "Grisval"}}, "id of a team 'one' cannot be read"),
        ({"goals": {"h": "2"}}, "goals None cannot be read"),
        ({"goals": {"h": 2.5, "a": 1}}, "goals 2.5 cannot be read"),
        ({"datetime": "2023-02-30"}, "date '2023-02-30' cannot be read"),
        ({"isResult": "true"}, "nothing says whether it was played"),
        ({"xG": {"h": [1], "a": "0.5"}}, r"expected goals of \[1\] cannot be read"),
    ],
)
def test_a_match_that_cannot_be_read_is_refused_alone(changes, reason):
    parsed = read(entry(), entry(2, **changes))
    assert len(parsed.records) == 1
    (refused,) = parsed.refused
    with pytest.raises(ValueError, match=reason):
        raise ValueError(refused.reason)


# ── Real pages ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA, reason="SPAI_REAL_DATA names no folder of real files")
def test_real_pages_of_both_forms_are_the_same_and_the_table_is_read_whole():
    import gzip
    from pathlib import Path

    folder = Path(REAL_DATA) / "understat"
    pages = folder / "pages"
    old = Understat().parse_file("old.html", gzip.decompress((pages / "league_old.html.gz").read_bytes()))
    new = Understat().parse_file("EPL_2020.json", gzip.decompress((pages / "league_new.json.gz").read_bytes()))
    assert old.records == new.records
    assert (len(new.records), new.refused, new.notes) == (276, [], {"not yet played, left out": 104})
    match = Understat().parse_file("match.html", (pages / "match_old.html").read_bytes())
    assert match.records[0] in old.records
    dates = gzip.decompress((pages / "dates_new_wrapped.json.gz").read_bytes())
    assert len(Understat().parse_file("Bundesliga.json", dates).records) == 306
    table = Understat().parse_file("m.csv", gzip.decompress((folder / "understat_matches.csv.gz").read_bytes()))
    assert (len(table.records), table.refused, table.notes) == (19_901, [], {})
    assert {record.status for record in table.records} == {MatchStatus.FINISHED}
    assert Counter(record.competition.region for record in table.records)["Russia"] == 1_817
