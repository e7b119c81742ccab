"""The admin's levers on sources, and what it shows of runs and pages."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin.sites import site
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from apps.matches.admin import FactAdmin
from apps.scraping import selectors, services
from apps.scraping.models import HostState, ScrapeRun, Snapshot, Source
from apps.scraping.plausibility import RUNS_COMPARED
from apps.scraping.politeness import host_of
from spai.beat import write_timetable
from spai.celery import TIMETABLE
from tests.database import rows_of, write_again
from tests.db.scraping.conftest import NOW
from tests.fakes import page_of

pytestmark = pytest.mark.django_db

HOME = "http://fake/home"
SCRIPT = b"<script>alert(document.cookie)</script>The fake league"


@pytest.fixture(autouse=True)
def woken(monkeypatch):
    topics: list[str] = []
    monkeypatch.setattr("apps.scraping.services.run_requests.start_tasks_after_commit", topics.append)
    return topics


@dataclass
class Kept:
    """What the first `visited` has written: rows of tables, and the folder with raw pages."""

    folder: Path
    rows: dict[str, bytes] = field(default_factory=dict)


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Kept:
    return Kept(tmp_path_factory.mktemp("kept") / "pages")


@pytest.fixture
def visited(stage, raw_pages, kept):
    """A source with a good run, a troubled one, kept pages, a host and a timetable."""
    if kept.rows:
        Source.objects.all().delete()
        write_again(kept.rows)
        shutil.copytree(kept.folder, raw_pages)
        stage.source = Source.objects.get(name=stage.source.name)
        stage.fetcher.pages = {HOME: SCRIPT}
        stage.clock.later(minutes=2)
        return stage
    write_timetable(TIMETABLE)
    stage.fetcher.pages = {HOME: page_of({"number": 1, "goals": (1, 0)})}
    stage.visit()
    stage.fetcher.pages[HOME] = SCRIPT
    stage.clock.later(minutes=2)
    stage.visit()
    host = host_of(services.base_url_of(stage.source))
    HostState.objects.create(
        host=host, state="open", open_until=timezone.now() + timedelta(days=1), reason="answered 403", trips=1
    )
    for app in ("scraping", "matches", "django_celery_beat"):
        kept.rows |= rows_of(app)
    shutil.copytree(raw_pages, kept.folder)
    return stage


MODELS = [model for model in site._registry if model._meta.app_label == "scraping"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_and_every_row_opens(admin, visited, model):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert admin.get(reverse(f"{name}_changelist")).status_code == 200
    row = model._default_manager.order_by("pk").first()
    assert admin.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_facts_are_neither_added_nor_deleted_nor_changed(admin, visited, model):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.order_by("pk").first()
    assert admin.get(reverse(f"{name}_add")).status_code == 403
    assert admin.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    if isinstance(site._registry[model], FactAdmin):
        assert admin.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403


def test_the_list_of_sources_reports_freshness_next_run_host_and_the_latest_runs(admin, visited):
    page = admin.get(reverse("admin:scraping_source_changelist")).content.decode()
    assert "needs permission" in page
    assert "changed layout" in page
    assert "answered 403" in page
    assert page.count("<rect") == 2
    assert 'datetime="2026-11-23T09:00:30+00:00"' in page


def test_the_list_of_sources_opens_although_an_address_has_no_host(admin, visited):
    Source.objects.filter(name="openfootball").update(base_url="http://files.example:99999")
    assert "no request yet" in admin.get(reverse("admin:scraping_source_changelist")).content.decode()


def test_a_halt_that_is_over_is_not_reported_of(admin, visited):
    HostState.objects.update(open_until=timezone.now() - timedelta(minutes=1))
    assert "answered 403" not in admin.get(reverse("admin:scraping_source_changelist")).content.decode()
    assert not selectors.halted_hosts().exists()


def test_what_one_request_reads_of_a_source_is_not_what_another_shows(visited, rf):
    sources, number = site._registry[Source], str(visited.source.pk)
    first = sources.get_object(rf.get("/"), number)
    HostState.objects.update(reason="answered 429")
    second = sources.get_object(rf.get("/"), number)
    assert "answered 403" in sources.shown_host(first)
    assert "answered 429" in sources.shown_host(second)


def test_the_list_of_sources_needs_the_same_queries_however_many_runs(admin, visited, django_assert_max_num_queries):
    for _ in range(20):
        visited.clock.later(minutes=2)
        visited.visit()
    with django_assert_max_num_queries(16):
        admin.get(reverse("admin:scraping_source_changelist"))


def act(admin, source: Source, lever: str, **values):
    return admin.post(reverse(f"admin:scraping_source_{lever}", args=[source.pk]), {**values, "_form_submitted": "on"})


def test_run_now_asks_for_a_run_and_goes_to_its_page(admin, stage, woken):
    answer = act(admin, stage.source, "scrape_now", scope="fixtures")
    run = ScrapeRun.objects.get()
    assert answer["HX-Redirect"] == reverse("admin:scraping_scraperun_change", args=[run.pk])
    assert (run.scope, run.requested_by) == ("fixtures", "admin")
    assert woken == ["scrape_requested"]


def test_a_double_click_asks_once(admin, stage):
    act(admin, stage.source, "scrape_now", scope="fixtures")
    act(admin, stage.source, "scrape_now", scope="fixtures")
    assert ScrapeRun.objects.count() == 1


def test_a_back_fill_asks_for_its_months(admin, stage):
    act(admin, stage.source, "back_fill", start="2026-08-15", end="2026-10-03")
    assert ScrapeRun.objects.filter(scope="backfill").count() == 3


def test_a_back_fill_that_ends_before_it_begins_is_refused_in_the_form(admin, stage):
    answer = act(admin, stage.source, "back_fill", start="2026-10-03", end="2026-08-15")
    assert "is before the first" in answer.content.decode()
    assert not ScrapeRun.objects.exists()


def test_kept_pages_are_asked_to_be_read_again(admin, visited):
    act(admin, visited.source, "reparse")
    assert ScrapeRun.objects.filter(scope="reparse", finished_at=None).exists()


def test_whoscored_is_switched_on_only_after_its_permission_is_confirmed_in_words(admin, stage):
    source = Source.objects.get(name="whoscored")
    act(admin, source, "switch_on")
    assert not Source.objects.get(pk=source.pk).is_enabled
    act(admin, source, "confirm_permission", note="Mail of 2026-11-20")
    act(admin, source, "switch_on")
    source.refresh_from_db()
    assert (source.is_enabled, source.permission_confirmed_by) == (True, "admin")
    act(admin, source, "withdraw_permission")
    assert not Source.objects.get(pk=source.pk).is_enabled


def test_the_form_of_a_source_cannot_switch_it_on(admin, stage):
    source = Source.objects.get(name="whoscored")
    admin.post(
        reverse("admin:scraping_source_change", args=[source.pk]),
        {"base_url": "", "delay": "00:00:07", "competitions": "[]", "is_enabled": "on"},
    )
    assert not Source.objects.get(pk=source.pk).is_enabled


def test_a_halted_host_is_resumed(admin, visited):
    act(admin, visited.source, "resume_host")
    assert HostState.objects.get().state == "closed"


def test_a_run_is_followed_live_and_no_longer_asked_about_when_it_is_over(admin, stage):
    stage.fetcher.pages = {HOME: page_of({"number": 1})}
    run = stage.ask()
    progress = reverse("admin:scraping_scraperun_progress", args=[run.pk])
    waiting = admin.get(progress)
    assert (waiting.status_code, "Waiting" in waiting.content.decode()) == (200, True)
    stage.work()
    over = admin.get(progress)
    assert over.status_code == 286
    assert "1 matches found: 1 created" in over.content.decode()
    assert admin.get(reverse("admin:scraping_scraperun_progress", args=[0])).status_code == 404


def test_a_run_that_waits_is_cancelled(admin, stage):
    run = stage.ask()
    admin.post(reverse("admin:scraping_scraperun_cancel_run", args=[run.pk]), {"_form_submitted": "on"})
    run.refresh_from_db()
    assert (run.outcome, run.detail) == ("failed", "Cancelled by admin.")


def test_a_raw_page_is_shown_as_text_and_never_run(admin, visited):
    kept = Snapshot.objects.order_by("-fetched_at")[0]
    answer = admin.get(reverse("admin:scraping_snapshot_raw", args=[kept.pk]))
    assert answer.content == SCRIPT
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert admin.get(reverse("admin:scraping_snapshot_raw", args=[0])).status_code == 404


def test_a_long_raw_page_says_how_much_is_shown_and_can_be_saved_whole(admin, visited, monkeypatch):
    monkeypatch.setattr("apps.scraping.admin.pages.PAGE_SHOWN", 10)
    kept = Snapshot.objects.get(outcome="stored", sha256=hashlib.sha256(SCRIPT).hexdigest())
    address = reverse("admin:scraping_snapshot_raw", args=[kept.pk])
    shown = admin.get(address).content
    assert shown.startswith(SCRIPT[:10] + b"\n")
    assert f"The first 10 of {len(SCRIPT)} bytes are shown".encode() in shown
    saved = admin.get(address, {"save": "1"})
    assert saved.content == SCRIPT
    assert saved["Content-Disposition"] == f'attachment; filename="page-{kept.pk}.txt"'
    assert (saved["Content-Type"], saved["X-Content-Type-Options"]) == ("text/plain; charset=utf-8", "nosniff")


def test_a_raw_page_whose_bytes_are_lost_says_so(admin, visited, raw_pages):
    for file in raw_pages.rglob("*.gz"):
        file.unlink()
    answer = admin.get(reverse("admin:scraping_snapshot_raw", args=[Snapshot.objects.first().pk]))
    assert answer.status_code == 410
    assert "cannot be read" in answer.content.decode()


def test_who_may_only_look_pulls_no_lever(visited, admin_process, client, django_user_model):
    looker = django_user_model.objects.create_user("looker", password="x", is_staff=True)
    client.force_login(looker)
    assert client.post(
        reverse("admin:scraping_source_scrape_now", args=[visited.source.pk]), {"scope": "results"}
    ).status_code in (302, 403)
    assert client.get(reverse("admin:scraping_snapshot_raw", args=[1])).status_code == 403
    assert not ScrapeRun.objects.filter(finished_at=None).exists()


def test_the_first_page_of_the_admin_shows_troubled_runs_and_halted_hosts(admin, visited):
    ScrapeRun.objects.filter(outcome="changed_layout").update(finished_at=timezone.now())
    page = admin.get(reverse("admin:index")).content.decode()
    assert "sandbox" in page
    assert "changed layout" in page
    assert "is halted" in page


def test_the_timetable_can_be_read_beside_its_policy(admin, visited):
    row = PeriodicTask.objects.get(name="whoscored: odds")
    page = admin.get(reverse("admin:django_celery_beat_periodictask_change", args=[row.pk])).content.decode()
    assert "prices of a missed run are lost" in page


def test_moments_are_reported_in_utc_beside_how_long_ago(stage):
    assert "09:00:30 UTC" in site._registry[Source].shown_fresh(type("Row", (), {"complete_at": NOW})())


def test_accepting_counts_is_offered_where_a_count_was_not_believed_and_nowhere_else(admin, visited):
    twenty = [{"number": number, "goals": (1, 0)} for number in range(20)]
    visited.fetcher.pages[HOME] = page_of(*twenty)
    for _ in range(RUNS_COMPARED):
        visited.clock.later(minutes=2)
        visited.visit()
    visited.clock.later(minutes=2)
    visited.fetcher.pages[HOME] = page_of(*twenty, {"number": 1, "goals": (3, 3)})
    contradicting = ScrapeRun.objects.get(pk=visited.visit().run_id)
    visited.clock.later(minutes=2)
    visited.fetcher.pages[HOME] = page_of({"number": 1, "goals": (1, 0)})
    shrunk = ScrapeRun.objects.get(pk=visited.visit().run_id)
    assert (contradicting.outcome, shrunk.outcome) == ("invalid", "invalid")
    shown = admin.get(reverse("admin:scraping_scraperun_change", args=[shrunk.pk])).content.decode()
    assert "Accept its counts" in shown
    services.accept_counts(run=shrunk, by="ann", now=timezone.now())
    for run in (contradicting, shrunk):
        shown = admin.get(reverse("admin:scraping_scraperun_change", args=[run.pk])).content.decode()
        assert "Accept its counts" not in shown
