"""Actions on sources and scrape runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from apps.scraping import services as scraping
from apps.scraping.models import Address, HostState, ScrapeRun, Snapshot, Source
from tests.db.audited_actions.cases import case


def source(room, name: str = "sandbox", **fields: Any) -> Source:
    scraping.ensure_sources(now=room.now)
    Source.objects.filter(name=name).update(**fields)
    return Source.objects.get(name=name)


@case("scraping.source.scrape_now")
def _(room):
    row = source(room)
    for _click in range(2):
        room.do(Source, "scrape_now", row, scope="results")
    return ScrapeRun.objects.get()


@case("scraping.source.back_fill")
def _(room):
    row = source(room)
    room.do(Source, "back_fill", row, start="2026-08-15", end="2026-10-03")
    return row


@case("scraping.source.reparse")
def _(room):
    row = source(room)
    Snapshot.objects.create(source=row, run_id=1, url="http://a/", fetched_at=room.now, status=200, size=1)
    room.do(Source, "reparse", row)
    return row


@case("scraping.source.switch_on")
def _(room):
    row = source(room, "openfootball")
    room.do(Source, "switch_on", row)
    return row


@case("scraping.source.switch_off")
def _(room):
    row = source(room, "sandbox")
    room.do(Source, "switch_off", row)
    return row


@case("scraping.source.confirm_permission")
def _(room):
    row = source(room, "whoscored")
    room.do(Source, "confirm_permission", row, note="a letter of 20 November")
    return row


@case("scraping.source.withdraw_permission")
def _(room):
    row = source(room, "whoscored", permission_confirmed_at=room.now, permission_note="a letter")
    room.do(Source, "withdraw_permission", row)
    return row


@case("scraping.source.resume_host")
def _(room):
    row = source(room, "whoscored", permission_confirmed_at=room.now)
    state = HostState.objects.create(
        host="www.whoscored.com", state="open", open_until=room.now + timedelta(hours=1), reason="403"
    )
    room.do(Source, "resume_host", row)
    return state


@case("scraping.source.change")
def _(room):
    row = source(room, "openfootball")
    room.save(row, base_url="", delay="00:00:09", competitions="[]")
    return row


@case("scraping.scraperun.cancel_run")
def _(room):
    run = scraping.request_run(source=source(room), scope="results", by="ann", now=room.now)
    room.do(ScrapeRun, "cancel_run", run)
    return run


@case("scraping.scraperun.accept_counts")
def _(room):
    row = source(room)
    Address.objects.create(source=row, url="http://a/", kind="results", snapshot_id=1, seen_at=room.now, doubts=[3])
    run = ScrapeRun.objects.create(
        source=row,
        window_start=room.now.date(),
        window_end=room.now.date(),
        requested_at=room.now,
        requested_by="ann",
        finished_at=room.now,
        outcome="invalid",
        pages=[{"url": "http://a/", "came": "invalid"}],
    )
    room.do(ScrapeRun, "accept_counts", run)
    return run
