"""Freshness and volume of a source against its own history."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.scraping import selectors, services
from apps.scraping.models import ScrapeRun, Source, SourceDay

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture
def source(db) -> Source:
    return Source.objects.create(name="paper", reader=Source.Reader.OPENFOOTBALL, is_enabled=True)


def ran(source: Source, at: datetime, *, stored: int = 5, outcome: str = "stored", scope: str = "results") -> ScrapeRun:
    return ScrapeRun.objects.create(
        source=source,
        scope=scope,
        window_start=at.date(),
        window_end=at.date(),
        requested_at=at,
        requested_by="the timetable",
        started_at=at,
        finished_at=at,
        outcome=outcome,
        pages_done=1,
        created=stored - 1,
        changed=1,
        refused=2,
    )


def noted(source: Source, first: date, days: int, *, stored: int, complete: int = 24) -> None:
    SourceDay.objects.bulk_create(
        SourceDay(source=source, day=first + timedelta(days=number), complete=complete, stored=stored, refused=0)
        for number in range(days)
    )


def health(now: datetime = NOW) -> selectors.SourceHealth:
    return next(each for each in selectors.source_health(now=now) if each.name == "paper")


def weeks_of(source: Source, *, usual: int, latest: int, weeks: int = 8) -> None:
    noted(source, TODAY - timedelta(days=7 * (weeks + 1)), 7 * weeks, stored=usual)
    noted(source, TODAY - timedelta(days=7), 7, stored=latest)


# ── Noting ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_days_are_noted_from_their_runs_and_noting_twice_changes_nothing(source):
    for hour in (3, 5):
        ran(source, NOW.replace(hour=hour))
    ran(source, NOW - timedelta(days=1), stored=7, outcome="failed")
    ran(source, NOW - timedelta(hours=1), stored=900, scope="backfill")
    for _ in range(2):
        services.note_source_days(now=NOW)
    rows = list(SourceDay.objects.order_by("day").values_list("day", "complete", "stored", "refused"))
    assert rows == [(TODAY - timedelta(days=1), 0, 7, 2), (TODAY, 2, 10, 4)]


def test_a_day_stays_noted_when_its_runs_are_deleted(source):
    ran(source, NOW - timedelta(days=3))
    services.note_source_days(now=NOW)
    ScrapeRun.objects.all().delete()
    services.note_source_days(now=NOW)
    assert SourceDay.objects.get().stored == 5


def test_days_without_the_task_are_made_up_for(source):
    ran(source, NOW - timedelta(days=9))
    services.note_source_days(now=NOW - timedelta(days=9))
    ran(source, NOW - timedelta(days=6))
    services.note_source_days(now=NOW)
    assert SourceDay.objects.count() == 2


# ── Freshness ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_source_that_is_complete_each_hour_is_stale_after_three(source):
    noted(source, TODAY - timedelta(days=20), 20, stored=30)
    ran(source, NOW)
    assert not health(NOW + timedelta(hours=3)).is_stale
    late = health(NOW + timedelta(hours=3, minutes=1))
    assert late.is_stale
    assert late.usual_gap == timedelta(hours=1)
    assert late.troubles == ["no complete run since 2026-11-23 09:00 UTC; usually there is one every 60 minutes"]


def test_a_source_that_is_complete_once_a_day_is_stale_after_three_days(source):
    noted(source, TODAY - timedelta(days=20), 20, stored=30, complete=1)
    ran(source, NOW)
    assert not health(NOW + timedelta(days=3)).is_stale
    assert health(NOW + timedelta(days=3, minutes=1)).is_stale


def test_a_source_that_runs_each_minute_is_not_stale_within_a_quarter_of_an_hour(source):
    noted(source, TODAY - timedelta(days=20), 20, stored=30, complete=1440)
    ran(source, NOW)
    assert not health(NOW + timedelta(minutes=15)).is_stale
    assert health(NOW + timedelta(minutes=16)).is_stale


def test_a_source_without_history_or_switched_off_is_not_stale(source):
    ran(source, NOW - timedelta(days=30))
    assert not health().is_stale
    noted(source, TODAY - timedelta(days=20), 20, stored=30)
    assert health().is_stale
    Source.objects.filter(pk=source.pk).update(is_enabled=False)
    assert health().troubles == []


# ── Volume ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("latest", "said"),
    [
        (100, ""),
        (60, ""),
        (40, "280 matches where the latest 8 weeks had 700 to 700"),
        (0, "0 matches where the latest 8 weeks had 700 to 700"),
        (900, ""),
        (1100, "7700 matches where the latest 8 weeks had 700 to 700"),
    ],
)
def test_a_week_is_compared_with_the_eight_before_it(source, latest, said):
    weeks_of(source, usual=100, latest=latest)
    assert health().volume == said
    assert health().per_day == latest


def test_a_pause_that_there_was_last_year_too_is_as_usual(source):
    weeks_of(source, usual=100, latest=0)
    noted(source, TODAY - timedelta(days=7) - selectors.YEAR, 7, stored=0)
    assert health().volume == ""


def test_days_on_which_the_system_was_off_do_not_count_as_empty(source):
    noted(source, TODAY - timedelta(days=63), 56, stored=100)
    noted(source, TODAY - timedelta(days=7), 4, stored=100)
    assert health().volume == ""
    SourceDay.objects.filter(day=TODAY - timedelta(days=7)).delete()
    assert (health().per_day, health().volume) == (None, "")


def test_two_weeks_are_no_history(source):
    weeks_of(source, usual=100, latest=0, weeks=2)
    assert health().volume == ""


def test_the_list_of_sources_shows_which_are_not_as_usual(source, admin):
    now = timezone.now()
    noted(source, now.date() - timedelta(days=20), 20, stored=30)
    ran(source, now - timedelta(days=1))
    assert "stale" in admin.get(reverse("admin:scraping_source_changelist")).content.decode()
    page = admin.get(reverse("admin:scraping_source_change", args=[source.pk])).content.decode()
    assert "usually there is one every 60 minutes" in page
