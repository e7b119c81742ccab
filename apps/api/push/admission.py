"""Where every connection to push is admitted: how many there may be, and what its address asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import parse_qsl

from apps.matches.feed import LARGEST_NUMBER, Subscription, SubscriptionError

NEWEST = None
"""The place of a client that names no number: after the newest event."""


class NotAdmittedError(Exception):
    """A connection is refused; `status` is that of HTTP."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Admission:
    """Counts the open connections of a process, in all and of each address.

    Parameters
    ----------
    most, most_of_address : int
        Connections at the same time.
    proxies : int
        Proxies in front of this process; so many addresses at the end of X-Forwarded-For are trusted.
    """

    def __init__(self, *, most: int, most_of_address: int, proxies: int) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._proxies = proxies
        self._open: Counter[str] = Counter()

    @contextmanager
    def admitted(self, scope: dict[str, Any]) -> Iterator[None]:
        """Count a connection for as long as it is served.

        Raises
        ------
        NotAdmittedError
            When there are too many.
        """
        address = address_of(scope, self._proxies)
        if self._open.total() >= self._most:
            detail = "This server has as many connections as it serves. Try again in a minute."
            raise NotAdmittedError(HTTPStatus.SERVICE_UNAVAILABLE, detail)
        if self._open[address] >= self._most_of_address:
            detail = f"Your address has {self._most_of_address} connections, the largest number. Close one of them."
            raise NotAdmittedError(HTTPStatus.TOO_MANY_REQUESTS, detail)
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            # Else addresses that came once would stay for ever.
            if not self._open[address]:
                del self._open[address]


def header(scope: dict[str, Any], name: bytes) -> str:
    """Return a header of a connection; empty when it is not sent."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def address_of(scope: dict[str, Any], proxies: int) -> str:
    """Return the address that a connection comes from, for IPv6 the /64 network; empty when it is not known."""
    peer = (scope.get("client") or ("",))[0]
    passed = [*header(scope, b"x-forwarded-for").split(","), peer]
    claimed = passed[-1 - proxies] if len(passed) > proxies else peer
    for candidate in (claimed, peer):
        try:
            address = ip_address(candidate.strip())
        except ValueError:
            continue
        if isinstance(address, IPv6Address):
            return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False).network_address)
        return str(address)
    return ""


def wanted(scope: dict[str, Any], **fixed: str) -> tuple[int | None, Subscription]:
    """Return the number after which a client wants events, and its subscription, from the query of its address.

    `fixed` are filters that the path names.

    Raises
    ------
    SubscriptionError
        For a parameter that is unknown or wrong.
    """
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    after = query.pop("after", None)
    return NEWEST if after is None else number_of(after), Subscription.parse(query | fixed)


def number_of(text: str) -> int:
    """Return the number of an event that a client names.

    Raises
    ------
    SubscriptionError
        When it is none.
    """
    # `int` would also take signs, spaces and digits of other scripts, and fail on very long numbers.
    if not text.isascii() or not text.isdigit() or len(text) > len(str(LARGEST_NUMBER)) or int(text) > LARGEST_NUMBER:
        raise SubscriptionError("after", "It must be the number of an event, a whole number from 0.")
    return int(text)
