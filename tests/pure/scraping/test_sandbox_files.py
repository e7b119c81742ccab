"""The sandbox's files, read by the reader of football-data, tell what the world says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.matches.records import MatchRecord, MatchStatus
from apps.scraping.sandbox.clubs import COMPETITIONS
from apps.scraping.sandbox.site import SandboxSite
from apps.scraping.sandbox.site.addresses import LEAGUES
from apps.scraping.sandbox.world import SimulatedWorld
from apps.scraping.sources.competitions import DIVISIONS
from apps.scraping.sources.football_data import FootballData

SEED = 7
ANCHOR = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=61, seconds=30)
CODES = {league.division: league.competition for league in LEAGUES}


@pytest.fixture(scope="module")
def site() -> SandboxSite:
    return SandboxSite(SimulatedWorld(SEED, ANCHOR), lambda: NOW)


@pytest.fixture(scope="module")
def told() -> list[MatchRecord]:
    """What the world says now, from a world of its own."""
    return list(SimulatedWorld(SEED, ANCHOR).records(NOW))


@pytest.fixture(autouse=True)
def known_divisions(monkeypatch: pytest.MonkeyPatch) -> None:
    for code, competition in CODES.items():
        monkeypatch.setitem(DIVISIONS, code, competition)


def as_in_a_file(record: MatchRecord) -> MatchRecord:
    """Without what the format has no column for; the season it takes from the dates."""
    return replace(
        record, season="-", source_id="", home_team_id="", away_team_id="", round="", finished_at=None, stage=""
    )


def order(record: MatchRecord) -> tuple[str, datetime, str]:
    return str(record.competition), record.kickoff_at, record.home_team


def read(site: SandboxSite, path: str) -> list[MatchRecord]:
    answer = site.page(path)
    assert answer.status == 200
    parsed = FootballData().parse_file(path.removeprefix("/"), answer.body)
    assert parsed.refused == []
    assert parsed.notes == {}
    return parsed.records


def test_every_past_season_comes_back_equal(site: SandboxSite, told: list[MatchRecord]) -> None:
    read_back, seasons = [], sorted({record.season for record in told if " " not in record.season})
    assert len(seasons) == 8
    for season in seasons:
        for code in CODES:
            read_back += read(site, f"/mmz4281/{season[2:4]}{season[5:7]}/{code}.csv")
    expected = [as_in_a_file(record) for record in told if " " not in record.season]
    assert len(expected) == 8 * 528
    assert sorted(map(as_in_a_file, read_back), key=order) == sorted(expected, key=order)


def test_a_file_of_a_past_season_lies_in_one_season_of_its_reader(site: SandboxSite) -> None:
    for season in ("1819", "2223", "2526"):
        for code in CODES:
            records = read(site, f"/mmz4281/{season}/{code}.csv")
            assert len({record.season for record in records}) == 1
            assert {record.stage for record in records} == {""}


def test_the_coming_matches_come_back_equal(site: SandboxSite, told: list[MatchRecord]) -> None:
    coming = [as_in_a_file(record) for record in told if record.status is MatchStatus.SCHEDULED]
    assert len(coming) > 400
    assert {len(record.odds) for record in coming} == {4, 9}
    read_back = [as_in_a_file(record) for record in read(site, "/fixtures.csv")]
    assert sorted(read_back, key=order) == sorted(coming, key=order)


def test_a_running_season_shows_what_was_played_so_far() -> None:
    middle = ANCHOR - timedelta(days=120)
    played = [
        r
        for r in SimulatedWorld(SEED, ANCHOR).records(middle)
        if r.season == "2025-26" and r.status is MatchStatus.FINISHED
    ]
    site = SandboxSite(SimulatedWorld(SEED, ANCHOR), lambda: middle)
    found = [record for code in CODES for record in read(site, f"/mmz4281/2526/{code}.csv")]
    assert 100 < len(found) < 400
    assert sorted(map(as_in_a_file, found), key=order) == sorted(map(as_in_a_file, played), key=order)


def test_the_header_is_football_datas(site: SandboxSite) -> None:
    line = site.page("/mmz4281/1819/XA1.csv").body.decode("utf-8-sig").splitlines()[0]
    assert line.startswith(
        "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR,HTHG,HTAG,HTR,Attendance,Referee,"
        "HS,AS,HST,AST,HF,AF,HC,AC,HY,AY,HR,AR,B365H,B365D,B365A,PSH,PSD,PSA,"
    )
    header = line.split(",")
    assert {"B365CH", "PSCD", "AvgCA", "MaxCH", "TRUECH", "TRUECD", "TRUECA", "AvgC>2.5", "P<2.5"} < set(header)
    assert "TRUEH" not in header
    assert len(set(header)) == len(header)


def test_clock_times_are_those_of_the_united_kingdom(site: SandboxSite, told: list[MatchRecord]) -> None:
    rows = [row.split(",")[:4] for row in site.page("/mmz4281/2526/XA1.csv").body.decode("utf-8-sig").splitlines()[1:]]
    first = min(
        (r for r in told if (r.season, r.competition) == ("2025-26", COMPETITIONS[0])), key=lambda r: r.kickoff_at
    )
    # April is summer time there.
    assert rows[0][1:3] == [f"{first.kickoff_at:%d/%m/%Y}", f"{first.kickoff_at + timedelta(hours=1):%H:%M}"]


def test_no_real_division_has_a_code_of_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert set(CODES).isdisjoint(DIVISIONS)
    # Countries have three letters and no digit; codes of countries that begin with X are free by ISO 3166.
    assert all(code.startswith(("XA", "XV")) and code[-1].isdigit() for code in CODES)


@pytest.mark.parametrize("path", ["/mmz4281/2627/XA1.csv", "/mmz4281/1718/XA1.csv", "/mmz4281/1819/E0.csv"])
def test_a_file_that_does_not_exist_is_not_found(site: SandboxSite, path: str) -> None:
    answer = site.page(path)
    assert answer.status == 404
    assert b"there is no file of the division" in answer.body
