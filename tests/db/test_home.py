"""The home page of the admin shows what happened, what is late and what waits for a decision, in few queries."""

from __future__ import annotations

import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.api import services as api
from apps.api.models import Webhook
from apps.matches.models import World
from apps.matches.services import record_action
from apps.ml import selectors
from apps.ml import services as ml
from apps.scraping import services as scraping
from apps.scraping.admin.sources import summaries
from apps.scraping.models import ScrapeRun, Source, SourceDay
from spai import home
from spai.beat import write_timetable
from spai.broker import QUEUES
from spai.celery import TIMETABLE
from spai.stack import health as checks
from tests.factories import ContradictionFactory, TeamAliasFactory
from tests.web.conftest import Builder

pytestmark = pytest.mark.django_db

QUERIES = 53
"""Queries of the home page, session and user included; more need a reason."""


@pytest.fixture
def build(db):
    return Builder(timezone.now().replace(microsecond=0))


@pytest.fixture
def filled(build):
    """A champion with graded forecasts, a run, sources and their timetable; a function adds more of everything."""
    write_timetable(TIMETABLE)
    scraping.ensure_sources(now=build.now)
    version = build.version()
    build.promote(version)
    build.round(build.season(), finished=3, coming=2, version=version)
    numbers = iter(range(2, 99))

    def more() -> None:
        season = build.season("Shield League")
        build.round(season, finished=6, coming=6, version=version)
        build.comparison(build.version(next(numbers)), version)
        build.run(status="failed", started_at=build.now - timedelta(hours=1), finished_at=build.now)
        ContradictionFactory()
        TeamAliasFactory()
        record_action(by="ann", action="did it", about=version, now=build.now)
        for source in Source.objects.all():
            visit(source, build.now)

    return more


def visit(source: Source, at, outcome: str = "stored") -> ScrapeRun:
    times = {"requested_at": at, "started_at": at, "finished_at": at + timedelta(seconds=5)}
    day = at.date()
    return ScrapeRun.objects.create(
        source=source, window_start=day, window_end=day, requested_by="ann", outcome=outcome, pages_done=1, **times
    )


def shown(admin) -> str:
    return re.sub(r"\s+", " ", admin.get(reverse("admin:index")).content.decode())


def test_an_empty_installation_has_a_shown(admin):
    page = shown(admin)
    assert "Waits for a decision</h2> <p>Nothing.</p>" in page
    assert "they are created within the first minute" in page


def test_more_rows_need_no_more_queries(admin, filled):
    filled()
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(reverse("admin:index")).status_code == 200
        counts.append(len(queries))
        filled()
    assert counts == [QUERIES, QUERIES]


def test_what_waits_for_a_decision_is_listed_with_its_page(admin, build, filled, settings):
    filled()
    settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.1"]
    key = api.create_key(name="feed", created_by="ann", scopes=["jobs"], now=build.now).row
    api.create_webhook(api_key=key, url="http://127.0.0.1:9/", topics=["match.changed"], now=build.now)
    Webhook.objects.update(is_active=False, disabled_reason="410 Gone")
    page = shown(admin)
    for said in (
        "Model 2 (sandbox) may take over from model 1 (sandbox)",
        "1 team names to review",
        "1 open contradictions",
        "1 webhooks that failed and are off",
    ):
        assert said in page
        address = re.search(rf'href="([^"]*)">{re.escape(said)}', page)[1]
        assert admin.get(address).status_code == 200, said


def test_a_version_that_was_champion_before_is_no_challenger(build):
    first, second = build.version(1), build.version(2)
    for version in (first, second):
        ml.promote(version=version, user=None, reason="first", now=build.now)
    build.comparison(first, second)
    assert list(selectors.challengers(World.SANDBOX)) == []
    build.comparison(third := build.version(3), second)
    assert list(selectors.challengers(World.SANDBOX)) == [third]


def test_the_champion_is_shown_with_its_record_against_the_market(admin, filled):
    page = shown(admin)
    assert "<dt>Log loss, latest 3</dt> <dd>0.6900, base rates 1.0500</dd>" in page
    assert "<dt>Against the market (3)</dt> <dd>0.6900, market 0.6800</dd>" in page
    assert "<polyline points=" in page


def test_a_record_begins_with_the_reign_of_its_champion(build, filled):
    before = selectors.live_record(selectors.champion(World.SANDBOX))
    assert (before.n, before.n_market, before.running) == (3, 3, pytest.approx((0.01, 0.01, 0.01)))
    ml.promote(version=build.version(9), user=None, reason="better", now=build.now)
    assert selectors.live_record(selectors.champion(World.SANDBOX)) is None


def test_zero_lies_inside_a_chart():
    line, zero = home.chart_line((0.01, 0.03))
    assert (line, zero) == ("0.0,32.0 240.0,0.0", 48.0)
    assert home.chart_line((-0.01, -0.03)) == ("0.0,16.0 240.0,48.0", 0.0)
    assert home.chart_line((0.0, 0.0)) == ("0.0,0.0 240.0,0.0", 0.0)
    assert home.chart_line((0.5,)) == ("", 0.0)


def test_a_queue_shows_its_length_and_age_and_whether_that_is_too_long(admin, build):
    scraping.ensure_sources(now=build.now)
    sandbox = Source.objects.get(name="sandbox")
    scraping.request_run(source=sandbox, scope="results", by="ann", now=build.now - timedelta(hours=2))
    build.event(None)
    lines = {line.name: line for line in home.queues(build.now)}
    assert (lines["scrape runs"].length, lines["scrape runs"].is_late) == (1, True)
    assert (lines["events to number"].length, lines["events to number"].is_late) == (1, False)
    assert (lines["prediction jobs"].length, lines["prediction jobs"].oldest_at) == (0, None)
    assert "1, the oldest since 2 hours" in shown(admin).replace("\xa0", " ")


def line_of(name: str) -> home.SourceLine:
    lines = [home.source_line(source) for source in home.with_summaries(summaries.selectors.sources())]
    return next(line for line in lines if line.source.name == name)


def test_a_source_whose_history_speaks_against_it_says_why(admin, build):
    scraping.ensure_sources(now=build.now)
    source = Source.objects.get(name="sandbox")
    assert line_of("sandbox").troubles == ""
    for age in range(1, 9):
        SourceDay.objects.create(
            source=source, day=build.now.date() - timedelta(days=age), complete=24, stored=1, refused=0
        )
    assert "no complete run; usually there is one every 60 minutes" in line_of("sandbox").troubles
    assert 'title="no complete run' in shown(admin)


def test_a_source_that_is_off_is_not_stale(build):
    scraping.ensure_sources(now=build.now)
    visit(Source.objects.get(name="openfootball"), build.now - timedelta(days=90))
    assert line_of("openfootball").troubles == ""
    assert line_of("openfootball").next_at is None


def test_alerts_for_which_one_container_of_several_is_seen_are_named(admin, settings):
    assert "Prometheus" not in shown(admin)
    settings.SPAI_STOP_MARK = "/tmp/spai/stops"
    page = shown(admin)
    assert "AvailabilityBurnsFast" in page
    assert "SourceStale" not in page


def test_runs_are_shown_with_their_duration(admin, filled):
    filled()
    assert '<b class="spai-failed">failed</b>, took 1 hour' in shown(admin).replace("\xa0", " ")


def test_a_run_that_was_cancelled_is_not_drawn_as_one_that_succeeded(build):
    hour = {"started_at": build.now - timedelta(hours=1), "finished_at": build.now}
    runs = [build.run(status=status, **hour) for status in ("succeeded", "unchanged", "failed", "cancelled")]
    assert [bar.tone for bar in home.run_bars(runs)] == ["succeeded", "succeeded", "failed", "failed"]


def test_who_may_not_see_the_audit_does_not_see_it_on_the_home_page(admin_process, filled):
    filled()
    client = Client()
    client.force_login(get_user_model().objects.create_user("bob", is_staff=True))
    assert "What people did" not in client.get(reverse("admin:index")).content.decode()


def test_parts_that_do_not_answer_are_told_apart_from_those_that_do(admin, monkeypatch, settings):
    def fails() -> str:
        raise checks.Unhealthy("it does not answer")

    found = [("web", lambda: "answers 200"), ("push", fails)]
    monkeypatch.setattr(home, "network_checks", lambda: found)
    page = re.sub(r"\s+", " ", admin.get(reverse("admin:health")).content.decode())
    assert "2 of 4 not well" in page
    assert "<dt>web</dt> <dd>answers 200</dd>" in page
    assert '<dt>push</dt> <dd class="spai-failed">it does not answer</dd>' in page
    assert "has never sent a task" in page


def test_two_workers_of_one_queue_hide_no_other(monkeypatch):
    """The first answers are of the same queue; without a limit everybody is heard."""
    asked = []

    class Control:
        def ping(self, timeout, limit):
            asked.append(limit)
            names = ["jobs@a", "jobs@b", *(f"{queue}@a" for queue in QUEUES if queue != "jobs")]
            return [{name: {"ok": "pong"}} for name in names[:limit]]

    monkeypatch.setattr(home.checks, "bare_celery", lambda _: SimpleNamespace(control=Control()))
    monkeypatch.setattr(home.broker, "waiting", lambda *_, **__: {})
    assert all(part.is_well for part in home._workers())
    assert asked == [len(QUEUES), None]


def test_without_workers_and_broker_the_health_page_still_answers(admin, settings):
    settings.BROKER = settings.REDIS_URL = "redis://127.0.0.1:9/0"
    settings.SPAI_WEB_URL = settings.SPAI_PUSH_URL = settings.SPAI_SANDBOX_URL = "http://127.0.0.1:9"
    page = admin.get(reverse("admin:health")).content.decode()
    assert "the broker does not answer" in page
    assert "Redis does not answer" in page
