"""One request of a webhook: to a checked address, within a time limit, without redirects."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException
from typing import Final

from apps.matches.public_addresses import (
    AddressRefusedError,
    LookUp,
    Target,
    addresses_in_time,
    checked_target,
    connect,
)

TIME_LIMIT: Final = 10.0
"""Seconds from the connection to the end of the response; the look-up of the name has its own limit."""

RESPONSE_LIMIT: Final = 16 * 1024
"""Bytes of a response that are read; what follows is of no use."""

USER_AGENT: Final = "SPAI-webhooks/1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: the status of the response, or the reason why there is none."""

    status: int | None
    error: str = ""

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more messages."""
        return self.status == 410


class _Connection(HTTPConnection):
    """A connection to a checked address; TLS verifies the name."""

    def __init__(self, target: Target, tls: ssl.SSLContext) -> None:
        super().__init__(target.host, target.port, timeout=TIME_LIMIT)
        self._target = target
        self._tls = tls

    def connect(self) -> None:
        self.sock = connect(self._target, timeout=TIME_LIMIT)
        if self._target.scheme == "https":
            # In two steps, so that `stop` reaches the socket during the handshake.
            secured = self._tls.wrap_socket(self.sock, server_hostname=self._target.host, do_handshake_on_connect=False)
            self.sock = secured
            secured.do_handshake()

    def stop(self) -> None:
        """End whatever the connection waits for."""
        if self.sock is not None:
            # It may have been closed in this moment.
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def send(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    allowed: Iterable[str] = (),
    tls: ssl.SSLContext | None = None,
    time_limit: float = TIME_LIMIT,
    look_up: LookUp = addresses_in_time,
) -> Outcome:
    """Send one request and return how it ended; a redirect is not followed, and counts as refused.

    Parameters
    ----------
    url : str
        Looked up and checked again now, because the address of a name may have changed since it was stored.
    body : bytes
        JSON.
    headers : mapping of str to str
    allowed, look_up
        As for `checked_target`.
    tls : SSLContext, optional
        Trusts the certificate authorities of this machine by default.
    time_limit : float
        Seconds.
    """
    try:
        target = checked_target(url, allowed=allowed, look_up=look_up)
    except AddressRefusedError as error:
        return Outcome(None, str(error))
    link = _Connection(target, tls or _trusting())
    # Time limits of a socket hold for each read: a receiver that sends a byte now and then would never reach them.
    alarm = threading.Timer(time_limit, link.stop)
    alarm.daemon = True
    alarm.start()
    try:
        common = {"Host": target.authority, "Content-Type": "application/json", "User-Agent": USER_AGENT}
        link.request("POST", target.path, body=body, headers=common | dict(headers))
        response = link.getresponse()
        status = response.status
        # The status decides; the rest is read so that the receiver can end its response.
        with suppress(OSError, HTTPException):
            response.read(RESPONSE_LIMIT)
    except (OSError, HTTPException, ValueError) as error:
        is_late = isinstance(error, TimeoutError) or not alarm.is_alive()
        reason = f"There was no complete answer within {time_limit:g} seconds." if is_late else _reason(error)
        return Outcome(None, reason[:300])
    finally:
        alarm.cancel()
        link.close()
    return Outcome(status, "" if 200 <= status < 300 else f"The receiver answered {status}.")


@cache
def _trusting() -> ssl.SSLContext:
    """Return a context that trusts the certificate authorities of this machine; reading them takes long."""
    return ssl.create_default_context()


def _reason(error: Exception) -> str:
    return f"The request failed ({type(error).__name__}): {error}"
