"""The client: what most programs ask for, with types."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from spai_client.generated import AuthenticatedClient
from spai_client.generated.api.competitions import season_forecast, table
from spai_client.generated.api.matches import matches_list, matches_prediction_retrieve, matches_retrieve
from spai_client.generated.api.teams import teams
from spai_client.generated.api.what_if import what_if
from spai_client.generated.models import (
    ListedTeam,
    Match,
    Prediction,
    PushAccount,
    SeasonForecast,
    Table,
    WhatIf,
)
from spai_client.generated.types import UNSET
from spai_client.problems import raise_problem
from spai_client.transport import Transport


class Client:
    """A connection to one SPAI site.

    Each method answers with typed models or raises `ProblemError`. It may be used by several threads, and as a context
    manager, which closes the connections.

    Parameters
    ----------
    base_url : str
        Address of the site, such as ``http://127.0.0.1:8000``.
    key : str, optional
        API key; the operator of the site makes it.
    timeout : float
        Seconds without a byte after which a request is given up.
    retries : int
        How often a request is repeated that a busy server refused (429, 503); it waits as long as the server says.
    transport, sleep : optional
        Replace the network and the waiting, in tests.

    Attributes
    ----------
    connection : AuthenticatedClient
        For every other route: ``spai_client.generated.api.TAG.OPERATION.sync(..., client=client.connection)``.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout: float = 10.0,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Accept": "application/json", "User-Agent": "spai-client"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        inner = transport or httpx.HTTPTransport(retries=1)
        self.connection = AuthenticatedClient(
            base_url, headers=headers, token=key or "", prefix="Bearer" if key else ""
        ).set_httpx_client(
            httpx.Client(
                base_url=base_url,
                headers=headers,
                timeout=timeout,
                transport=Transport(inner, retries=retries, sleep=sleep),
                event_hooks={"response": [raise_problem]},
            )
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.connection.get_httpx_client().close()

    def pages(self, operation: Callable[..., Any], **parameters: Any) -> Iterator[Any]:
        """Yield the results of a list one by one, fetching page after page.

        Parameters
        ----------
        operation : callable
            `sync` of a generated list operation, such as ``matches_list.sync``.
        **parameters
            Its parameters.
        """
        while True:
            page = operation(client=self.connection, **parameters)
            yield from page.results
            following = getattr(page, "next_", None)
            if not following:
                return
            parameters["cursor"] = parse_qs(urlsplit(following).query)["cursor"][0]

    def matches(self, **filters: Any) -> Iterator[Match]:
        """Yield matches in the order of kick-off.

        Parameters
        ----------
        **filters
            ``competition`` and ``team`` (slugs), ``from_`` and ``to`` (aware datetimes), ``status``, ``world``,
            ``page_size``.
        """
        yield from self.pages(matches_list.sync, **filters)

    def match(self, match_id: int) -> Match:
        """Return one match."""
        found = matches_retrieve.sync(match_id, client=self.connection)
        assert isinstance(found, Match)
        return found

    def prediction(self, match_id: int) -> Prediction:
        """Return the latest forecast of a match; raise `NotFoundError` when it has none."""
        found = matches_prediction_retrieve.sync(match_id, client=self.connection)
        assert isinstance(found, Prediction)
        return found

    def what_if(
        self, home: str, away: str, *, day: date | None = None, competition: str = "", is_neutral: bool = False
    ) -> WhatIf:
        """Return the forecast of a match of any two teams, named by their slugs."""
        found = what_if.sync(
            client=self.connection,
            home=home,
            away=away,
            date=day or UNSET,
            competition=competition or UNSET,
            neutral=is_neutral,
        )
        assert isinstance(found, WhatIf)
        return found

    def teams(self, name: str) -> list[ListedTeam]:
        """Return the teams that a text names, the best first."""
        return list(self.pages(teams.sync, q=name))

    def table(self, competition: str, *, season: str = "", as_of: datetime | None = None) -> Table:
        """Return the table of a season, the newest by default, now or as it was at a moment."""
        found = table.sync(competition, client=self.connection, season=season or UNSET, as_of=as_of or UNSET)
        assert isinstance(found, Table)
        return found

    def season_forecast(self, competition: str, *, season: str = "") -> SeasonForecast:
        """Return how a season is expected to end; raise `NotFoundError` when it has no simulation."""
        found = season_forecast.sync(competition, client=self.connection, season=season or UNSET)
        assert isinstance(found, SeasonForecast)
        return found

    def push(self, lines: Iterable[Mapping[str, Any]], *, idempotency_key: str = "") -> PushAccount:
        """Send fixtures, results and odds; the client must have the address of the admin, and a key for ingest.

        Parameters
        ----------
        lines : iterable of mapping
            One match or its odds each; see `MatchLine` and `OddsLine` of the schema.
        idempotency_key : str, optional
            The same lines with the same key are stored once, so that they may be sent again after a broken connection.
        """
        headers = {"Content-Type": "application/x-ndjson"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        body = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
        answer = self.connection.get_httpx_client().post("/api/v1/ingest/", content=body, headers=headers)
        return PushAccount.from_dict(answer.json())
