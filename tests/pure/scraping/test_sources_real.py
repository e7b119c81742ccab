"""The parsers over every real file, where there are some: `SPAI_REAL_DATA` names the folder."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from apps.matches.aliases import aliases_for
from apps.matches.records import CompetitionKey, MatchRecord, MatchStatus
from apps.scraping.sources import SOURCES, CrawlJob, Page, ParsedFile, Reading, Request, ScrapeScope, WhoScored, Window
from apps.scraping.sources.base import HEAD
from apps.scraping.sources.competitions import WHOSCORED
from apps.scraping.sources.football_data.table import decoded
from apps.scraping.sources.whoscored.feed import WhoScoredFeed, read_feed
from apps.scraping.sources.whoscored.tournaments import Tournament, WhoScoredSeason, WhoScoredStage

REAL_DATA = os.environ.get("SPAI_REAL_DATA", "")

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(not REAL_DATA, reason="SPAI_REAL_DATA is not set: no real files to read"),
]

SeasonKey = tuple[CompetitionKey, str]

TOP_FIVE = {
    ("England", "Premier League"),
    ("Spain", "La Liga"),
    ("Italy", "Serie A"),
    ("Germany", "Bundesliga"),
    ("France", "Ligue 1"),
}

CONTRADICTIONS = {
    # marked as awarded in openfootball: one source has the result of the pitch, the other that of the desk
    ("2016-17", "SC Bastia", "Olympique Lyonnais", (0, 0), (0, 3)),
    ("2018-19", "Panathinaikos", "Olympiakos Piraeus", (0, 3), (None, None)),
    ("2018-19", "FC Luzern", "Grasshopper Club Zürich", (4, 0), (3, 0)),
    ("2020-21", "Hellas Verona FC", "AS Roma", (3, 0), (0, 0)),
    ("2020-21", "Atlas Guadalajara", "CF América", (3, 0), (0, 2)),
    # unmarked: nothing in the files says which one is right
    ("2012-13", "Portsmouth FC", "Shrewsbury Town", (3, 1), (2, 1)),
    ("2015-16", "US Salernitana 1919", "Cagliari Calcio", (0, 2), (0, 1)),
    ("2018-19", "Akhisar Belediyespor", "Beşiktaş", (0, 3), (1, 3)),
    ("2020-21", "AD Alcorcón", "Real Zaragoza", (0, 3), (0, 0)),
    ("2022-23", "Wolfsberger AC", "Austria Lustenau", (1, 1), (1, 2)),
    ("2023-24", "NEC", "SBV Vitesse", (1, 2), (1, 3)),
}
"""Season, teams as openfootball writes them, goals by openfootball, goals by football-data."""


@dataclass(frozen=True)
class Read:
    """All files of a source, parsed; prices and statistics counted and then left out."""

    files: dict[str, ParsedFile]
    prices: Counter[str]

    @property
    def records(self) -> Iterator[MatchRecord]:
        for parsed in self.files.values():
            yield from parsed.records

    def by_season(self) -> dict[SeasonKey, list[MatchRecord]]:
        seasons: dict[SeasonKey, list[MatchRecord]] = defaultdict(list)
        for record in self.records:
            seasons[record.competition, record.season].append(record)
        return seasons


def read_all(source: str) -> Read:
    folder = Path(REAL_DATA) / source
    files: dict[str, ParsedFile] = {}
    prices: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.*")):
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        if not SOURCES[source].accepts(name, content[:HEAD]):
            continue
        parsed = SOURCES[source].parse_file(name, content)
        for record in parsed.records:
            for odds in record.odds:
                prices["1X2"] += None not in (odds.home, odds.draw, odds.away)
                if odds.bookmaker in ("B365", "PS", "Avg", "Max"):
                    prices[f"{odds.bookmaker} {odds.moment.value} home"] += odds.home is not None
                    prices[f"{odds.bookmaker} {odds.moment.value} over"] += odds.over_2_5 is not None
            prices["shots"] += record.stats is not None and record.stats.home_shots is not None
        files[name] = replace(parsed, records=[replace(record, odds=(), stats=None) for record in parsed.records])
    return Read(files, prices)


@pytest.fixture(scope="module")
def football_data() -> Read:
    return read_all("football-data")


@pytest.fixture(scope="module")
def openfootball() -> Read:
    return read_all("openfootball")


def rows_with_text(path: Path) -> int:
    """Count the rows of a file that hold anything, the header apart, without the parser."""
    with path.open(encoding="latin-1", newline="") as file:
        return sum(any(cell.strip() for cell in row) for row in csv.reader(file)) - 1


def test_every_row_of_football_data_becomes_a_match_but_one(football_data: Read) -> None:
    main = sum(len(p.records) for name, p in football_data.files.items() if not name.startswith("extra/"))
    extra = sum(len(p.records) for name, p in football_data.files.items() if name.startswith("extra/"))
    assert (main, extra, main + extra) == (225_661, 51_964, 277_625)
    refused = [row for parsed in football_data.files.values() for row in parsed.refused]
    assert [(row.file, row.line, row.reason) for row in refused] == [
        ("2013-14/T1.csv", 308, "date '' cannot be read")  # a broken formula of a spreadsheet, "#REF!"
    ]


def test_each_file_has_as_many_matches_as_rows(football_data: Read) -> None:
    folder = Path(REAL_DATA) / "football-data"
    for name, parsed in football_data.files.items():
        assert len(parsed.records) + len(parsed.refused) == rows_with_text(folder / name), name


FORMS: list[tuple[str, str, str, str]] = [
    (";", ",", "%d.%m.%Y", "utf-8-sig"),
    ("\t", ".", "%Y-%m-%d 00:00:00", "utf-16"),
    (",", ",", "%m/%d/%Y", "cp1252"),
]
"""Separator, decimal sign, date and encoding as spreadsheets of other countries write them."""


@pytest.mark.parametrize(
    "name", ["1993-94/E0.csv", "2004-05/SP1.csv", "2018-19/E0.csv", "2023-24/N1.csv", "extra/ARG.csv"]
)
@pytest.mark.parametrize(("separator", "sign", "written", "encoding"), FORMS)
def test_a_file_that_a_spreadsheet_saved_anew_gives_the_same_matches(
    name: str, separator: str, sign: str, written: str, encoding: str
) -> None:
    published = (Path(REAL_DATA) / "football-data" / name).read_bytes()
    header, *rows = csv.reader(io.StringIO(decoded(published), newline=""))
    day = [column.strip() for column in header].index("Date")
    for row in rows:
        for place, cell in enumerate(row):
            if re.fullmatch(r"-?\d*\.\d+", cell):
                row[place] = cell.replace(".", sign)
        if len(row) > day and row[day]:
            date_form = "%d/%m/%Y" if len(row[day]) == len("dd/mm/yyyy") else "%d/%m/%y"
            row[day] = datetime.strptime(row[day], date_form).replace(tzinfo=UTC).strftime(written)
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header, *rows])
    reader = SOURCES["football-data"]
    parsed, original = reader.parse_file(name, text.getvalue().encode(encoding)), reader.parse_file(name, published)
    assert (parsed.records, parsed.notes) == (original.records, original.notes)


def test_three_matches_have_no_result(football_data: Read) -> None:
    unknown = [(r.season, r.home_team, r.away_team) for r in football_data.records if r.status != MatchStatus.FINISHED]
    assert unknown == [
        ("1995-96", "Ein Frankfurt", "Dusseld"),  # where the file breaks off
        ("2014-15", "Niki Volos", "OFI"),  # both clubs had withdrawn
        ("2018-19", "Panathinaikos", "Olympiakos"),  # abandoned, later awarded
    ]


def test_every_main_file_has_the_season_of_its_folder(football_data: Read) -> None:
    for name, parsed in football_data.files.items():
        if not name.startswith("extra/"):
            assert {record.season for record in parsed.records} == {name.split("/")[0]}, name


def test_what_was_left_out_is_counted(football_data: Read) -> None:
    notes: Counter[str] = Counter()
    for parsed in football_data.files.values():
        notes.update(parsed.notes)
    assert notes == {
        "handicaps dropped": 148,
        "prices dropped": 51,
        "rows with cells beyond the header": 5,
        "matches without a result": 3,
        "half-time scores dropped": 2,
        "counts dropped": 1,
    }


def test_prices_are_as_many_as_the_columns_hold(football_data: Read) -> None:
    def filled(*columns: str) -> int:
        """Count the cells above 1 of columns, row by row, without the parser."""
        count = 0
        for path in sorted((Path(REAL_DATA) / "football-data").rglob("*.csv")):
            with path.open(encoding="latin-1", newline="") as file:
                reader = csv.reader(file)
                header = [cell.strip() for cell in next(reader)]
                wanted = [header.index(column) for column in columns if column in header]
                for row in reader:
                    for index in wanted:
                        if index < len(row) and row[index].replace(".", "", 1).isdigit():
                            count += float(row[index]) > 1
        return count

    assert football_data.prices["B365 opening home"] == filled("B365H")
    assert football_data.prices["PS opening home"] == filled("PSH")
    assert football_data.prices["PS closing home"] == filled("PSCH", "PH")
    assert football_data.prices["Avg opening over"] == filled("BbAv>2.5", "Avg>2.5")
    assert football_data.prices["Max closing over"] == filled("MaxC>2.5")
    assert football_data.prices["1X2"] > 1_900_000


def test_play_offs_are_those_against_clubs_of_another_division(football_data: Read) -> None:
    stages = Counter(r.competition.region for r in football_data.records if r.stage == "play-offs")
    assert stages["Ireland"] == 43
    assert stages["Russia"] == 36  # nine seasons, two pairs, two legs
    assert stages["Sweden"] == 22  # eleven seasons, one pair, two legs
    assert sum(stages[region] for region in ("England", "Germany", "Spain", "Italy", "France", "Scotland")) == 0


def test_openfootball_is_read_without_a_refusal(openfootball: Read) -> None:
    assert sum(len(parsed.records) for parsed in openfootball.files.values()) == 75_730
    assert [row for parsed in openfootball.files.values() for row in parsed.refused] == []
    assert Counter(record.status for record in openfootball.records) == {
        MatchStatus.FINISHED: 74_785,
        MatchStatus.CANCELLED: 583,
        MatchStatus.SCHEDULED: 315,
        MatchStatus.AWARDED: 46,
        MatchStatus.POSTPONED: 1,
    }


def test_every_openfootball_file_has_the_season_of_its_folder(openfootball: Read) -> None:
    for name, parsed in openfootball.files.items():
        assert {record.season for record in parsed.records} == {name.split("/")[0]}, name


Pairs = list[tuple[MatchRecord, MatchRecord | None, bool]]


@pytest.fixture(scope="module")
def pairs(football_data: Read, openfootball: Read) -> Pairs:
    """Each played openfootball match of a season that both have, its partner, and whether the pair is listed at all.

    A partner has the same teams by the alias table, and a date at most one day away.
    """
    both: Pairs = []
    theirs = football_data.by_season()
    for season, records in openfootball.by_season().items():
        if season not in theirs:
            continue
        aliases = aliases_for(season[0].region)
        index: dict[tuple[str, str], list[MatchRecord]] = defaultdict(list)
        for record in theirs[season]:
            index[clubs(record, aliases)].append(record)
        for record in records:
            if record.home_goals is None:
                continue
            listed = index.get(clubs(record, aliases), [])
            near = [other for other in listed if abs(day_of(other) - day_of(record)) <= timedelta(days=1)]
            both.append((record, near[0] if near else None, bool(listed)))
    return both


def clubs(record: MatchRecord, aliases: Mapping[str, str]) -> tuple[str, str]:
    return aliases.get(record.home_team, record.home_team), aliases.get(record.away_team, record.away_team)


def day_of(record: MatchRecord) -> timedelta:
    return timedelta(days=record.kickoff_at.toordinal())


def test_all_matches_of_the_top_five_leagues_join(pairs: Pairs) -> None:
    top = [other for record, other, _ in pairs if (record.competition.region, record.competition.name) in TOP_FIVE]
    assert len(top) == 21_969
    assert sum(other is None for other in top) == 0


def test_names_never_keep_a_match_from_joining(pairs: Pairs) -> None:
    strangers = [(r.season, r.home_team, r.away_team) for r, _, listed in pairs if not listed]
    # football-data lacks one Argentine match, and has only two of the second Swiss division's season
    assert [row for row in strangers if row[0] != "2020-21"] == [("2018-19", "Huracán", "Argentinos Juniors")]
    assert len([row for row in strangers if row[0] == "2020-21"]) == 180


def test_contradicting_results_are_the_known_ones(pairs: Pairs) -> None:
    found = {
        (r.season, r.home_team, r.away_team, (r.home_goals, r.away_goals), (other.home_goals, other.away_goals))
        for r, other, _ in pairs
        if other is not None and (r.home_goals, r.away_goals) != (other.home_goals, other.away_goals)
    }
    assert found == CONTRADICTIONS


def test_kickoffs_agree_where_both_sources_have_a_clock(pairs: Pairs) -> None:
    gaps = [
        abs(record.kickoff_at - other.kickoff_at)
        for record, other, _ in pairs
        if other is not None and record.kickoff_precision == other.kickoff_precision == "minute"
    ]
    assert len(gaps) > 15_000
    assert sum(gap <= timedelta(minutes=15) for gap in gaps) / len(gaps) > 0.995


def test_no_two_clubs_of_a_season_share_a_name(football_data: Read, openfootball: Read) -> None:
    for read in (football_data, openfootball):
        for (competition, season), records in read.by_season().items():
            aliases = aliases_for(competition.region)
            names: dict[str, set[str]] = defaultdict(set)
            for record in records:
                names[aliases.get(record.home_team, record.home_team)].add(record.home_team)
            shared = {frozenset(written) for written in names.values() if len(written) > 1}
            assert all(max(together(records, written), default=0) == 0 for written in shared), (competition, season)


def together(records: list[MatchRecord], names: frozenset[str]) -> list[int]:
    """Count the matches in which two of some names meet: two names of one club never do."""
    return [sum({record.home_team, record.away_team} <= names for record in records)]


# WhoScored

FETCHED_AT = datetime(2025, 7, 29, tzinfo=UTC)
GENUINE_FEEDS = {"fixtures_stage18685_202009.json": 28, "fixtures_stage18685_202101.json": 50}
PREMIER_LEAGUE = Tournament(252, 2, competition=WHOSCORED[252, 2])


def whoscored_file(name: str) -> bytes:
    return (Path(REAL_DATA) / "whoscored" / name).read_bytes()


def read_page(kind: str, content: bytes, about: object = None) -> Reading:
    job = CrawlJob(ScrapeScope.BACKFILL, Window(date(2020, 9, 1), date(2021, 5, 31)), FETCHED_AT)
    page = Page(f"https://www.whoscored.com/{kind}", content, FETCHED_AT)
    return WhoScored().read(Request(page.url, kind, about=about), page, job)


@pytest.fixture(scope="module", params=sorted(GENUINE_FEEDS))
def feed(request: pytest.FixtureRequest) -> WhoScoredFeed:
    feed = read_feed(Page("feed", whoscored_file(request.param), FETCHED_AT), PREMIER_LEAGUE)
    assert len(feed.records) == GENUINE_FEEDS[request.param]
    return feed


@pytest.fixture(scope="module")
def premier_league() -> dict[tuple[str, str], MatchRecord]:
    content = (Path(REAL_DATA) / "football-data" / "2020-21" / "E0.csv").read_bytes()
    parsed = SOURCES["football-data"].parse_file("2020-21/E0.csv", content)
    return {(record.home_team, record.away_team): record for record in parsed.records}


def test_every_match_of_a_genuine_feed_is_that_of_football_data(
    feed: WhoScoredFeed, premier_league: dict[tuple[str, str], MatchRecord]
) -> None:
    assert feed.refused == []
    assert feed.notes == {}
    for record in feed.records:
        other = premier_league[clubs(record, aliases_for("England"))]
        assert (record.competition, record.season, record.status) == (other.competition, other.season, other.status)
        assert (record.home_goals, record.away_goals) == (other.home_goals, other.away_goals)
        assert record.kickoff_at == other.kickoff_at


def test_the_goals_of_a_genuine_feed_make_its_scores(feed: WhoScoredFeed) -> None:
    for record in feed.records:
        incidents = record.details.incidents if record.details else ()
        goals = Counter(i.side.value for i in incidents if i.kind.value in ("goal", "penalty", "own_goal"))
        assert (goals["home"], goals["away"]) == (record.home_goals, record.away_goals)


def test_a_genuine_feed_leads_to_the_match_centre_of_each_match() -> None:
    stage = WhoScoredStage(WhoScoredSeason(PREMIER_LEAGUE, 8228, "2020/2021"), 18685)
    reading = read_page("feed", whoscored_file("fixtures_stage18685_202101.json"), stage)
    assert (len(reading.records), len(reading.follow)) == (50, 50)


def test_the_genuine_regions_lead_to_every_tournament() -> None:
    tiers = whoscored_file("tiers.json")
    reading = read_page("home", b"<script>var allRegions = " + tiers + b";</script>")
    assert reading.notes == {}
    assert len(reading.follow) == tiers.count(b'"sortOrder"')
    keys = {(r.about.region_id, r.about.tournament_id): r.about.competition for r in reading.follow}
    assert set(WHOSCORED) <= set(keys)
    assert keys[250, 12] == CompetitionKey("Europe", "Champions League", 0)


def test_the_genuine_calendar_leads_to_the_nine_months_of_its_season() -> None:
    calendar = whoscored_file("wscalendar_stage18685.json")
    stage = WhoScoredStage(WhoScoredSeason(PREMIER_LEAGUE, 8228, "2020/2021"), 18685)
    reading = read_page("stage", b"<script>var wsCalendar = " + calendar + b";</script>", stage)
    months = [request.url.partition("?d=")[2].partition("&")[0] for request in reading.follow]
    assert months == [f"2020{month:02d}" for month in range(9, 13)] + [f"2021{month:02d}" for month in range(1, 6)]
