"""One visit's way through a site: page after page, each kept before it is read.

A site names its first pages; what follows from one of them is a *chain*, and so is what follows from a page that says
so. A fault ends its chain, and what the chain told so far is dropped with it: half a chain is never stored. A block or
a silence ends the visit, since the other chains lead to the same host.

The walk can be begun again at any moment, after a slice or after a death: a page that was seen since the visit began is
read from where it is kept, and one that was missing or failed is not asked for again (`ScrapeRun.met`).
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from apps.matches.records import MatchRecord, readable
from apps.scraping import plausibility, selectors
from apps.scraping.models import LONGEST_URL, Address, ScrapeRun, Snapshot
from apps.scraping.responses import FetchError, Outcome, Response
from apps.scraping.services import snapshots
from apps.scraping.sources import Errand, Page, ParseError, Reading, Request, Site

logger = logging.getLogger(__name__)

ENDING: Final = (Outcome.BLOCKED, Outcome.TIMEOUT, Outcome.FAILED)
"""What ends the whole visit: the next page would fare no better."""

NOT_MODIFIED: Final = 304
NOT_FOUND: Final = 404

PAGES_LISTED: Final = 300
"""Pages of one visit that its row lists."""

FAULTS_IN_A_ROW: Final = 3
"""Broken chains, one after the other, that end the visit."""

URL_SHOWN: Final = 100
"""Characters of an address that cannot be one, in the reason of its refusal."""

MOST_PAGES: Final = 20_000
"""A site that leads to more pages in one visit leads in circles."""


@dataclass(slots=True)
class Fault:
    """What went wrong with one page, and so with its chain."""

    outcome: Outcome
    reason: str
    url: str


@dataclass(slots=True)
class Told:
    """What the pages of a visit, or of one chain, told so far.

    Parameters
    ----------
    records : list of (datetime, MatchRecord)
        In the order of their pages, each with the moment at which its page came.
    tellers : list of Request
        The page that told each record; of a chain alone.
    counts : dict of str to int
        Matches told by each address.
    notes : Counter of str
    refusals : list of dict
        Rows that gave no record, by page, line and reason.
    faults : list of Fault
    pages : list of dict
        A line for each page, for the operator.
    done, known, asked : int
        Pages that are behind, all that are known of, and those that a request was made for in this walk.
    """

    records: list[tuple[datetime, MatchRecord]] = field(default_factory=list)
    tellers: list[Request] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    pages: list[dict[str, Any]] = field(default_factory=list)
    done: int = 0
    known: int = 0
    asked: int = 0

    def read(self, request: Request, page: Page, reading: Reading) -> None:
        """Take what one page says."""
        self.records.extend((page.fetched_at, record) for record in reading.records)
        self.tellers.extend([request] * len(reading.records))
        self.counts[request.url] = len(reading.records)
        for note, count in reading.notes.items():
            self.notes[readable(note)] += count
        self.refusals.extend(
            {"page": row.file, "line": row.line, "row": row.row, "reason": row.reason} for row in reading.refused
        )

    def join(self, chain: Told) -> None:
        """Take what a whole chain told."""
        self.records.extend(chain.records)
        self.counts.update(chain.counts)
        self.notes.update(chain.notes)
        self.refusals.extend(chain.refusals)


class Doors(Protocol):
    """What makes requests; the services' own, or a test's."""

    def get(self, request: Request, *, kept: Snapshot | None) -> Response:
        """Ask for a page; `kept` is the one that a conditional request may spare. Raises FetchError."""
        ...


class Crawl:
    """The walk of one visit.

    Parameters
    ----------
    run : ScrapeRun
        Its `met` is read and written, never saved here.
    site : Site
    errand : Errand
    doors : Doors
    clock : callable
        Tells the time.
    """

    most_pages: float = MOST_PAGES

    def __init__(
        self, run: ScrapeRun, site: Site, errand: Errand, doors: Doors, *, clock: Callable[[], datetime]
    ) -> None:
        self.run = run
        self.site = site
        self.errand = errand
        self.doors = doors
        self.clock = clock
        self.told = Told()
        self._seen: set[str] = set()

    @property
    def is_further(self) -> bool:
        """Whether the next walk has less to do than this one: a request was made whose answer is kept."""
        return bool(self.told.asked)

    def walk(self) -> Iterator[str]:
        """Go from page to page; yields the address of each before it is visited, for the caller to note or to rest."""
        chains = deque(self.site.start(self.errand))
        self.told.known = len(chains)
        in_a_row = 0
        while chains:
            fault = yield from self._chain(chains.popleft(), chains)
            in_a_row = in_a_row + 1 if fault and fault.outcome is Outcome.HTTP_ERROR else 0
            if fault and (fault.outcome in ENDING or in_a_row >= FAULTS_IN_A_ROW):
                return

    def _chain(self, first: Request, chains: deque[Request]) -> Generator[str, None, Fault | None]:
        """Walk one chain; what is a chain of its own is put behind the others."""
        chain = Told()
        waiting = deque([first])
        while waiting:
            request = waiting.popleft()
            if request.url in self._seen:
                self.told.known -= 1
                continue
            self._seen.add(request.url)
            if (url := readable(request.url)[:LONGEST_URL]) != request.url:
                self.told.known -= len(waiting)
                reason = f"an address has {len(request.url):,} characters, or some that none has: {url[:URL_SHOWN]}"
                return self._fail(replace(request, url=url), FetchError(Outcome.INVALID, reason))
            yield request.url
            try:
                if len(self._seen) > self.most_pages:
                    reason = f"the site leads to more than {self.most_pages} pages: in circles?"
                    raise FetchError(Outcome.INVALID, reason)
                follow = self._visit(request, chain)
            except (FetchError, ParseError) as error:
                self.told.known -= len(waiting)
                return self._fail(request, error)
            self.told.done += 1
            self.told.known += len(follow)
            waiting.extend(following for following in follow if not following.begins_chain)
            chains.extend(following for following in follow if following.begins_chain)
        try:
            self._compare(chain)
        except plausibility.ImplausibleError as error:
            doubted = [
                teller
                for (_, record), teller in zip(chain.records, chain.tellers, strict=True)
                if plausibility.key_of(record) == error.match
            ]
            reason = f"{error} (pages from {first.url} on)"
            return self._fail(first, FetchError(Outcome.INVALID, reason), doubted)
        self._join(first, chain)
        return None

    def _join(self, first: Request, chain: Told) -> None:
        """Take what a whole chain told."""
        self.told.join(chain)

    def _compare(self, chain: Told) -> None:
        """Refuse pages of one chain that contradict each other."""
        plausibility.together(record for _, record in chain.records)

    def _visit(self, request: Request, chain: Told) -> list[Request]:
        """Take what one page tells; return the pages that it leads to."""
        known = selectors.address(self.run.source, request.url)
        if request.is_leaf and known is not None and _is_final(request, known) and _is_taken(known):
            self._note(request, "taken before", known.snapshot, 0)
            return []
        found = self._obtain(request, known, chain)
        if found is None:
            return []
        page, snapshot, was_asked = found
        reading = self.site.read(request, page, self.errand)
        self._check(request, reading, known)
        if was_asked:
            self._remember(request, known, snapshot)
        chain.read(request, page, reading)
        self._note(request, "fetched" if was_asked else "kept", snapshot, len(reading.records))
        return reading.follow

    def _obtain(self, request: Request, known: Address | None, chain: Told) -> tuple[Page, Snapshot, bool] | None:
        """Return a page, its row, and whether a request was made; None for one that may be missing and is."""
        kept = None if known is None else readable_page(known.snapshot)
        if known is not None and kept is not None and self._serves(request, known):
            # An earlier slice of this visit saw it then; what a price is worth depends on when it still stood.
            if known.seen_at >= self._began:
                kept = replace(kept, fetched_at=max(known.seen_at, kept.fetched_at))
            return kept, known.snapshot, False
        met = self.run.met.get(request.url)
        try:
            if met is not None:
                raise FetchError(Outcome(met["outcome"]), met["reason"])
            response = self._ask(request, known.snapshot if known is not None and kept is not None else None)
        except FetchError as error:
            self.run.met[request.url] = {"outcome": error.outcome.value, "reason": readable(error.reason)}
            is_missing = error.response is not None and error.response.status == NOT_FOUND
            if request.may_be_missing and (is_missing or (met or {}).get("is_missing")):
                self.run.met[request.url]["is_missing"] = True
                chain.notes[f"{request.kind} pages that are not there yet"] += 1
                self._note(request, "not there", None, 0)
                return None
            raise
        if response.status == NOT_MODIFIED and known is not None and kept is not None:
            return replace(kept, fetched_at=response.fetched_at), known.snapshot, True
        snapshot = snapshots.keep(run=self.run, request=request, response=response, outcome=Outcome.STORED)
        content_type = response.headers.get("content-type", "")
        return Page(response.url, response.body, response.fetched_at, content_type), snapshot, True

    def _ask(self, request: Request, kept: Snapshot | None) -> Response:
        """Make a request; what came of a failed one is kept too."""
        self.told.asked += 1
        try:
            return self.doors.get(request, kept=kept)
        except FetchError as error:
            if error.response is not None:
                snapshots.keep(run=self.run, request=request, response=error.response, outcome=error.outcome)
            raise

    @property
    def _began(self) -> datetime:
        return self.run.started_at or self.errand.now

    def _serves(self, request: Request, known: Address) -> bool:
        """Whether the kept page serves: final, young enough, or seen since this visit began."""
        if known.seen_at >= self._began or _is_final(request, known):
            return True
        return request.max_age is not None and self.clock() - known.seen_at < request.max_age

    def _check(self, request: Request, reading: Reading, known: Address | None) -> None:
        """Refuse a page that contradicts itself, holds nothing although it must, or far more or less than ever."""
        if reason := objection(request, reading):
            raise reason
        earlier = known.counts if known is not None and not reading.varies else ()
        count = len(reading.records)
        reason_of_count = plausibility.out_of_band(count, earlier)
        if not reason_of_count or known is None:
            return
        doubts, known.doubts = known.doubts, [*known.doubts, count][-plausibility.BELIEVED_AFTER :]
        known.save(update_fields=["doubts"])
        if not plausibility.is_believed_at_last(count, doubts):
            raise FetchError(Outcome.INVALID, f"{request.url}: {reason_of_count}")
        known.counts, known.doubts = [], []
        known.save(update_fields=["counts", "doubts"])

    def _remember(self, request: Request, known: Address | None, snapshot: Snapshot) -> None:
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

    def _fail(self, request: Request, error: FetchError | ParseError, doubted: Sequence[Request] = ()) -> Fault:
        """End a chain at a page; of pages that contradict each other, `doubted` are the ones that do."""
        if isinstance(error, ParseError):
            reason = f"{request.url} does not show {error.missing}"
            fault = Fault(Outcome.CHANGED_LAYOUT, readable(reason), request.url)
        else:
            fault = Fault(error.outcome, readable(error.reason), request.url)
        # Not asked for again in this visit, but in the next one, also where the kept page would serve for ever.
        for each in (request, *doubted):
            self.run.met[each.url] = {"outcome": fault.outcome.value, "reason": fault.reason}
        if fault.outcome is Outcome.INVALID:
            for each in doubted or (request,):
                self._unsettle(each)
        self.told.faults.append(fault)
        self.told.done += 1
        latest = Snapshot.objects.filter(source=self.run.source, url=request.url).order_by("-fetched_at").first()
        self._note(request, fault.outcome.value, latest, 0, is_fault=True)
        return fault

    def _unsettle(self, request: Request) -> None:
        """Take back that a page is final: the site may correct what cannot be true."""
        known = selectors.address(self.run.source, request.url)
        if known is None or request.final_after is None or known.seen_at < request.final_after:
            return
        known.seen_at = request.final_after - timedelta(seconds=1)
        known.save(update_fields=["seen_at"])

    def _note(
        self, request: Request, came: str, snapshot: Snapshot | None, records: int, *, is_fault: bool = False
    ) -> None:
        if is_fault or len(self.told.pages) < PAGES_LISTED:
            self.told.pages.append(
                {
                    "url": request.url,
                    "kind": request.kind,
                    "came": came,
                    "records": records,
                    "snapshot": snapshot.pk if snapshot is not None else None,
                }
            )


def objection(request: Request, reading: Reading) -> FetchError | None:
    """Return what speaks against a page in itself."""
    for row in reading.refused:
        if row.is_contradiction:
            return FetchError(Outcome.INVALID, f"{request.url}: {row.reason} | {row.row}")
    if not reading.records and not reading.may_be_empty:
        return FetchError(Outcome.EMPTY, f"{request.url} holds no match, although it must")
    return None


def _is_final(request: Request, known: Address) -> bool:
    return request.final_after is not None and known.seen_at >= request.final_after


def _is_taken(known: Address) -> bool:
    return known.taken_at is not None and known.taken_at >= known.seen_at


def readable_page(snapshot: Snapshot) -> Page | None:
    """Return a kept page, None when its bytes are gone."""
    try:
        return snapshots.page_of(snapshot)
    except snapshots.LostPageError as error:
        logger.error("%s; the page is asked for anew", error)
        return None
