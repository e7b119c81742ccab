"""The sandbox's site, read over the network by the sources' own readers: the whole path but the browser."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from apps.matches.models import Absence, Incident, Lineup, Match, MatchStats, Odds
from apps.scraping import services
from apps.scraping.models import HostState, ScrapeRun, Snapshot, Source
from apps.scraping.sandbox.world import SimulatedWorld
from apps.scraping.services import fetching, runs
from tests.database import rows_of, write_again
from tests.sandbox_server import SEED, SandboxServer

pytestmark = pytest.mark.django_db

# A page says when it came by the clock of the machine, and a price is one only before kick-off.
START = datetime.now(UTC).replace(microsecond=0)
ANCHOR = START - timedelta(minutes=6)


class Sandbox:
    """The site, its two sources, and the one clock of the world and of the runs."""

    def __init__(self, world: SimulatedWorld, pages_of_first_run: Path) -> None:
        self.now = START
        self.server = SandboxServer(world=world, clock=self.clock)
        self.rows_of_first_run: dict[str, bytes] = {}
        self.pages_of_first_run = pages_of_first_run

    def begin(self, pages: Path) -> None:
        self.now, self.pages = START, pages
        self.server.faults.clear()
        self.server.log.clear()
        services.ensure_sources(now=START)

    @property
    def source(self) -> Source:
        return Source.objects.get(name="sandbox")

    def first_run(self) -> None:
        """Visit the site, or write what an earlier test stored when it did."""
        if self.rows_of_first_run:
            Source.objects.all().delete()
            write_again(self.rows_of_first_run)
            shutil.copytree(self.pages_of_first_run, self.pages)
        else:
            self.visit()
            self.rows_of_first_run = rows_of("matches") | rows_of("scraping")
            shutil.copytree(self.pages, self.pages_of_first_run)

    def clock(self) -> datetime:
        return self.now

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    def visit(self, scope: str = "results", source: Source | None = None) -> ScrapeRun:
        run = services.request_run(source=source or self.source, scope=scope, by="ann", now=self.now)
        list(runs.scrape_due(now=self.now, clock=self.clock))
        run.refresh_from_db()
        return run


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    return SimulatedWorld(SEED, ANCHOR)


@pytest.fixture(scope="module")
def opened(world, tmp_path_factory):
    here = Sandbox(world, tmp_path_factory.mktemp("sandbox") / "pages")
    yield here
    here.server.stop()


@pytest.fixture
def sandbox(opened, settings, monkeypatch, raw_pages, db):
    # Plain HTTP, as on a machine without a browser; tests/e2e reads the same site through one.
    monkeypatch.setattr(fetching, "found_browser", lambda: (None, "there is none"))
    settings.SPAI_SANDBOX_URL = opened.server.url
    opened.begin(raw_pages)
    return opened


@contextmanager
def broken(sandbox: Sandbox, path: str, mode: str):
    sandbox.server.faults.put(path, mode)
    yield
    sandbox.server.faults.clear()


def test_a_run_brings_results_line_ups_incidents_counts_and_prices(sandbox):
    run = sandbox.visit()
    assert (run.outcome, run.refused) == ("stored", 0), run.detail
    finished = Match.objects.filter(status="finished")
    assert finished.count() >= 3
    assert Lineup.objects.filter(is_starter=True).count() == 22 * finished.count()
    assert MatchStats.objects.exclude(home_shots=None).count() == finished.count()
    assert Incident.objects.exists()
    assert Odds.objects.filter(match__status="scheduled").exists()
    assert not Match.objects.exclude(season__competition__is_simulated=True).exists()


def test_what_is_stored_is_what_the_world_says(sandbox, world):
    sandbox.first_run()
    told = {record.source_id: record for record in world.records(sandbox.now, ANCHOR)}
    for match in Match.objects.prefetch_related("refs"):
        record = told[match.refs.all()[0].source_id]
        assert (match.status, match.kickoff_at, match.finished_at) == (
            record.status,
            record.kickoff_at,
            record.finished_at,
        )
        assert (match.home_goals, match.away_goals, match.home_goals_half_time) == (
            record.home_goals,
            record.away_goals,
            record.home_goals_half_time,
        )


def test_the_same_run_twice_writes_no_row(sandbox):
    sandbox.first_run()
    before = (Match.objects.count(), Snapshot.objects.count(), Lineup.objects.count(), Odds.objects.count())
    run = sandbox.visit()
    assert (run.outcome, run.created, run.changed) == ("unchanged", 0, 0)
    assert (Match.objects.count(), Snapshot.objects.count(), Lineup.objects.count(), Odds.objects.count()) == before


def test_a_minute_later_only_what_is_new_is_requested(sandbox):
    sandbox.first_run()
    sandbox.server.log.clear()
    sandbox.later(minutes=1)
    run = sandbox.visit()
    asked = [entry["path"] for entry in sandbox.server.log.entries()]
    assert run.outcome == "stored"
    assert len(asked) <= 12
    # One page of each league, and another one while its matches of the last minutes are in the month before.
    months = [path for path in asked if "/data/" in path]
    assert len({path.split("/")[2] for path in months}) == 4
    assert len(months) <= (5 if START.month != ANCHOR.month else 4)


def test_fixtures_bring_who_is_missing(sandbox):
    run = sandbox.visit("fixtures")
    assert run.outcome == "stored", run.detail
    assert Absence.objects.filter(match__kickoff_at__gt=sandbox.now).exists()


def test_past_seasons_come_as_files_with_counts_and_prices(sandbox, world):
    run = services.request_scheduled_run(source="sandbox-files", scope="backfill", now=sandbox.now).run
    list(runs.scrape_due(now=sandbox.now, clock=sandbox.clock))
    run.refresh_from_db()
    assert (run.outcome, run.created, run.refused) == ("stored", 8 * 528, 0), (run.detail, run.notes)
    assert MatchStats.objects.count() == 8 * 528
    assert Odds.objects.filter(bookmaker="TRUE").count() == 8 * 528
    told = [record for record in world.records(sandbox.now) if record.kickoff_at < ANCHOR - timedelta(days=1)]
    goals = {(r.home_team, r.away_team, r.season): (r.home_goals, r.away_goals) for r in told}
    for match in Match.objects.select_related("home_team", "away_team", "season"):
        assert goals[match.home_team.name, match.away_team.name, match.season.label] == (
            match.home_goals,
            match.away_goals,
        )
    assert (
        services.request_scheduled_run(
            source="sandbox-files", scope="backfill", now=sandbox.now + timedelta(hours=1)
        ).run
        is None
    )


def test_kept_pages_give_the_same_rows_without_a_request(sandbox):
    sandbox.visit()
    sandbox.later(minutes=3)
    sandbox.visit()
    sandbox.server.log.clear()
    services.request_reparse(source=sandbox.source, by="ann", now=sandbox.now)
    (report,) = runs.scrape_due(now=sandbox.now, clock=sandbox.clock)
    assert (report.outcome, report.created, report.changed) == ("unchanged", 0, 0)
    assert sandbox.server.log.entries() == []


def absent_players() -> list[tuple[object, ...]]:
    """Return who misses which match, as reported by the source, and when that was known."""
    names = ("match__refs__source_id", "player__source_player_id", "reason", "status", "known_at")
    return sorted(Absence.objects.values_list(*names))


def test_kept_previews_report_again_who_was_missing(sandbox):
    sandbox.visit("fixtures")
    before = absent_players()
    assert before
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE matches_match CASCADE")
    sandbox.later(days=9)
    services.request_reparse(source=sandbox.source, by="ann", now=sandbox.now)
    list(runs.scrape_due(now=sandbox.now, clock=sandbox.clock))
    assert absent_players() == before


@pytest.mark.parametrize(
    ("path", "mode", "outcome"),
    [
        ("/tournaments/", "500", "http_error"),
        ("/tournaments/", "403", "blocked"),
        ("/tournaments/", "429", "blocked"),
        ("/tournaments/", "challenge", "blocked"),
        ("/regions/", "incapsula", "blocked"),
        ("/regions/", "changed_layout", "changed_layout"),
        ("/tournaments/", "changed_layout", "changed_layout"),
        ("/matches/", "changed_layout", "changed_layout"),
        ("/tournaments/", "truncated_gzip", "http_error"),
        ("/tournaments/", "huge", "http_error"),
        ("/tournaments/", "redirect_loop", "http_error"),
        ("/tournaments/", "wrong_type", "changed_layout"),
        ("/tournaments/", "empty", "empty"),
        ("/tournaments/", "reset", "http_error"),
        ("/tournaments/", "contradicting", "invalid"),
    ],
)
def test_each_fault_ends_in_its_outcome_with_the_tables_untouched(sandbox, path, mode, outcome):
    sandbox.first_run()
    before = (Match.objects.count(), Match.objects.filter(status="finished").count(), Lineup.objects.count())
    sandbox.later(minutes=11)
    with broken(sandbox, path, mode):
        run = sandbox.visit()
    assert run.outcome == outcome, run.detail
    assert run.detail
    assert (Match.objects.count(), Match.objects.filter(status="finished").count(), Lineup.objects.count()) == before
    HostState.objects.update(state="closed", open_until=None, failures=0, free_at=None)
    assert sandbox.visit().outcome == "stored"


@pytest.mark.parametrize("mode", ["slow", "duplicated"])
def test_what_is_only_slow_or_said_twice_is_stored(sandbox, mode):
    sandbox.server.faults.put("/tournaments/", mode, seconds=0.3)
    run = sandbox.visit()
    assert (run.outcome, run.refused) == ("stored", 0), run.detail


def test_a_site_that_hangs_is_given_up(sandbox, monkeypatch):
    monkeypatch.setattr(fetching, "PAGE_SECONDS", 1.0)
    with broken(sandbox, "/regions/", "hang"):
        run = sandbox.visit()
    # A site that is waited for to the end answers 504 at last, and that is another outcome.
    assert run.outcome == "timeout"
    assert not Match.objects.exists()


def test_429_halts_the_host_for_as_long_as_the_site_asks(sandbox):
    with broken(sandbox, "/tournaments/", "429"):
        sandbox.visit()
    sandbox.server.log.clear()
    sandbox.later(minutes=2)
    run = sandbox.visit()
    assert run.outcome == "blocked"
    assert "is halted until" in run.detail
    assert sandbox.server.log.entries() == []


def test_no_request_leaves_for_whoscored_while_it_is_off(sandbox):
    whoscored = Source.objects.get(name="whoscored")
    Source.objects.filter(pk=whoscored.pk).update(base_url=sandbox.server.url)
    for scope in ("results", "fixtures", "odds"):
        assert services.request_scheduled_run(source="whoscored", scope=scope, now=sandbox.now).run is None
    with pytest.raises(services.SourceIsOffError):
        services.request_run(source=whoscored, scope="results", by="ann", now=sandbox.now)
    run = ScrapeRun.objects.create(
        source=whoscored,
        scope="results",
        window_start=sandbox.now.date(),
        window_end=sandbox.now.date(),
        requested_at=sandbox.now,
        requested_by="a row that should not be",
    )
    list(runs.scrape_due(now=sandbox.now, clock=sandbox.clock))
    run.refresh_from_db()
    assert run.outcome == "failed"
    assert sandbox.server.log.entries() == []


def test_a_real_source_without_a_browser_says_how_to_get_one(sandbox, settings):
    whoscored = Source.objects.get(name="whoscored")
    services.confirm_permission(source=whoscored, by="ann", note="a letter", now=sandbox.now)
    services.switch(source=whoscored, is_on=True, by="ann", now=sandbox.now)
    run = sandbox.visit(source=Source.objects.get(name="whoscored"))
    assert run.outcome == "failed"
    assert "needs a browser, and there is none" in run.detail
    assert sandbox.server.log.entries() == []
