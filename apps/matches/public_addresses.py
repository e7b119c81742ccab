"""Addresses that a stranger may name and this machine may connect to: public ones, never those inside the network.

`checked_target` looks a name up once and checks every address behind it; `connect` then connects to one of these
addresses and does not look the name up again. Otherwise a name could show a public address to the check and an internal
one to the connection (DNS rebinding). A caller that follows a redirect has to check its target again.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

LONGEST: Final = 1000
"""Characters of an address."""

PORTS: Final = frozenset({80, 443})
"""Ports that are not named in the list of allowed hosts."""

LOOK_UP_SECONDS: Final = 10.0
"""Longest look-up of a name, unless a caller says less: a stranger may run the server that answers for it."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LookUp = Callable[[str], Sequence[str]]

_LABEL: Final = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""The last part of a name that some systems read as an IPv4 address, in decimal, octal or hexadecimal."""

_GLOBAL_6: Final = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is routed between networks."""

_CARRIED: Final = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "::/96", "64:ff9b::/96")))
"""Prefixes of IPv6 addresses that carry an IPv4 address in their last 32 bits: mapped, compatible, NAT64."""

_TUNNELS: Final = tuple(map(ipaddress.IPv6Network, ("2002::/16", "2001::/23")))
"""6to4, Teredo and other tunnels, which end at an address inside another one."""


class AddressRefusedError(ValueError):
    """The address must not be connected to; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """An http or https address that was checked, with the network addresses behind its name.

    `path` has the query; `authority` is the value of the header `Host`.
    """

    scheme: str
    host: str
    port: int
    authority: str
    path: str
    addresses: tuple[str, ...]


def addresses_of(host: str) -> Sequence[str]:
    """Return the network addresses of a name, by the resolver of this machine.

    Raises
    ------
    OSError
        When the name has none.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def addresses_in_time(host: str, *, seconds: float = LOOK_UP_SECONDS) -> Sequence[str]:
    """Return the network addresses of a name; the resolver itself has no time limit that can be set.

    Raises
    ------
    OSError
        When the name has none; TimeoutError after `seconds`.
    """
    answers: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answers.put(addresses_of(host))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    # Not joined: a resolver that hangs ends by itself some time later.
    threading.Thread(target=resolve, name=f"resolve {host}", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"{host} was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def checked_target(url: str, *, allowed: Iterable[str] = (), look_up: LookUp = addresses_in_time) -> Target:
    """Return where an address leads, once it was checked.

    Parameters
    ----------
    url : str
    allowed : iterable of str
        Names of hosts, with or without a port, and networks such as ``10.0.0.0/8``, that are allowed whatever they are,
        over http and on every port too.
    look_up : callable
        Returns the network addresses of a name; raises OSError.

    Raises
    ------
    AddressRefusedError
        When the address is malformed or carries a user name, is not https, names a port other than 80 and 443, or its
        host has no address, or one that is not public.
    """
    scheme, host, port, path = _parts(url)
    literal = _literal(host)
    try:
        texts = (str(literal),) if literal is not None else tuple(look_up(host))
        addresses = [ipaddress.ip_address(text) for text in texts]
    except (OSError, ValueError, UnicodeError) as error:
        raise AddressRefusedError(f"The host {host} cannot be found.") from error
    if not addresses:
        raise AddressRefusedError(f"The host {host} cannot be found.")
    if not _is_allowed(host, port, addresses, allowed):
        if scheme != "https":
            raise AddressRefusedError("The address must begin with https://.")
        if port not in PORTS:
            raise AddressRefusedError("The port must be 443 or 80.")
        if not all(map(is_public, addresses)):
            raise AddressRefusedError(f"The host {host} is not on the public internet.")
    shown = f"[{host}]" if ":" in host else host
    is_usual = port == {"http": 80, "https": 443}[scheme]
    return Target(scheme, host, port, shown if is_usual else f"{shown}:{port}", path, texts)


def may_connect(host: str, port: int, addresses: Iterable[str], *, allowed: Iterable[str] = ()) -> bool:
    """Whether this machine may connect to a name that leads to these addresses: all public, or allowed.

    For those who look names up and connect by themselves; parameters as for `checked_target`.
    """
    found = [ipaddress.ip_address(text) for text in addresses]
    return _is_allowed(host, port, found, allowed) or all(map(is_public, found))


def is_public(address: Address) -> bool:
    """Whether an address belongs to one host of the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _CARRIED):
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _GLOBAL_6 or any(address in network for network in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def connect(target: Target, *, timeout: float) -> socket.socket:
    """Return a connection to one of the addresses that were checked.

    Raises
    ------
    OSError
        When none of them accepts one within `timeout` seconds.
    """
    end = time.monotonic() + timeout
    failure = OSError("the host has no address")
    for address in target.addresses:
        try:
            # A numeric address is not looked up.
            return socket.create_connection((address, target.port), timeout=max(0.1, end - time.monotonic()))
        except OSError as error:
            failure = error
        if time.monotonic() >= end:
            break
    raise failure


def _parts(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port, and path with query."""
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or any(char in url for char in " \\"):
        raise AddressRefusedError(
            f"The address must have at most {LONGEST} visible ASCII characters; write other names in their xn-- form."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefusedError("This is not an address.") from error
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme not in ("http", "https") or not host:
        raise AddressRefusedError("The address must begin with https:// and name a host.")
    if "@" in parts.netloc:
        raise AddressRefusedError("The address must not carry a user name or a password.")
    if port == 0:
        raise AddressRefusedError("This is not an address.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or {"http": 80, "https": 443}[parts.scheme], path


def _literal(host: str) -> Address | None:
    """Return the network address that a host is written as; None for a name."""
    try:
        if "%" not in host:
            return ipaddress.ip_address(host)
    except ValueError:
        pass
    if not _NAME.fullmatch(host) or len(host) > 253 or _NUMERIC.fullmatch(host.rpartition(".")[2]):
        raise AddressRefusedError("The host must be a name, or a network address in its usual form.")
    return None


def _is_allowed(host: str, port: int, addresses: Sequence[Address], allowed: Iterable[str]) -> bool:
    networks = []
    for entry in allowed:
        if entry.lower() in (host, f"{host}:{port}"):
            return True
        try:
            networks.append(ipaddress.ip_network(entry))
        except ValueError:
            continue
    return all(any(address in network for network in networks) for address in addresses)
