"""The way through kept pages: what the code of today makes of all that ever came, chain by chain, with no request."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

from apps.matches.records import readable
from apps.scraping import plausibility, selectors
from apps.scraping.responses import Outcome
from apps.scraping.services.crawl import Crawl, Fault, Told, objection, readable_page
from apps.scraping.sources import ParseError, Request


class Reread(Crawl):
    """The walk over kept pages: every page of an address that was ever kept is read, and none is asked for.

    A page that was not believed when it came, because it contradicted itself or told far fewer matches than the pages
    of its address before, is passed over again. A chain whose records are stored is noted in the row
    (`ScrapeRun.met`): the next slice passes over it, or walks it for the chains that it leads to alone.
    """

    most_pages = math.inf
    _unstored: dict[str, dict[str, Any]]

    @property
    def is_further(self) -> bool:
        """Whether a chain came whole that no earlier slice has stored."""
        return bool(self._unstored)

    def walk(self) -> Iterator[str]:
        """Go from chain to chain, past those that an earlier slice has stored."""
        self._unstored = {}
        self.told.pages = self.run.pages
        return super().walk()

    def settle(self) -> None:
        """Note that what the whole chains told is stored."""
        self.run.met |= self._unstored
        self._unstored = {}

    def _chain(self, first: Request, chains: deque[Request]) -> Generator[str, None, Fault | None]:
        stored = self.run.met.get(first.url)
        if stored is not None and not stored.get("leads_on", True):
            self.told.done += stored["pages"]
            self.told.known += stored["pages"] - 1
            return None
        done, others = self.told.done, len(chains)
        fault = yield from super()._chain(first, chains)
        if stored is None and fault is None:
            pages, leads_on = self.told.done - done, len(chains) > others
            self._unstored.setdefault(first.url, {"pages": pages, "leads_on": leads_on})
        return fault

    def _join(self, first: Request, chain: Told) -> None:
        if first.url not in self.run.met:
            super()._join(first, chain)

    def _compare(self, chain: Told) -> None:
        """Let what was told later correct what was told before."""

    def _visit(self, request: Request, chain: Told) -> list[Request]:
        follow: dict[str, Request] = {}
        counts: list[int] = []
        for snapshot in selectors.pages_of(self.run.source, request.url):
            page = readable_page(snapshot)
            try:
                if page is None:
                    raise ParseError("the bytes that were kept", snapshot.stored_as)
                reading = self.site.read(request, page, self.errand)
            except ParseError as error:
                # It told nothing when it came, and the pages around it did.
                chain.notes[readable(f"kept pages without {error.missing}")] += 1
                self._note(request, Outcome.CHANGED_LAYOUT.value, snapshot, 0)
                continue
            count = len(reading.records)
            if objection(request, reading) or (not reading.varies and plausibility.out_of_band(count, counts)):
                chain.notes["kept pages that were not believed"] += 1
                self._note(request, Outcome.INVALID.value, snapshot, 0)
                continue
            counts = [*counts, count][-plausibility.VISITS_COMPARED :]
            chain.read(request, page, reading)
            self._note(request, "kept", snapshot, count)
            follow.update((each.url, each) for each in reading.follow)
        return list(follow.values())
