"""The crawl of one scrape run: page after page of a site, each stored before it is parsed.

A site names its first pages. What follows from one of them is a *chain*, and so is what follows from a page that says
so. A failure ends its chain and drops the records of that chain: half a chain is never stored. A block or a timeout
ends the whole run, since the other chains lead to the same host.

A crawl can be started again at any moment, after a slice or after its worker was lost: a page that was seen since the
run began is read from the storage, and one that was missing or failed is not fetched again (`ScrapeRun.failed_urls`).
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from apps.matches.records import MatchRecord, readable
from apps.scraping import plausibility, politeness, selectors
from apps.scraping.models import LONGEST_URL, Address, ScrapeRun, Snapshot
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse
from apps.scraping.services import hosts, snapshots
from apps.scraping.sources import CrawlJob, Page, ParseError, Reading, Request, Site

logger = logging.getLogger(__name__)

ENDING: Final = (FetchOutcome.BLOCKED, FetchOutcome.TIMEOUT, FetchOutcome.FAILED)
"""Outcomes of a page that end the whole run: the next page would do no better."""

NOT_MODIFIED: Final = 304

PAGES_LISTED: Final = 300
"""Pages of one run that its row lists."""

FAILURES_IN_A_ROW: Final = 3
"""Chains that failed one after the other and so end the run."""

URL_SHOWN: Final = 100
"""Characters of an invalid address that its refusal quotes."""

MOST_PAGES: Final = 20_000
"""A site that leads to more pages in one run leads in circles."""


@dataclass(slots=True)
class PageFailure:
    """Why one page, and so its chain, failed."""

    outcome: FetchOutcome
    reason: str
    url: str
    is_missing: bool = False


@dataclass(slots=True)
class CrawlResult:
    """What the pages of a run, or of one chain, have given so far.

    Parameters
    ----------
    records : list of (datetime, MatchRecord)
        In the order of their pages, each with the moment at which its page was fetched.
    origins : list of Request
        The page of each record; only for a chain.
    counts : dict of str to int
        Number of matches by address.
    refusals : list of dict
        Rows that gave no record, by page, line and reason.
    pages : list of dict
        One entry for each page, for the operator.
    done, known, requested : int
        Pages that are done, pages known of, and pages for which a request was sent since the crawl was started.
    """

    records: list[tuple[datetime, MatchRecord]] = field(default_factory=list)
    origins: list[Request] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    failures: list[PageFailure] = field(default_factory=list)
    pages: list[dict[str, Any]] = field(default_factory=list)
    done: int = 0
    known: int = 0
    requested: int = 0

    def add_page(self, request: Request, page: Page, reading: Reading) -> None:
        """Add what was read from one page."""
        self.records.extend((page.fetched_at, record) for record in reading.records)
        self.origins.extend([request] * len(reading.records))
        self.counts[request.url] = len(reading.records)
        for note, count in reading.notes.items():
            self.notes[readable(note)] += count
        self.refusals.extend(
            {"page": row.file, "line": row.line, "row": row.row, "reason": row.reason} for row in reading.refused
        )

    def add_chain(self, chain: CrawlResult) -> None:
        """Add a complete chain."""
        self.records.extend(chain.records)
        self.counts.update(chain.counts)
        self.notes.update(chain.notes)
        self.refusals.extend(chain.refusals)


class Fetcher(Protocol):
    """Sends the requests of a crawl: `fetching.SourceFetcher`, or a test's own."""

    def get(self, request: Request, *, stored: Snapshot | None) -> FetchResponse:
        """Fetch a page; `stored` is the stored one that may still be current. Raises FetchError."""
        ...


class Crawl:
    """The crawl of one run, whose `failed_urls` is read and changed, but not saved here."""

    most_pages: float = MOST_PAGES

    def __init__(
        self, run: ScrapeRun, site: Site, job: CrawlJob, fetcher: Fetcher, *, clock: Callable[[], datetime]
    ) -> None:
        self.run = run
        self.site = site
        self.job = job
        self.fetcher = fetcher
        self.clock = clock
        self.result = CrawlResult()
        self._seen: set[str] = set()

    @property
    def has_progress(self) -> bool:
        """Whether the next slice has less to do than this one had: a request was sent whose response is stored."""
        return bool(self.result.requested)

    def crawl(self) -> Iterator[str]:
        """Go from page to page; yield each address before it is fetched, so that the caller can save it or stop."""
        chains = deque(self.site.start(self.job))
        self.result.known = len(chains)
        in_a_row = 0
        while chains:
            failure = yield from self._chain(chains.popleft(), chains)
            # A page that is not there says nothing about the others.
            is_error = failure is not None and failure.outcome is FetchOutcome.HTTP_ERROR and not failure.is_missing
            in_a_row = in_a_row + 1 if is_error else 0
            if failure and (failure.outcome in ENDING or in_a_row >= FAILURES_IN_A_ROW):
                return

    def _chain(self, first: Request, chains: deque[Request]) -> Generator[str, None, PageFailure | None]:
        """Crawl one chain; pages that begin a chain of their own are appended to `chains`."""
        chain = CrawlResult()
        waiting = deque([first])
        while waiting:
            request = waiting.popleft()
            if request.url in self._seen:
                self.result.known -= 1
                continue
            self._seen.add(request.url)
            if (url := readable(request.url)[:LONGEST_URL]) != request.url:
                self.result.known -= len(waiting)
                reason = f"an address has {len(request.url):,} characters, or invalid ones: {url[:URL_SHOWN]}"
                return self._fail(replace(request, url=url), FetchError(FetchOutcome.INVALID, reason))
            yield request.url
            try:
                if len(self._seen) > self.most_pages:
                    reason = f"the site leads to more than {self.most_pages} pages: in circles?"
                    raise FetchError(FetchOutcome.INVALID, reason)
                follow = self._read(request, chain)
            except (FetchError, ParseError) as error:
                self.result.known -= len(waiting)
                return self._fail(request, error)
            self.result.done += 1
            self.result.known += len(follow)
            waiting.extend(following for following in follow if not following.begins_chain)
            chains.extend(following for following in follow if following.begins_chain)
        try:
            self._check_chain(chain)
        except plausibility.ImplausibleError as error:
            doubted = [
                origin
                for (_, record), origin in zip(chain.records, chain.origins, strict=True)
                if plausibility.key_of(record) == error.match
            ]
            reason = f"{error} (pages from {first.url} on)"
            return self._fail(first, FetchError(FetchOutcome.INVALID, reason), doubted)
        self._add_chain(first, chain)
        return None

    def _add_chain(self, first: Request, chain: CrawlResult) -> None:
        self.result.add_chain(chain)

    def _check_chain(self, chain: CrawlResult) -> None:
        """Raise ImplausibleError when pages of the chain contradict each other."""
        plausibility.merge(record for _, record in chain.records)

    def _read(self, request: Request, chain: CrawlResult) -> list[Request]:
        """Obtain one page and add its records to the chain; return the pages that it leads to."""
        known = selectors.address(self.run.source, request.url)
        if request.is_leaf and known is not None and _is_final(request, known) and _is_taken(known):
            self._list(request, "taken before", known.snapshot, 0)
            return []
        found = self._obtain(request, known, chain)
        if found is None:
            return []
        page, snapshot, was_requested = found
        try:
            reading = self.site.read(request, page, self.job)
        except ParseError as error:
            if was_requested and self._is_stand_in(page.content):
                raise self._blocked(request.url) from error
            if not (request.may_be_missing and request.is_file and politeness.is_html(page.content)):
                raise
            # The site shows a page of its own where it has no such file.
            return self._note_missing(request, chain)
        self._check_page(request, reading, known)
        if was_requested:
            self._save_address(request, known, snapshot)
        chain.add_page(request, page, reading)
        self._list(request, "fetched" if was_requested else "kept", snapshot, len(reading.records))
        return reading.follow

    def _obtain(
        self, request: Request, known: Address | None, chain: CrawlResult
    ) -> tuple[Page, Snapshot, bool] | None:
        """Return a page, its row, and whether a request was sent; None for one that may be missing and is."""
        kept = None if known is None else load_page(known.snapshot)
        if known is not None and kept is not None and self._is_current(request, known):
            # An earlier slice of this run saw it later than it was fetched, and a price counts for the latest moment
            # at which it was shown.
            if known.seen_at >= self._began:
                kept = replace(kept, fetched_at=max(known.seen_at, kept.fetched_at))
            return kept, known.snapshot, False
        earlier = self.run.failed_urls.get(request.url)
        try:
            if earlier is not None:
                raise FetchError(FetchOutcome(earlier["outcome"]), earlier["reason"])
            response = self._fetch(request, known.snapshot if known is not None and kept is not None else None)
        except FetchError as error:
            self.run.failed_urls[request.url] = {"outcome": error.outcome.value, "reason": readable(error.reason)}
            is_missing = error.is_missing or bool(earlier and earlier.get("is_missing"))
            if is_missing:
                self.run.failed_urls[request.url]["is_missing"] = True
            if is_missing and request.may_be_missing:
                self._note_missing(request, chain)
                return None
            raise
        if response.status == NOT_MODIFIED and known is not None and kept is not None:
            return replace(kept, fetched_at=response.fetched_at), known.snapshot, True
        snapshot = snapshots.store(run=self.run, request=request, response=response, outcome=FetchOutcome.STORED)
        content_type = response.headers.get("content-type", "")
        return Page(response.url, response.body, response.fetched_at, content_type), snapshot, True

    def _fetch(self, request: Request, stored: Snapshot | None) -> FetchResponse:
        """Send a request; the response of a failed one is stored too."""
        self.result.requested += 1
        try:
            return self.fetcher.get(request, stored=stored)
        except FetchError as error:
            response = error.response
            if response is None:
                raise
            if error.outcome is FetchOutcome.CHANGED_LAYOUT and self._is_stand_in(response.body):
                error = self._blocked(request.url, response)
            snapshots.store(run=self.run, request=request, response=response, outcome=error.outcome)
            raise error

    def _note_missing(self, request: Request, chain: CrawlResult) -> list[Request]:
        """Note that a file is not there; no page follows."""
        chain.notes[f"{request.kind} pages that are not there yet"] += 1
        self._list(request, "not there", None, 0)
        return []

    def _is_stand_in(self, body: bytes) -> bool:
        return politeness.is_stand_in(body, self.site.markers)

    def _blocked(self, url: str, response: FetchResponse | None = None) -> FetchError:
        """Halt the host of a page in whose place another one came, and return the error."""
        reason = f"{url}: a small page without anything of this site came in its place"
        hosts.note_block(url, reason=reason, now=self.clock())
        return FetchError(FetchOutcome.BLOCKED, reason, response)

    @property
    def _began(self) -> datetime:
        return self.run.started_at or self.job.now

    def _is_current(self, request: Request, known: Address) -> bool:
        """Whether the stored page can be used: it is final, young enough, or was seen since this run began."""
        if known.seen_at >= self._began or _is_final(request, known):
            return True
        return request.max_age is not None and self.clock() - known.seen_at < request.max_age

    def _check_page(self, request: Request, reading: Reading, known: Address | None) -> None:
        """Raise FetchError for a page with contradictions, without a match, or with implausibly many or few."""
        if reason := objection(request, reading):
            raise reason
        earlier = known.counts if known is not None and not reading.varies else ()
        count = len(reading.records)
        reason_of_count = plausibility.out_of_band(count, earlier)
        if not reason_of_count or known is None:
            return
        doubts, known.doubts = known.doubts, [*known.doubts, count][-plausibility.ACCEPTED_AFTER :]
        known.save(update_fields=["doubts"])
        if not plausibility.is_accepted_at_last(count, doubts):
            raise FetchError(FetchOutcome.INVALID, f"{request.url}: {reason_of_count}")
        known.counts, known.doubts = [], []
        known.save(update_fields=["counts", "doubts"])

    def _save_address(self, request: Request, known: Address | None, snapshot: Snapshot) -> None:
        now = self.clock()
        if known is None:
            Address.objects.update_or_create(
                source=self.run.source,
                url=request.url,
                defaults={"kind": request.kind, "snapshot": snapshot, "seen_at": now},
            )
            return
        known.snapshot, known.seen_at = snapshot, now
        known.save(update_fields=["snapshot", "seen_at"])

    def _fail(self, request: Request, error: FetchError | ParseError, doubted: Sequence[Request] = ()) -> PageFailure:
        """End a chain at a page; `doubted` are the pages that contradict each other, if that is the reason."""
        if isinstance(error, ParseError):
            reason = (
                f"{request.url}: {error.detail}" if error.detail else f"{request.url} does not show {error.missing}"
            )
            failure = PageFailure(FetchOutcome.CHANGED_LAYOUT, readable(reason), request.url)
        else:
            is_missing = bool(self.run.failed_urls.get(request.url, {}).get("is_missing"))
            failure = PageFailure(error.outcome, readable(error.reason), request.url, is_missing)
        # Not fetched again in this run, but in the next one, even where the stored page would count as final.
        for each in (request, *doubted):
            entry = {"outcome": failure.outcome.value, "reason": failure.reason}
            self.run.failed_urls[each.url] = entry | ({"is_missing": True} if failure.is_missing else {})
        if failure.outcome is FetchOutcome.INVALID:
            for each in doubted or (request,):
                self._mark_not_final(each)
        self.result.failures.append(failure)
        self.result.done += 1
        latest = Snapshot.objects.filter(source=self.run.source, url=request.url).order_by("-fetched_at").first()
        self._list(request, failure.outcome.value, latest, 0, is_failure=True)
        return failure

    def _mark_not_final(self, request: Request) -> None:
        """Let a final page be fetched again: the site may correct what cannot be true."""
        known = selectors.address(self.run.source, request.url)
        if known is None or request.final_after is None or known.seen_at < request.final_after:
            return
        known.seen_at = request.final_after - timedelta(seconds=1)
        known.save(update_fields=["seen_at"])

    def _list(
        self, request: Request, came: str, snapshot: Snapshot | None, records: int, *, is_failure: bool = False
    ) -> None:
        if is_failure or len(self.result.pages) < PAGES_LISTED:
            self.result.pages.append(
                {
                    "url": request.url,
                    "kind": request.kind,
                    "came": came,
                    "records": records,
                    "snapshot": snapshot.pk if snapshot is not None else None,
                }
            )


def objection(request: Request, reading: Reading) -> FetchError | None:
    """Return why a page cannot be believed, only from the page."""
    for row in reading.refused:
        if row.is_contradiction:
            return FetchError(FetchOutcome.INVALID, f"{request.url}: {row.reason} | {row.row}")
    if not reading.records and not reading.may_be_empty:
        return FetchError(FetchOutcome.EMPTY, f"{request.url} holds no match, although it must")
    return None


def _is_final(request: Request, known: Address) -> bool:
    return request.final_after is not None and known.seen_at >= request.final_after


def _is_taken(known: Address) -> bool:
    return known.taken_at is not None and known.taken_at >= known.seen_at


def load_page(snapshot: Snapshot) -> Page | None:
    """Return a stored page, None when its bytes are gone."""
    try:
        return snapshots.page_of(snapshot)
    except snapshots.LostPageError as error:
        logger.error("%s; the page is fetched again", error)
        return None
