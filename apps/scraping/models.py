"""Sources of matches, their scrape runs, the pages that were fetched, and the state of each host.

A scrape run is a row before it is work: requested by the timetable or an operator, started by a worker, worked on in
slices, ended with an outcome. `Snapshot` is append-only, and PostgreSQL enforces it (migration 0003).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.functional import Promise

from apps.scraping.politeness import LONGEST_DELAY, BreakerState, host_of
from apps.scraping.responses import FetchOutcome
from apps.scraping.scopes import ScrapeScope

Choices = list[tuple[str, str | Promise]]

OUTCOMES: Final[Choices] = [(outcome.value, outcome.value.replace("_", " ")) for outcome in FetchOutcome]

SCOPES: Final[Choices] = [
    (ScrapeScope.RESULTS.value, "Results"),
    (ScrapeScope.FIXTURES.value, "Fixtures"),
    (ScrapeScope.ODDS.value, "Odds"),
    (ScrapeScope.BACKFILL.value, "back-fill"),
    (ScrapeScope.REPARSE.value, "re-parse of stored pages"),
]

HOST_STATES: Final[Choices] = [
    (BreakerState.CLOSED.value, "open for requests"),
    (BreakerState.OPEN.value, "halted"),
    (BreakerState.HALF_OPEN.value, "probing"),
]

LONGEST_URL: Final = 1000


def check_site(url: str) -> None:
    """Raise ValidationError for an address without a host."""
    try:
        host_of(url)
    except ValueError as error:
        raise ValidationError(f"Give the address of a site, such as https://www.example.org: {error}.") from error


class Source(models.Model):
    """A site that lists matches, and the rules by which it is scraped."""

    class Reader(models.TextChoices):
        WHOSCORED = "whoscored"
        FOOTBALL_DATA = "football-data"
        OPENFOOTBALL = "openfootball"
        UNDERSTAT = "understat"

    name = models.SlugField(max_length=40, unique=True)
    reader = models.CharField(max_length=16, choices=Reader, help_text="Format of its pages: which parser reads them.")
    base_url = models.URLField(
        max_length=200,
        blank=True,
        validators=[check_site],
        help_text="Address of the site; empty for the reader's usual one.",
    )
    is_simulated = models.BooleanField(default=False, help_text="A site that shows the sandbox.")
    is_enabled = models.BooleanField(default=False, help_text="While it is off, no request is sent to it.")
    delay = models.DurationField(
        default=timedelta(seconds=7),
        validators=[
            MaxValueValidator(
                LONGEST_DELAY,
                f"At most {LONGEST_DELAY.total_seconds():.0f} seconds: a worker waits them out before each request.",
            )
        ],
        help_text="Shortest time from the end of one request to the next of the same host.",
    )
    competitions = models.JSONField(
        default=list, blank=True, help_text="Which competitions to follow, in the reader's own codes; empty for all."
    )
    needs_permission = models.BooleanField(
        default=False, help_text="It stays off until an operator confirms that its owners permit scraping."
    )
    permission_confirmed_at = models.DateTimeField(null=True, blank=True)
    permission_confirmed_by = models.CharField(max_length=150, blank=True)
    permission_note = models.TextField(blank=True, help_text="Who gave the permission, when, and for what.")
    seed = models.PositiveBigIntegerField(null=True, blank=True, help_text="Sandbox only: seed of its world.")
    anchor_at = models.DateTimeField(
        null=True, blank=True, help_text="Sandbox only: when its current season began; set at the first start."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(is_enabled=False) | Q(needs_permission=False) | Q(permission_confirmed_at__isnull=False),
                name="source_enabled_with_permission",
                violation_error_message="This source needs its owners' permission; confirm it first.",
            ),
            models.CheckConstraint(condition=Q(delay__gte=timedelta(0)), name="source_delay_not_negative"),
            models.CheckConstraint(condition=Q(delay__lte=LONGEST_DELAY), name="source_delay_waited_out"),
        ]

    def __str__(self) -> str:
        return self.name


class HostState(models.Model):
    """What all workers share about a host: when the next request may go, its robots.txt, its circuit breaker."""

    host = models.CharField(max_length=255, unique=True, help_text="With the port where it is not the usual one.")
    free_at = models.DateTimeField(null=True, blank=True, help_text="No request before this moment.")
    requests = models.PositiveBigIntegerField(default=0)
    robots = models.TextField(blank=True)
    robots_status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="0 when it could not be reached.")
    robots_until = models.DateTimeField(null=True, blank=True, help_text="When robots.txt is fetched again.")
    state = models.CharField(
        max_length=9,
        choices=HOST_STATES,
        default=BreakerState.CLOSED.value,
        help_text="State of the circuit breaker; while it is open, no request is sent.",
    )
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    trips = models.PositiveIntegerField(default=0, help_text="In a row; each doubles the pause.")
    opened_at = models.DateTimeField(null=True, blank=True)
    open_until = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, help_text="Why it is or was halted.")

    class Meta:
        verbose_name = "host"
        constraints = [
            models.CheckConstraint(
                condition=Q(state="closed") | Q(open_until__isnull=False), name="hoststate_open_until_a_moment"
            )
        ]

    def __str__(self) -> str:
        return self.host


class ScrapeRun(models.Model):
    """One scrape of a source: what was requested, its progress and its outcome."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="runs")
    scope = models.CharField(max_length=8, choices=SCOPES, default=ScrapeScope.RESULTS.value)
    window_start = models.DateField()
    window_end = models.DateField()
    batch = models.UUIDField(null=True, blank=True, help_text="Shared by the months of one back-fill.")
    requested_at = models.DateTimeField()
    requested_by = models.CharField(max_length=150, help_text="The timetable, or a user's name.")
    started_at = models.DateTimeField(null=True, blank=True)
    worked_at = models.DateTimeField(null=True, blank=True, help_text="Latest heartbeat of its worker.")
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="How often a worker took it up after the one before was lost."
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=OUTCOMES, blank=True)
    detail = models.TextField(blank=True, help_text="What went wrong, and what to do.")
    doing = models.CharField(max_length=LONGEST_URL, blank=True, help_text="The page that is being fetched.")
    pages_done = models.PositiveIntegerField(default=0)
    pages_known = models.PositiveIntegerField(default=0, help_text="Done and to do, as far as known by now.")
    pages = models.JSONField(
        default=list, blank=True, help_text="Each page: address, kind, outcome, records, snapshot."
    )
    failed_urls = models.JSONField(
        default=dict, blank=True, help_text="Pages that were missing or failed, by address; not fetched again."
    )
    stored_chains = models.JSONField(
        default=dict, blank=True, help_text="Of a re-parse: chains of pages whose records are stored, by first address."
    )
    notes = models.JSONField(default=dict, blank=True, help_text="Details left out or read otherwise than written.")
    records = models.PositiveIntegerField(default=0, help_text="Matches on the pages.")
    created = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    same = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    ingest = models.ForeignKey("matches.Ingest", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, outcome="") | Q(finished_at__isnull=False) & ~Q(outcome=""),
                name="scraperun_ended_has_outcome",
            ),
            models.CheckConstraint(condition=Q(window_end__gte=F("window_start")), name="scraperun_window_forward"),
            # Two processes of the timetable, or a double click: the second request finds the run that is waiting.
            models.UniqueConstraint(
                fields=["source", "scope", "window_start", "window_end"],
                condition=Q(finished_at__isnull=True),
                name="scraperun_one_open_of_a_kind",
            ),
        ]
        indexes = [
            models.Index(fields=["source", "-requested_at"], name="scraperun_by_source"),
            models.Index(fields=["requested_at"], condition=Q(finished_at__isnull=True), name="scraperun_open"),
        ]

    def __str__(self) -> str:
        return f"scrape run {self.pk}"

    @property
    def seconds(self) -> float | None:
        """From its start to its end; None before."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, with whatever outcome."""
        return self.finished_at is not None


class SourceDay(models.Model):
    """What a source delivered on one day (UTC): its history, which stays when its runs are deleted."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    complete = models.PositiveIntegerField(help_text="Complete runs of current matches, with at least one page.")
    stored = models.PositiveIntegerField(help_text="Matches created or changed; back-fills do not count.")
    refused = models.PositiveIntegerField(help_text="Records that were refused.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "day"], name="sourceday_source_day_unique")]

    def __str__(self) -> str:
        return f"source {self.source_id} on {self.day}"


class Address(models.Model):
    """One address of a source: its latest good page, when it was seen unchanged, and how many matches it listed."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="addresses")
    url = models.CharField(max_length=LONGEST_URL)
    kind = models.CharField(max_length=40)
    snapshot = models.ForeignKey(
        "Snapshot",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        help_text="The latest good page.",
    )
    seen_at = models.DateTimeField(help_text="When the site last showed the page as it is stored here.")
    taken_at = models.DateTimeField(
        null=True, blank=True, help_text="When a run last stored the matches of the page; empty while none has."
    )
    counts = models.JSONField(default=list, help_text="Matches on the page in the latest eight runs, oldest first.")
    doubts = models.JSONField(default=list, help_text="Counts of the latest runs that were refused as implausible.")

    class Meta:
        verbose_name_plural = "addresses"
        constraints = [models.UniqueConstraint(fields=["source", "url"], name="address_source_url_unique")]

    def __str__(self) -> str:
        return self.url


class Snapshot(models.Model):
    """A page as it was fetched, stored before it is parsed. Append-only.

    A page that equals the latest one of its address is not stored again. The bytes are gzipped in the storage
    ``snapshots`` under their sha256, so that equal pages share them.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="snapshots")
    run = models.ForeignKey(ScrapeRun, on_delete=models.DO_NOTHING, db_constraint=False, related_name="snapshots")
    url = models.CharField(max_length=LONGEST_URL)
    final_url = models.CharField(max_length=LONGEST_URL, help_text="Where redirects ended.")
    kind = models.CharField(max_length=40)
    fetched_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict, help_text="The response headers that are kept.")
    outcome = models.CharField(max_length=16, choices=OUTCOMES)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="Bytes, unpacked.")
    stored_as = models.CharField(max_length=200, help_text="Name in the storage.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "url", "fetched_at"], name="snapshot_url_fetched_at_unique")
        ]
        indexes = [
            models.Index(fields=["source", "url", "-fetched_at"], name="snapshot_latest_of_url"),
            models.Index(fields=["sha256"], name="snapshot_by_sha256"),
            models.Index(fields=["fetched_at"], name="snapshot_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.url} at {self.fetched_at:%Y-%m-%d %H:%M:%S}"
