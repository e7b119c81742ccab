"""football-data and openfootball as sites: what they ask for, and what they make of the answers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from apps.matches.records import CompetitionKey, KickoffPrecision, MatchStatus
from apps.scraping.sources import (
    CrawlJob,
    FetchMethod,
    FootballDataSite,
    OpenfootballSite,
    Page,
    ParseError,
    Reading,
    Request,
    ScrapeScope,
    Window,
)
from apps.scraping.sources.competitions import DIVISIONS
from tests.pure.scraping.test_sources_golden import PAGES

Site = FootballDataSite | OpenfootballSite

ENGLAND = {"E0": DIVISIONS["E0"]}


def job(scope: ScrapeScope, start: date, end: date | None = None, now: datetime | None = None) -> CrawlJob:
    end = end or start
    return CrawlJob(scope, Window(start, end), now or datetime(end.year, end.month, end.day, 12, tzinfo=UTC))


def paths(site: Site, asked: CrawlJob, base: str) -> list[str]:
    return [request.url.removeprefix(base) for request in site.start(asked)]


def answer(site: Site, request: Request, content: bytes, asked: CrawlJob) -> Reading:
    return site.read(request, Page(request.url, content, asked.now), asked)


FOOTBALL_DATA = "https://www.football-data.co.uk"
OPENFOOTBALL = "https://raw.githubusercontent.com/openfootball/football.json/master"


def test_fixtures_and_odds_are_in_the_two_lists_of_coming_matches() -> None:
    for scope in (ScrapeScope.FIXTURES, ScrapeScope.ODDS):
        found = paths(FootballDataSite(), job(scope, date(2024, 10, 1)), FOOTBALL_DATA)
        assert found == ["/fixtures.csv", "/new_league_fixtures.csv"]
        only = paths(FootballDataSite(countries=()), job(scope, date(2024, 10, 1)), FOOTBALL_DATA)
        assert only == ["/fixtures.csv"]


def test_results_are_in_the_files_of_the_running_season_and_of_the_countries() -> None:
    site = FootballDataSite()
    requests = site.start(job(ScrapeScope.RESULTS, date(2024, 10, 1)))
    assert len(requests) == 22 + 16
    assert requests[0].url == f"{FOOTBALL_DATA}/mmz4281/2425/E0.csv"
    assert requests[-1].url == f"{FOOTBALL_DATA}/new/USA.csv"
    assert {request.method for request in requests} == {FetchMethod.HTTP}
    assert {request.may_be_missing for request in requests} == {False}
    assert requests[0].final_after == datetime(2025, 10, 1, tzinfo=UTC)
    assert requests[-1].final_after is None


def test_a_back_fill_asks_for_each_season_in_the_window_that_the_site_has() -> None:
    asked = job(ScrapeScope.BACKFILL, date(2003, 9, 1), date(2005, 9, 1))
    divisions = {code: DIVISIONS[code] for code in ("E0", "EC")}
    found = paths(FootballDataSite(divisions=divisions), asked, FOOTBALL_DATA)
    assert found == ["/mmz4281/0304/E0.csv", "/mmz4281/0405/E0.csv", "/mmz4281/0506/E0.csv", "/mmz4281/0506/EC.csv"]
    turn = job(ScrapeScope.BACKFILL, date(1999, 9, 1), date(2000, 5, 1))
    assert paths(FootballDataSite(divisions=ENGLAND), turn, FOOTBALL_DATA) == ["/mmz4281/9900/E0.csv"]
    assert "/new/ARG.csv" in paths(FootballDataSite(), job(ScrapeScope.BACKFILL, date(2012, 9, 1)), FOOTBALL_DATA)


@pytest.mark.parametrize("site", [FootballDataSite(divisions=ENGLAND), OpenfootballSite()], ids=lambda site: site.name)
def test_a_file_of_today_serves_every_month_of_a_back_fill_and_no_run_for_results(site: Site) -> None:
    window = date(2018, 1, 1), date(2024, 10, 1)
    assert {request.max_age for request in site.start(job(ScrapeScope.BACKFILL, *window))} == {timedelta(days=1)}
    assert {request.max_age for request in site.start(job(ScrapeScope.RESULTS, *window))} == {None}


def test_a_re_reading_takes_the_lists_of_fixtures_before_the_files_that_correct_them() -> None:
    asked = job(ScrapeScope.REPARSE, date(2024, 9, 1), date(2024, 10, 1))
    found = paths(FootballDataSite(divisions=ENGLAND, countries=["ARG"]), asked, FOOTBALL_DATA)
    assert found == ["/fixtures.csv", "/new_league_fixtures.csv", "/mmz4281/2425/E0.csv", "/new/ARG.csv"]


def test_in_summer_both_seasons_are_requested_and_the_young_one_may_be_missing() -> None:
    requests = FootballDataSite(divisions=ENGLAND, countries=()).start(job(ScrapeScope.RESULTS, date(2020, 7, 26)))
    assert [(request.url[-11:], request.may_be_missing) for request in requests] == [
        ("1920/E0.csv", False),
        ("2021/E0.csv", True),
    ]


def test_a_young_file_without_a_match_is_a_note_and_an_old_one_an_error() -> None:
    site = FootballDataSite(divisions=ENGLAND, countries=())
    header = b"Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR\n"
    summer = job(ScrapeScope.RESULTS, date(2020, 7, 26))
    old, young = site.start(summer)
    assert answer(site, young, header, summer) == Reading(notes={"files of a season that has not begun": 1})
    with pytest.raises(ParseError, match=r"1920/E0\.csv: a row with a match is missing"):
        answer(site, old, header, summer)


def test_a_young_file_whose_rows_are_all_refused_is_an_error_too() -> None:
    site = FootballDataSite(divisions=ENGLAND, countries=())
    summer = job(ScrapeScope.RESULTS, date(2020, 7, 26))
    rows = b"Div,Date,HomeTeam,AwayTeam\nE0,soon,Eastmoor,Harwell\n"
    with pytest.raises(ParseError, match=r"2021/E0\.csv: date 'soon' cannot be read"):
        answer(site, site.start(summer)[1], rows, summer)


def test_a_list_of_fixtures_of_divisions_that_are_unknown_is_no_error() -> None:
    site = FootballDataSite(divisions=ENGLAND, countries=())
    asked = job(ScrapeScope.FIXTURES, date(2024, 10, 1))
    rows = b"Div,Date,HomeTeam,AwayTeam\nX9,05/10/2024,Eastmoor,Harwell\n"
    (refused,) = answer(site, site.start(asked)[0], rows, asked).refused
    assert refused.reason == "division 'X9' is unknown"


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html><h1>404 Not Found</h1></html>", b"", b"\x00\x01"])
def test_an_error_page_is_no_file(content: bytes) -> None:
    site = FootballDataSite()
    for asked in (job(ScrapeScope.RESULTS, date(2024, 10, 1)), job(ScrapeScope.FIXTURES, date(2024, 10, 1))):
        for request in site.start(asked):
            with pytest.raises(ParseError, match=r"column Div or Country is missing|the file is empty"):
                answer(site, request, content, asked)


def test_the_season_file_gives_the_records_of_the_imported_one() -> None:
    site = FootballDataSite(divisions=ENGLAND)
    asked = job(ScrapeScope.BACKFILL, date(2019, 9, 1))
    content = (PAGES / "football_data/2019-20/E0.csv").read_bytes()
    reading = answer(site, site.start(asked)[0], content, asked)
    assert reading.records
    assert {record.season for record in reading.records} == {"2019-20"}
    assert not reading.may_be_empty


def test_a_list_of_fixtures_may_be_empty_and_leaves_out_what_is_not_followed() -> None:
    site = FootballDataSite(divisions=ENGLAND, countries=())
    asked = job(ScrapeScope.FIXTURES, date(2024, 10, 1))
    (request,) = site.start(asked)
    header = b"Div,Date,Time,HomeTeam,AwayTeam,B365H,B365D,B365A\n"
    assert answer(site, request, header, asked) == Reading(may_be_empty=True, varies=True)
    rows = b"E0,05/10/2024,15:00,Eastmoor,Harwell,1.8,3.6,4.5\nD1,05/10/2024,14:30,Talbach,Seeburg,2,3,4\n"
    reading = answer(site, request, header + rows, asked)
    (record,) = reading.records
    assert (record.home_team, record.status, record.odds[0].home) == ("Eastmoor", MatchStatus.SCHEDULED, 1.8)
    assert record.kickoff_at == datetime(2024, 10, 5, 14, tzinfo=UTC)
    assert reading.notes == {"fixtures of competitions that are not followed": 1}


def test_of_a_countrys_file_a_run_takes_what_its_window_needs() -> None:
    site = FootballDataSite(divisions={}, countries=("ARG",))
    rows = [
        f"Argentina,Liga Profesional,2024,{day},20:00,Norte,Sur,1,0,H"
        for day in ("01/02/2024", "01/08/2024", "30/09/2024")
    ]
    content = "\n".join(["Country,League,Season,Date,Time,Home,Away,HG,AG,Res", *rows]).encode()
    results = job(ScrapeScope.RESULTS, date(2024, 9, 28), date(2024, 10, 1))
    found = answer(site, site.start(results)[0], content, results).records
    assert [record.kickoff_at.month for record in found] == [8, 9]  # corrections of the last two months too
    back = job(ScrapeScope.BACKFILL, date(2024, 1, 1), date(2024, 2, 28))
    assert [record.kickoff_at.month for record in answer(site, site.start(back)[0], content, back).records] == [2]


def test_a_site_of_the_same_shape_has_divisions_and_a_name_of_its_own() -> None:
    key = CompetitionKey("Isles", "Premier", 1, is_simulated=True)
    site = FootballDataSite(base_url="http://127.0.0.1:9/csv/", name="sandbox-csv", divisions={"X1": key}, countries=())
    asked = job(ScrapeScope.BACKFILL, date(2018, 9, 1))
    (request,) = site.start(asked)
    assert (site.name, request.url) == ("sandbox-csv", "http://127.0.0.1:9/csv/mmz4281/1819/X1.csv")
    assert request.may_be_missing
    content = b"Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR\nX1,01/09/2018,15:00,Norte,Sur,1,0,H\n"
    (record,) = answer(site, request, content, asked).records
    assert (record.competition, record.kickoff_precision) == (key, KickoffPrecision.MINUTE)


def test_openfootball_has_a_file_a_competition_and_season() -> None:
    site = OpenfootballSite(codes=("en.1", "br.1"))
    found = paths(site, job(ScrapeScope.RESULTS, date(2024, 10, 1)), OPENFOOTBALL)
    assert found == ["/2024-25/en.1.json", "/2024/br.1.json"]
    back = paths(site, job(ScrapeScope.BACKFILL, date(2019, 8, 20), date(2020, 8, 20)), OPENFOOTBALL)
    assert back == ["/2019-20/en.1.json", "/2020-21/en.1.json", "/2019/br.1.json", "/2020/br.1.json"]
    summer = paths(site, job(ScrapeScope.FIXTURES, date(2020, 8, 1)), OPENFOOTBALL)
    assert summer == ["/2019-20/en.1.json", "/2020-21/en.1.json", "/2020/br.1.json"]
    requests = site.start(job(ScrapeScope.FIXTURES, date(2024, 10, 1)))
    assert {request.may_be_missing for request in requests} == {True}
    assert requests[0].final_after == datetime(2025, 10, 1, tzinfo=UTC)


def test_openfootball_has_no_odds_and_knows_its_codes() -> None:
    assert OpenfootballSite().start(job(ScrapeScope.ODDS, date(2024, 10, 1))) == []
    with pytest.raises(ValueError, match=r"codes \['xx.9'\] are unknown"):
        OpenfootballSite(codes=("en.1", "xx.9"))


def test_an_openfootball_file_gives_the_records_of_the_imported_one() -> None:
    site = OpenfootballSite(codes=("en.1",))
    asked = job(ScrapeScope.RESULTS, date(2025, 10, 1))
    (request,) = site.start(asked)
    content = (PAGES / "openfootball/2025-26/en.1.json").read_bytes()
    reading = answer(site, request, content, asked)
    assert {record.season for record in reading.records} == {"2025-26"}
    assert {record.competition for record in reading.records} == {DIVISIONS["E0"]}
    with pytest.raises(ParseError, match="valid JSON is missing"):
        answer(site, request, b"404: Not Found", asked)
