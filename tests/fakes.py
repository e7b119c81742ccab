"""Stand-ins for what lies outside: a site of a few pages, and fetchers that open on it.

A fake behaves as the real thing does where a service looks: `FakeFetcher` answers with a status, headers and bytes, or
raises FetchError, as `apps.scraping.services.fetching.OpenDoors` does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.matches.records import CompetitionKey, MatchRecord, MatchStatus
from apps.scraping.models import Snapshot
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse
from apps.scraping.sources import CrawlJob, FetchMethod, Page, ParseError, Reading, RefusedRow, Request

LEAGUE = CompetitionKey("Norland", "First", is_simulated=True)


@dataclass
class FakeFetcher:
    """Answers with the pages that it is given, or that one is unchanged; keeps what it was asked for."""

    pages: dict[str, Any]
    clock: Any
    asked: list[str] = field(default_factory=list)
    faults: dict[str, BaseException] = field(default_factory=dict)
    seconds: float = 0.0
    unchanged: set[str] = field(default_factory=set)

    def get(self, request: Request, *, stored: Snapshot | None) -> FetchResponse:
        self.asked.append(request.url)
        if self.seconds:
            self.clock.later(seconds=self.seconds)
        if request.url in self.faults:
            raise self.faults[request.url]
        if stored is not None and request.url in self.unchanged:
            return FetchResponse(request.url, 304, b"", self.clock())
        if request.url not in self.pages:
            missing = FetchResponse(request.url, 404, b"no such page", self.clock())
            raise FetchError(FetchOutcome.HTTP_ERROR, f"404 for {request.url}", missing)
        body = self.pages[request.url]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return FetchResponse(
            request.url, 200, content, self.clock(), {"content-type": "application/json", "x-noise": "1"}
        )


@dataclass
class FakeSite:
    """A site whose first page lists others: {"matches": […], "follow": [url, …], "refused": […], "notes": {}}."""

    first: list[Request] = field(default_factory=lambda: [Request("http://fake/home", "home")])
    name: str = "sandbox"
    markers: tuple[str, ...] = ("the fake league",)
    may_be_empty: bool = True
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)

    def start(self, job: CrawlJob) -> list[Request]:
        return self.first

    def read(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        try:
            told = json.loads(page.content)
            matches = told["matches"]
        except (ValueError, KeyError) as error:
            raise ParseError("the list of matches", request.url) from error
        follow = [Request(url, "list", **self.rules.get(url, {})) for url in told.get("follow", [])]
        return Reading(
            records=[match(**values) for values in matches],
            follow=follow,
            refused=[RefusedRow(**row) for row in told.get("refused", [])],
            notes=told.get("notes", {}),
            may_be_empty=told.get("may_be_empty", True),
        )


def match(number: int, *, goals: tuple[int, int] | None = None, day: int = 20) -> MatchRecord:
    """Return a match of the fake league; with goals it is finished."""
    result = {"status": MatchStatus.FINISHED, "home_goals": goals[0], "away_goals": goals[1]} if goals else {}
    return MatchRecord(
        LEAGUE,
        "2026-27",
        f"Home {number}",
        f"Away {number}",
        datetime(2026, 11, day, 15, tzinfo=UTC),
        source_id=str(number),
        **result,
    )


def page_of(*matches: dict[str, Any], follow: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return a page of the fake site."""
    return {"matches": list(matches), "follow": list(follow), **more}


def door_of(url: str) -> Request:
    """Return a plain request."""
    return Request(url, "list", FetchMethod.HTTP)
