"""Which runs become rows: what the timetable wants, what an operator asks for, and what may not be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.scraping import selectors, services
from apps.scraping.models import HostState, ScrapeRun, Source
from apps.scraping.politeness import host_of
from apps.scraping.services.run_requests import months
from tests.db.scraping.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def woken(monkeypatch):
    topics: list[str] = []
    monkeypatch.setattr("apps.scraping.services.run_requests.start_tasks_after_commit", topics.append)
    return topics


@pytest.fixture
def whoscored(stage) -> Source:
    return Source.objects.get(name="whoscored")


def due(source: str = "sandbox", scope: str = "results", now: datetime = NOW) -> services.Asked:
    return services.request_scheduled_run(source=source, scope=scope, now=now)


def complete(run: ScrapeRun, now: datetime) -> None:
    ScrapeRun.objects.filter(pk=run.pk).update(started_at=now, finished_at=now, outcome="stored")


def test_sources_come_with_the_project_and_only_the_simulated_ones_are_on(stage):
    assert {source.name: source.is_enabled for source in Source.objects.all()} == {
        "sandbox": True,
        "sandbox-files": True,
        "football-data": False,
        "openfootball": False,
        "understat": False,
        "whoscored": False,
    }
    assert Source.objects.get(name="whoscored").delay == timedelta(seconds=7)


def test_the_first_call_decides_when_the_simulated_season_began(stage):
    services.ensure_sources(now=NOW + timedelta(days=3))
    assert Source.objects.get(name="sandbox").anchor_at == NOW.replace(second=0)


def test_results_reach_three_days_back_fixtures_fifteen_ahead_odds_to_tomorrow(stage):
    today = date(2026, 11, 23)
    results = due().run
    assert (results.window_start, results.window_end) == (date(2026, 11, 20), today)
    fixtures = due(scope="fixtures").run
    assert (fixtures.window_start, fixtures.window_end) == (today, date(2026, 12, 8))


def test_after_a_stand_still_results_reach_back_to_the_latest_complete_run(stage):
    complete(due().run, NOW)
    run = due(now=NOW + timedelta(days=20)).run
    assert run.window_start == NOW.date()
    complete(run, NOW + timedelta(days=20))
    assert due(now=NOW + timedelta(days=400)).run.window_start == (NOW + timedelta(days=400 - 62)).date()


def test_two_beats_ask_once(stage):
    first = due().run
    assert due(now=NOW + timedelta(seconds=1)).run in (None, first)
    complete(first, NOW)
    again = due(now=NOW + timedelta(seconds=20))
    assert (again.run, str(again)) == (None, "results of sandbox were requested a moment ago")
    assert due(now=NOW + timedelta(seconds=60)).run is not None
    assert ScrapeRun.objects.count() == 2


def test_a_run_that_waits_is_not_requested_again(stage):
    first = due().run
    assert due(now=NOW + timedelta(seconds=60)).run == first


def test_the_database_refuses_a_second_open_run_of_a_kind(stage):
    run = due().run
    with pytest.raises(IntegrityError, match="scraperun_one_open_of_a_kind"), transaction.atomic():
        ScrapeRun.objects.create(
            source=run.source,
            scope=run.scope,
            window_start=run.window_start,
            window_end=run.window_end,
            requested_at=NOW,
            requested_by="somebody",
        )


def test_a_source_that_is_off_is_not_requested_and_says_why(stage):
    asked = due("football-data")
    assert asked.run is None
    assert "Switch it on in the admin" in str(asked)


def test_without_the_sandbox_its_world_stands_still(stage, settings):
    settings.SPAI_SANDBOX = False
    assert "SPAI_SANDBOX" in str(due())


def test_past_seasons_are_requested_until_a_run_has_brought_them_all(stage):
    run = due("sandbox-files", "backfill").run
    complete(run, NOW)
    assert (
        str(due("sandbox-files", "backfill", NOW + timedelta(hours=1))) == "sandbox-files has been back-filled already"
    )


def test_odds_are_read_on_match_days_only(stage):
    assert str(due(scope="odds")) == "sandbox has no match within a day: no odds are read"


def test_an_unknown_source_or_scope_is_named(stage):
    with pytest.raises(services.UnknownSourceError, match="there is no source 'flashscore'; there are football-data"):
        due("flashscore")
    with pytest.raises(services.UnknownSourceError, match="there is no scope 'everything'"):
        due(scope="everything")


def test_an_operators_wish_wakes_the_worker_and_a_double_click_is_one_run(stage, woken):
    first, second = (services.request_run(source=stage.source, scope="results", by="ann", now=NOW) for _ in range(2))
    assert first == second
    assert first.requested_by == "ann"
    assert woken == ["scrape_requested", "scrape_requested"]


def test_a_back_fill_is_a_run_for_each_month_oldest_first(stage, woken):
    runs = services.request_backfill(
        source=stage.source, start=date(2026, 8, 15), end=date(2026, 10, 3), by="ann", now=NOW
    )
    assert [(run.window_start, run.window_end) for run in runs] == [
        (date(2026, 8, 15), date(2026, 8, 31)),
        (date(2026, 9, 1), date(2026, 9, 30)),
        (date(2026, 10, 1), date(2026, 10, 3)),
    ]
    assert len({run.batch for run in runs}) == 1
    assert woken == ["scrape_requested"]


def test_months_meet_without_a_gap_for_thirty_years():
    pieces = list(months(date(1998, 2, 28), date(2028, 3, 1)))
    assert pieces[0][0] == date(1998, 2, 28)
    assert pieces[-1] == (date(2028, 3, 1), date(2028, 3, 1))
    assert all(one[1] + timedelta(days=1) == other[0] for one, other in pairwise(pieces))


@pytest.mark.parametrize(
    ("start", "end", "complaint"),
    [
        (date(2026, 10, 2), date(2026, 10, 1), "is before the first"),
        (date(1900, 1, 1), date(2026, 10, 1), "No source has matches for all of"),
        (date(2026, 10, 1), date(2031, 10, 1), "No source has matches for all of"),
    ],
)
def test_days_that_are_no_stretch_are_refused(stage, start, end, complaint):
    with pytest.raises(services.WindowError, match=complaint):
        services.request_backfill(source=stage.source, start=start, end=end, by="ann", now=NOW)
    assert not ScrapeRun.objects.exists()


def test_a_back_fill_of_one_month_does_not_stand_for_all(stage):
    (month,) = services.request_backfill(
        source=Source.objects.get(name="sandbox-files"),
        start=date(2026, 8, 1),
        end=date(2026, 8, 31),
        by="ann",
        now=NOW,
    )
    complete(month, NOW)
    assert due("sandbox-files", "backfill", NOW + timedelta(minutes=1)).run is not None


def test_a_simulated_source_cannot_be_pointed_at_a_real_site(stage, settings):
    for address in ("https://www.whoscored.com", "https://elsewhere.example"):
        stage.source.base_url = address
        assert "Correct its address" in services.why_off(stage.source)
    files = Source.objects.get(name="football-data")
    files.is_enabled, files.base_url = True, "https://www.whoscored.com/files"
    assert "only the source whoscored may scrape" in services.why_off(files)


@pytest.mark.parametrize("host", ["whoscored.com", "www.whoscored.com", "1xbet.WhoScored.com", "whoscored.com."])
def test_no_host_of_whoscored_is_scraped_without_a_permission(stage, host):
    files = Source.objects.get(name="football-data")
    files.is_enabled, files.base_url = True, f"https://{host}/files"
    assert "only the source whoscored may scrape" in services.why_off(files)
    files.base_url = "https://notwhoscored.com"
    assert services.why_off(files) == ""


NOWHERE = ["ftp://files.example", "http://ann:secret@files.example", "http://files.example:99999"]


@pytest.mark.parametrize("address", NOWHERE)
def test_an_address_without_a_host_is_refused_and_harms_nobody_who_meets_it(stage, address):
    files = Source.objects.get(name="football-data")
    files.is_enabled, files.base_url = True, address
    with pytest.raises(ValidationError, match="Give the address of a site"):
        files.full_clean()
    assert "Its address is invalid" in services.why_off(files)
    assert not selectors.is_halted(address, NOW)


def test_a_delay_is_one_that_a_worker_waits_out(stage):
    stage.source.delay = timedelta(seconds=60)
    stage.source.full_clean()
    stage.source.delay = timedelta(seconds=61)
    with pytest.raises(ValidationError, match="At most 60 seconds"):
        stage.source.full_clean()
    with pytest.raises(IntegrityError, match="source_delay_waited_out"), transaction.atomic():
        stage.source.save()


# ── Permission ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_whoscored_is_off_until_a_permission_is_confirmed_and_says_so(whoscored):
    assert "needs its owners' permission" in services.why_off(whoscored)
    with pytest.raises(services.SourceIsOffError, match="needs its owners' permission"):
        services.request_run(source=whoscored, scope="results", by="ann", now=NOW)
    with pytest.raises(services.PermissionMissingError):
        services.switch(source=whoscored, is_on=True, by="ann", now=NOW)


def test_the_database_refuses_to_switch_it_on_without_a_permission(whoscored):
    with pytest.raises(IntegrityError, match="source_enabled_with_permission"), transaction.atomic():
        Source.objects.filter(pk=whoscored.pk).update(is_enabled=True)


def test_a_permission_needs_words(whoscored):
    with pytest.raises(services.PermissionMissingError, match="who gave the permission"):
        services.confirm_permission(source=whoscored, by="ann", note="  ", now=NOW)


def test_with_a_permission_it_can_be_switched_on_and_withdrawing_it_switches_it_off(whoscored):
    services.confirm_permission(source=whoscored, by="ann", note="Mail of their desk, 2026-11-20", now=NOW)
    assert services.why_off(whoscored) == "It is switched off. Switch it on in the admin under Sources."
    services.switch(source=whoscored, is_on=True, by="ann", now=NOW)
    whoscored.refresh_from_db()
    assert (whoscored.permission_confirmed_by, whoscored.permission_confirmed_at) == ("ann", NOW)
    assert services.why_off(whoscored) == ""
    services.withdraw_permission(source=whoscored, by="ann", now=NOW)
    assert Source.objects.get(pk=whoscored.pk).is_enabled is False


def test_no_request_leaves_for_a_source_that_was_switched_off_while_its_run_waited(stage):
    stage.ask()
    services.switch(source=stage.source, is_on=False, by="ann", now=NOW)
    report = stage.work()[-1]
    assert report.outcome == "failed"
    assert report.detail.startswith("No request was sent: It is switched off")
    assert stage.fetcher.asked == []


def test_the_times_of_a_wish_are_aware(stage):
    assert due().run.requested_at.astimezone(UTC) == NOW


def test_a_back_fill_from_a_shell_says_that_its_host_is_halted_and_leaves(stage, woken, monkeypatch):
    def silence(seconds):
        raise AssertionError("the command waits")

    monkeypatch.setattr("apps.scraping.management.commands.scrape.time.sleep", silence)
    HostState.objects.create(
        host=host_of(services.base_url_of(stage.source)),
        state="open",
        open_until=timezone.now() + timedelta(days=7),
        reason="answered 403",
    )
    today = f"{timezone.now():%Y-%m-%d}"
    with pytest.raises(CommandError, match=r"is halted until .* UTC: answered 403\. 1 runs wait"):
        call_command("scrape", "backfill", "sandbox", "--from", today, "--to", today)
    assert ScrapeRun.objects.get().finished_at is None
