"""`manage.py scrape …`: check, scrape, back-fill and re-parse from a shell."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from apps.scraping import selectors, services
from apps.scraping.models import ScrapeRun
from apps.scraping.scopes import ScrapeScope
from apps.scraping.services.doctor import examine

MONTH_LENGTH: Final = len("2024-08")

OPERATOR: Final = "manage.py scrape"
CHECK_EVERY: Final = 1.0
"""Seconds between two checks of a run that another process works on."""


class Command(BaseCommand):
    """Scrape runs from a shell."""

    help = "Scrape sources, back-fill them, re-parse stored pages; `doctor` shows what is missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        doctor = actions.add_parser("doctor", help="check the browser, the storage, the hosts and every source")
        doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
        actions.add_parser("list", help="every source with its freshness")
        now = actions.add_parser("now", help="scrape a source at once and wait for the end")
        now.add_argument("source")
        now.add_argument("--scope", default="results", choices=["results", "fixtures", "odds"])
        backfill = actions.add_parser("backfill", help="scrape the months of a period and wait for the end")
        backfill.add_argument("source")
        backfill.add_argument(
            "--from",
            dest="start",
            required=True,
            type=first_day,
            metavar="DAY",
            help="YYYY-MM-DD or YYYY-MM",
        )
        backfill.add_argument("--to", dest="end", required=True, type=last_day, metavar="DAY", help="the last day")
        reparse = actions.add_parser("reparse", help="parse stored pages again by the current code; no request is sent")
        reparse.add_argument("source")
        permit = actions.add_parser("permit", help="confirm that the owners of a source permit scraping")
        permit.add_argument("source")
        permit.add_argument("--note", required=True, help="who gave the permission, when, and for what")
        for word in ("on", "off"):
            switch = actions.add_parser(word, help=f"switch a source {word}")
            switch.add_argument("source")

    def handle(self, *args: Any, **options: Any) -> None:
        services.ensure_sources(now=timezone.now())
        try:
            getattr(self, f"_{options['action']}")(options)
        except services.REFUSALS as error:
            raise CommandError(str(error)) from error

    def _doctor(self, options: dict[str, Any]) -> None:
        findings = examine(now=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=1))
            return
        for finding in findings:
            self.stdout.write(finding.lines)

    def _list(self, options: dict[str, Any]) -> None:
        source: Any
        for source in selectors.sources():
            complete = f"{source.complete_at:%Y-%m-%d %H:%M} UTC" if source.complete_at else "never"
            self.stdout.write(f"{source.name:<16} {source.latest_outcome or '–':<16} complete {complete}")
            if reason := services.why_off(source):
                self.stdout.write(f"{'':<16} off: {reason}")

    def _now(self, options: dict[str, Any]) -> None:
        run = services.request_run(
            source=services.source_named(options["source"]), scope=options["scope"], by=OPERATOR, now=timezone.now()
        )
        self._follow([run])

    def _backfill(self, options: dict[str, Any]) -> None:
        self._follow(
            services.request_backfill(
                source=services.source_named(options["source"]),
                start=options["start"],
                end=options["end"],
                by=OPERATOR,
                now=timezone.now(),
            )
        )

    def _reparse(self, options: dict[str, Any]) -> None:
        run = services.request_reparse(source=services.source_named(options["source"]), by=OPERATOR, now=timezone.now())
        self._follow([run])

    def _permit(self, options: dict[str, Any]) -> None:
        source = services.source_named(options["source"])
        services.confirm_permission(source=source, by=OPERATOR, note=options["note"], now=timezone.now())
        self.stdout.write(f"The permission is recorded. Switch the source on: manage.py scrape on {source.name}")

    def _on(self, options: dict[str, Any]) -> None:
        source = services.source_named(options["source"])
        services.switch(source=source, is_on=True, by=OPERATOR, now=timezone.now())
        self.stdout.write(f"{source.name} is on; its timetable is in the admin under Periodic tasks.")

    def _off(self, options: dict[str, Any]) -> None:
        source = services.source_named(options["source"])
        services.switch(source=source, is_on=False, by=OPERATOR, now=timezone.now())
        self.stdout.write(f"{source.name} is off: no request is sent to it.")

    def _follow(self, runs: list[ScrapeRun]) -> None:
        ended = follow(runs)
        for run in ended:
            self.stdout.write(line_of(run))
        if failure := troubled(ended):
            raise CommandError(failure)


def follow(runs: list[ScrapeRun]) -> list[ScrapeRun]:
    """Work on the runs, or wait for another process that does, until they are over; return them as they ended.

    Raises
    ------
    CommandError
        When all that are left wait for a host that is halted.
    """
    wanted = {run.pk for run in runs}
    with tqdm(total=len(wanted), unit="run", disable=None, dynamic_ncols=True) as bar:
        while True:
            for report in services.scrape_due(now=timezone.now()):
                bar.set_postfix_str(f"{report.source} {report.scope}, {report.pages} pages", refresh=True)
                if not ScrapeRun.objects.filter(pk__in=wanted, finished_at__isnull=True).exists():
                    break
            left = ScrapeRun.objects.filter(pk__in=wanted, finished_at__isnull=True).count()
            bar.update(len(wanted) - left - bar.n)
            if not left:
                break
            if reason := _why_halted(wanted):
                raise CommandError(reason)
            time.sleep(CHECK_EVERY)
    return list(ScrapeRun.objects.filter(pk__in=wanted).select_related("source").order_by("pk"))


def line_of(run: ScrapeRun) -> str:
    """Return how a run ended, and on a second line why, where there is more to say."""
    detail = f"\n  {run.detail}" if run.detail else ""
    return (
        f"{run.source.name} {run.get_scope_display()} {run.window_start} to {run.window_end}: {run.outcome}, "
        f"{run.pages_done} pages, {run.created} created, {run.changed} changed, {run.same} same, "
        f"{run.refused} refused{detail}"
    )


def troubled(ended: list[ScrapeRun]) -> str:
    """Return how many runs failed or were incomplete, empty for none."""
    count = sum(run.outcome in selectors.TROUBLED for run in ended)
    return f"{count} of {len(ended)} runs failed or were incomplete." if count else ""


def _why_halted(wanted: set[int]) -> str:
    """Return why none of the runs that are left can continue, empty if one can.

    A back-fill waits until its host is resumed, which can take days.
    """
    left = ScrapeRun.objects.filter(pk__in=wanted, finished_at__isnull=True).select_related("source")
    halted = None
    for run in left:
        url = services.base_url_of(run.source)
        if run.scope != ScrapeScope.BACKFILL or not selectors.is_halted(url, timezone.now()):
            return ""
        halted = selectors.host_state_of(url)
    if halted is None:
        return ""
    return (
        f"{halted.host} is halted until {halted.open_until:%Y-%m-%d %H:%M} UTC: {halted.reason}. {len(left)} runs "
        "wait, and a worker takes them up afterwards. Or resume the host in the admin and start the command again."
    )


def first_day(text: str) -> date:
    """Return a day, or the first one of a month."""
    return date.fromisoformat(text if len(text) > MONTH_LENGTH else f"{text}-01")


def last_day(text: str) -> date:
    """Return a day, or the last one of a month."""
    day = first_day(text)
    if len(text) > MONTH_LENGTH:
        return day
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
