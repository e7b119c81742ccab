"""Raw pages: kept before they are read, once, and for good."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from apps.matches.services import Deletion, Retention
from apps.scraping import services
from apps.scraping.models import ScrapeRun, Snapshot, Source
from apps.scraping.responses import FetchOutcome, FetchResponse
from apps.scraping.services import snapshots
from apps.scraping.sources import Request
from tests.db.scraping.conftest import NOW
from tests.fakes import page_of

pytestmark = pytest.mark.django_db

URL = "http://fake/feed"


@pytest.fixture
def run(stage) -> ScrapeRun:
    return stage.ask()


def delete(now, kind: str = "sandbox-pages") -> Deletion:
    return services.delete_pages(Retention(now), kind)


def keep(run: ScrapeRun, body: bytes, *, minutes: int = 0, status: int = 200, outcome=FetchOutcome.STORED) -> Snapshot:
    response = FetchResponse(
        URL, status, body, NOW + timedelta(minutes=minutes), {"etag": '"1"', "set-cookie": "secret"}
    )
    return snapshots.store(run=run, request=Request(URL, "feed"), response=response, outcome=outcome)


def test_the_bytes_come_back_as_they_came(run, raw_pages):
    body = bytes(range(256)) * 40
    kept = keep(run, body)
    assert services.content_of(kept) == body
    (file,) = raw_pages.rglob("*.gz")
    assert gzip.decompress(file.read_bytes()) == body
    assert (kept.size, kept.headers) == (len(body), {"etag": '"1"'})


def test_a_page_that_equals_the_latest_of_its_address_makes_no_row(run):
    assert keep(run, b"one") == keep(run, b"one", minutes=1)


def test_a_page_that_returns_to_what_it_was_makes_a_row_and_shares_the_bytes(run, raw_pages):
    for minutes, body in enumerate((b"one", b"two", b"one")):
        keep(run, body, minutes=minutes)
    assert Snapshot.objects.count() == 3
    assert len(list(raw_pages.rglob("*.gz"))) == 2


def test_equal_bytes_with_another_outcome_are_kept_apart(run):
    keep(run, b"sorry")
    keep(run, b"sorry", minutes=1, status=403, outcome=FetchOutcome.BLOCKED)
    assert list(Snapshot.objects.order_by("fetched_at").values_list("outcome", flat=True)) == ["stored", "blocked"]


def test_bytes_that_were_changed_are_not_believed(run, raw_pages):
    kept = keep(run, b"one")
    (file,) = raw_pages.rglob("*.gz")
    file.write_bytes(gzip.compress(b"two"))
    with pytest.raises(services.LostPageError, match="have changed"):
        services.content_of(kept)
    file.unlink()
    with pytest.raises(services.LostPageError, match="cannot be read"):
        services.content_of(kept)


@pytest.mark.parametrize("statement", ["UPDATE scraping_snapshot SET status = 1", "DELETE FROM scraping_snapshot"])
def test_postgresql_refuses_to_change_or_delete_a_page(run, statement):
    keep(run, b"one")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_pages_of_the_sandbox_go_after_two_days_but_for_the_latest_of_each_address(stage, raw_pages):
    home = "http://fake/home"
    for day, number in enumerate((1, 2, 3)):
        stage.fetcher.pages = {home: page_of({"number": number})}
        stage.visit()
        if day < 2:
            stage.clock.later(days=1)
    # Two pages and two visits.
    assert delete(stage.clock.later(days=3)) == Deletion(rows=4, files=2)
    assert Snapshot.objects.count() == len(list(raw_pages.rglob("*.gz"))) == ScrapeRun.objects.count() == 1


def test_an_address_of_the_sandbox_that_is_not_seen_any_more_goes_with_its_page(stage, raw_pages):
    stage.fetcher.pages = {"http://fake/home": page_of({"number": 1})}
    stage.visit()
    # The address and its page; the newest visit of the scope stays.
    assert delete(stage.clock.later(days=9)) == Deletion(rows=2, files=1)
    assert not Snapshot.objects.exists()
    assert list(raw_pages.rglob("*.gz")) == []


def test_a_file_that_was_lost_is_written_again_when_the_same_page_comes(run, raw_pages):
    kept = keep(run, b"one")
    (file,) = raw_pages.rglob("*.gz")
    for damage in (file.unlink, lambda: file.write_bytes(b"rust")):
        damage()
        assert keep(run, b"one", minutes=1) == kept
        assert services.content_of(kept) == b"one"


def test_pages_of_real_sources_are_kept_as_long_as_the_operator_says(stage, settings):
    real = Source.objects.get(name="football-data")
    settings.SPAI_CONTACT = "https://owner.example"
    Source.objects.filter(pk=real.pk).update(is_enabled=True)
    run = services.request_run(source=Source.objects.get(pk=real.pk), scope="results", by="ann", now=NOW)
    keep(run, b"one")
    settings.SPAI_KEEP = None
    assert delete(NOW + timedelta(days=9999), "pages") == Deletion()
    settings.SPAI_KEEP = timedelta(days=30)
    assert delete(NOW + timedelta(days=29), "pages") == Deletion()
    assert delete(NOW + timedelta(days=31), "pages") == Deletion(rows=1, files=1)


def test_bytes_that_another_row_names_stay(stage, run, raw_pages):
    keep(run, b"one")
    keep(run, b"two", minutes=1)
    keep(run, b"one", minutes=60 * 24 * 8)
    assert delete(NOW + timedelta(days=9)) == Deletion(rows=2, files=1)
    assert services.content_of(Snapshot.objects.get()) == b"one"


def test_a_deletion_that_is_killed_between_files_and_rows_is_finished_by_the_next(run, raw_pages, monkeypatch):
    keep(run, b"one")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("apps.matches.services.retention.as_retention", killed)
    with pytest.raises(KeyboardInterrupt):
        delete(NOW + timedelta(days=9))
    monkeypatch.undo()
    assert (Snapshot.objects.count(), list(raw_pages.rglob("*.gz"))) == (1, [])
    assert delete(NOW + timedelta(days=9)).rows == 1
    assert not Snapshot.objects.exists()
