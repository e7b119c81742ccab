"""The crawl of a re-parse: stored pages are parsed again by the current code, chain by chain, without any request."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

from apps.matches.records import readable
from apps.scraping import plausibility, selectors
from apps.scraping.responses import FetchOutcome
from apps.scraping.services.crawl import Crawl, CrawlResult, PageFailure, load_page, objection
from apps.scraping.sources import ParseError, Request


class ReparseCrawl(Crawl):
    """A crawl that parses every stored page of each address and fetches none.

    A page that was refused when it came, because it contradicted itself or listed far fewer matches than the earlier
    pages of its address, is skipped again. A chain whose records are stored is noted in the row
    (`ScrapeRun.stored_chains`): the next slice skips it, or crawls it only for the chains that it leads to.
    """

    most_pages = math.inf
    _unstored: dict[str, dict[str, Any]]

    @property
    def has_progress(self) -> bool:
        """Whether a chain is complete that no earlier slice has stored."""
        return bool(self._unstored)

    def crawl(self) -> Iterator[str]:
        """Go from chain to chain; skip those that an earlier slice has stored."""
        self._unstored = {}
        self.result.pages = self.run.pages
        return super().crawl()

    def mark_stored(self) -> None:
        """Note that the records of the complete chains are stored."""
        self.run.stored_chains |= self._unstored
        self._unstored = {}

    def _chain(self, first: Request, chains: deque[Request]) -> Generator[str, None, PageFailure | None]:
        stored = self.run.stored_chains.get(first.url)
        if stored is not None and not stored.get("leads_on", True):
            self.result.done += stored["pages"]
            self.result.known += stored["pages"] - 1
            return None
        done, others = self.result.done, len(chains)
        failure = yield from super()._chain(first, chains)
        if stored is None and failure is None:
            pages, leads_on = self.result.done - done, len(chains) > others
            self._unstored.setdefault(first.url, {"pages": pages, "leads_on": leads_on})
        return failure

    def _add_chain(self, first: Request, chain: CrawlResult) -> None:
        if first.url not in self.run.stored_chains:
            super()._add_chain(first, chain)

    def _check_chain(self, chain: CrawlResult) -> None:
        """Accept any chain: its pages are of different moments, and a later one corrects an earlier one."""

    def _read(self, request: Request, chain: CrawlResult) -> list[Request]:
        follow: dict[str, Request] = {}
        counts: list[int] = []
        for snapshot in selectors.pages_of(self.run.source, request.url):
            page = load_page(snapshot)
            try:
                if page is None:
                    raise ParseError("the stored bytes", snapshot.stored_as)
                reading = self.site.read(request, page, self.job)
            except ParseError as error:
                # It gave no record when it came either, and the other pages of its chain did.
                chain.notes[readable(f"stored pages without {error.missing}")] += 1
                self._list(request, FetchOutcome.CHANGED_LAYOUT.value, snapshot, 0)
                continue
            count = len(reading.records)
            if objection(request, reading) or (not reading.varies and plausibility.out_of_band(count, counts)):
                chain.notes["stored pages that were refused"] += 1
                self._list(request, FetchOutcome.INVALID.value, snapshot, 0)
                continue
            counts = [*counts, count][-plausibility.RUNS_COMPARED :]
            chain.add_page(request, page, reading)
            self._list(request, "kept", snapshot, count)
            follow.update((each.url, each) for each in reading.follow)
        return list(follow.values())
