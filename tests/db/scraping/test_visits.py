"""Visits to sources: what is due, what is taken, what is recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from apps.matches.models import Ingest, Match
from apps.matches.records import CompetitionKey, MatchRecord, Status
from apps.scraping import selectors, services
from apps.scraping.models import ScrapeRun, Source
from apps.scraping.services.visits import LOCK_CLASS, MARGIN, SANDBOX, tell_sandbox
from apps.scraping.tasks import scrape_due as scrape_due_task

NOW = datetime(2026, 11, 23, 9, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEAGUE = CompetitionKey("Norland", "First", is_simulated=True)

pytestmark = pytest.mark.django_db


class Teller:
    """A source that tells one match, finished from `whistle` on; it keeps what it was asked."""

    def __init__(self, whistle: datetime = NOW) -> None:
        self.whistle = whistle
        self.asked: list[tuple[datetime, datetime | None]] = []
        self.error: Exception | None = None

    def __call__(self, source: Source, now: datetime, since: datetime | None) -> list[MatchRecord]:
        self.asked.append((now, since))
        if self.error is not None:
            raise self.error
        result = {"status": Status.FINISHED, "home_goals": 1, "away_goals": 0} if now >= self.whistle else {}
        return [MatchRecord(LEAGUE, "2026-27", "Aker", "Birk", NOW - 2 * MINUTE, source_id="1", **result)]


@pytest.fixture
def teller() -> Teller:
    return Teller()


def visit(teller: Teller, now: datetime = NOW) -> services.ScrapeReport:
    return services.scrape(SANDBOX, now=now, fetchers={SANDBOX: teller})


def test_the_first_visit_makes_the_source_and_keeps_when_its_world_began(teller):
    assert visit(teller).outcome == "stored"
    source = Source.objects.get()
    assert (source.name, source.anchor_at, source.every) == ("sandbox", NOW.replace(second=0), MINUTE)
    assert source.seed is not None
    visit(teller, NOW + timedelta(days=3))
    assert Source.objects.get().anchor_at == source.anchor_at


def test_a_run_tells_its_outcome_and_its_ingest(teller):
    report = visit(teller)
    run = ScrapeRun.objects.get(pk=report.run_id)
    assert (run.outcome, run.detail, run.started_at) == ("stored", "", NOW)
    assert run.finished_at > run.started_at
    assert run.ingest == Ingest.objects.get()
    assert (report.created, report.changed, report.same, report.refused) == (1, 0, 0, 0)


def test_a_run_without_news_is_unchanged(teller):
    visit(teller)
    assert visit(teller, NOW + MINUTE).outcome == "unchanged"


def test_the_first_visit_takes_all_and_a_later_one_what_came_since_and_a_margin(teller):
    visit(teller)
    visit(teller, NOW + MINUTE)
    visit(teller, NOW + 5 * MINUTE)
    assert teller.asked == [(NOW, None), (NOW + MINUTE, NOW - MARGIN), (NOW + 5 * MINUTE, NOW + MINUTE - MARGIN)]


def test_a_failed_visit_is_recorded_stores_nothing_and_is_made_up_by_the_next(teller):
    visit(teller)
    teller.error = OSError("no route to host")
    report = visit(teller, NOW + MINUTE)
    assert (report.outcome, report.detail) == ("failed", "OSError: no route to host")
    assert ScrapeRun.objects.get(pk=report.run_id).detail == "OSError: no route to host"
    teller.error = None
    visit(teller, NOW + 9 * MINUTE)
    assert teller.asked[-1] == (NOW + 9 * MINUTE, NOW - MARGIN)


def test_a_record_that_fails_half_way_leaves_nothing(teller):
    def half(source, now, since):
        yield from teller(source, now, since)
        raise ValueError("match: -1 goals")

    report = services.scrape(SANDBOX, now=NOW, fetchers={SANDBOX: half})
    assert report.outcome == "failed"
    assert not Match.objects.exists()


def test_a_run_whose_process_was_lost_is_ended_by_the_next(teller):
    visit(teller)
    lost = ScrapeRun.objects.create(source=Source.objects.get(), started_at=NOW + MINUTE)
    visit(teller, NOW + 2 * MINUTE)
    lost.refresh_from_db()
    assert (lost.outcome, lost.detail) == ("failed", "The process that made this visit was lost.")


def test_only_one_process_visits_a_source_at_a_time(teller):
    visit(teller)
    source = Source.objects.get()
    parameters = connection.get_connection_params()
    with psycopg.connect(**{key: parameters[key] for key in ("host", "port", "user", "password", "dbname")}) as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, source.pk])
        report = visit(teller, NOW + MINUTE)
        assert (report.run_id, report.outcome) == (None, "")
    assert visit(teller, NOW + MINUTE).outcome == "unchanged"


def test_an_unknown_source_is_named(teller):
    with pytest.raises(services.UnknownSourceError, match="no source is called 'whoscored'; there are sandbox"):
        services.scrape("whoscored", now=NOW)


def test_a_source_is_due_when_its_time_has_passed_and_not_before(teller, settings):
    settings.SPAI_SANDBOX = True
    fetchers = {SANDBOX: teller}
    due = [
        len(services.scrape_due(now=NOW + timedelta(seconds=seconds), fetchers=fetchers))
        for seconds in (0, 30, 59, 60, 90, 120)
    ]
    assert due == [1, 0, 0, 1, 0, 1]


def test_a_source_that_is_switched_off_is_never_due(teller, settings):
    settings.SPAI_SANDBOX = True
    visit(teller)
    Source.objects.update(is_enabled=False)
    assert services.scrape_due(now=NOW + timedelta(days=1), fetchers={SANDBOX: teller}) == []


def test_without_the_sandbox_its_world_stands_still(teller, settings):
    settings.SPAI_SANDBOX = False
    assert services.scrape_due(now=NOW, fetchers={SANDBOX: teller}) == []
    assert not Source.objects.exists()
    services.ensure_sandbox(now=NOW)
    assert services.scrape_due(now=NOW, fetchers={SANDBOX: teller}) == []


def test_a_visit_asked_for_is_due_at_once_and_only_once(teller, settings, monkeypatch):
    settings.SPAI_SANDBOX = True
    woken = []
    monkeypatch.setattr("apps.scraping.services.visits.wake", woken.append)
    visit(teller)
    soon = NOW + timedelta(seconds=5)
    assert services.request_visits([Source.objects.get().pk], now=soon) == ["sandbox"]
    assert woken == ["scrape_requested"]
    fetchers = {SANDBOX: teller}
    assert len(services.scrape_due(now=soon + timedelta(seconds=1), fetchers=fetchers)) == 1
    assert services.scrape_due(now=soon + timedelta(seconds=2), fetchers=fetchers) == []


def test_a_visit_to_a_source_that_is_off_cannot_be_asked_for(teller):
    visit(teller)
    Source.objects.update(is_enabled=False)
    assert services.request_visits([Source.objects.get().pk], now=NOW) == []
    assert Source.objects.get().requested_at is None


def test_freshness_is_the_start_of_the_latest_visit_that_took_all(teller):
    visit(teller)
    teller.error = OSError("gone")
    visit(teller, NOW + MINUTE)
    assert selectors.freshness() == [("sandbox", NOW)]


def test_the_task_visits_what_is_due(settings, monkeypatch, teller):
    settings.SPAI_SANDBOX = True
    monkeypatch.setattr("apps.scraping.tasks.services.scrape_due", lambda *, now: [visit(teller, now)])
    scrape_due_task.run()
    assert ScrapeRun.objects.get().outcome == "stored"


# ── The simulated world itself ───────────────────────────────────────────────────────────────────────────────────────
def test_the_simulated_world_is_caught_up_and_then_followed():
    first = services.scrape(SANDBOX, now=NOW)
    assert (first.outcome, first.created, first.refused) == ("stored", 4752, 0)
    again = services.scrape(SANDBOX, now=NOW)
    assert (again.outcome, again.created, again.changed) == ("unchanged", 0, 0)
    later = services.scrape(SANDBOX, now=NOW + timedelta(minutes=30))
    assert (later.created, later.refused) == (0, 0)
    assert later.changed > 20
    finished = Match.objects.filter(status="finished", kickoff_at__gte=NOW)
    assert finished.count() >= 25
    assert not finished.exclude(revision=1).exists()


def test_the_planner_is_told_of_many_new_matches_at_once():
    services.scrape(SANDBOX, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reltuples FROM pg_class WHERE relname IN ('matches_match', 'matches_matchref')")
        assert dict(cursor.fetchall()) == {"matches_match": 4752, "matches_matchref": 4752}


def test_what_was_followed_minute_by_minute_is_what_the_world_tells_at_once():
    services.scrape(SANDBOX, now=NOW)
    for minutes in range(1, 8):
        services.scrape(SANDBOX, now=NOW + minutes * MINUTE)
    told = list(tell_sandbox(Source.objects.get(), NOW + 7 * MINUTE, None))
    by_id = {record.source_id: record for record in told}
    for match in Match.objects.prefetch_related("refs"):
        record = by_id[match.refs.all()[0].source_id]
        assert (match.status, match.kickoff_at, match.home_goals) == (
            record.status,
            record.kickoff_at,
            record.home_goals,
        )
    assert Match.objects.count() == len(told)


def test_a_sandbox_that_lost_its_anchor_fails_with_words():
    source = services.ensure_sandbox(now=NOW)
    Source.objects.filter(pk=source.pk).update(anchor_at=None)
    report = services.scrape(SANDBOX, now=NOW)
    assert report.outcome == "failed"
    assert "restore them in the admin" in report.detail
