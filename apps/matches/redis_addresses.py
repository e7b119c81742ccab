"""Addresses of Redis: one server, over TLS, or a service that Sentinel watches.

=============================================================  =======================================================
``redis://[user:password@]host[:port]/0``                       one server
``rediss://…?ssl_ca_certs=/path``                               one server over TLS; its certificate is checked
``redis+sentinel://[user:password@]a[:port],b[:port]/name/0``   the service `name`, as the Sentinels a and b report it
``rediss+sentinel://…``                                         the same, over TLS to the servers and to the Sentinels
=============================================================  =======================================================

The database at the end may be left out. Options follow as a query: `TLS_OPTIONS`, and
``sentinel_username`` and ``sentinel_password`` for Sentinels that ask for a login.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

SCHEMES: Final = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
PORT: Final = 6379
SENTINEL_PORT: Final = 26379
TLS_OPTIONS: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
"""Files of the authority, of the own certificate and its key; `required`, `optional` or `none`; `true` or `false`."""
SENTINEL_SECONDS: Final = 1.0
"""Longest wait for one Sentinel; then the next is asked."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """An address of Redis, taken apart."""

    hosts: tuple[tuple[str, int], ...]  # the server, or the Sentinels
    service: str = ""  # name of the service at the Sentinels; empty for one server
    login: dict[str, str] = field(default_factory=dict)  # `username` and `password`, as far as they are given
    sentinel_login: dict[str, str] = field(default_factory=dict)
    database: int = 0
    tls: dict[str, Any] | None = None  # options of redis-py; None without TLS

    def pool(self, **options: Any) -> redis.ConnectionPool:
        """Return a pool of connections with these options of redis-py."""
        more: dict[str, Any] = {"db": self.database, **self.login, **options}
        if not self.service:
            ((host, port),) = self.hosts
            if self.tls is not None:
                more |= {"connection_class": redis.SSLConnection, **self.tls}
            return redis.ConnectionPool(host=host, port=port, **more)
        if self.tls is not None:
            more |= {"ssl": True, **self.tls}
        login = self.sentinel_options(**options)
        return SentinelConnectionPool(self.service, Sentinel(self.hosts, sentinel_kwargs=login), **more)

    def sentinel_options(self, **options: Any) -> dict[str, Any]:
        """Return the options of connections to the Sentinels, which wait no longer than those to the servers."""
        waits = {
            name: min(SENTINEL_SECONDS, options.get(name) or SENTINEL_SECONDS)
            for name in ("socket_timeout", "socket_connect_timeout")
        }
        # One that does not answer is not asked again: there are others.
        once: dict[str, Any] = {"retry": Retry(NoBackoff(), 0)}
        return waits | once | self.sentinel_login | ({} if self.tls is None else {"ssl": True, **self.tls})


def parse(address: str) -> RedisAddress:
    """Take an address apart.

    Raises
    ------
    ValueError
        When it is none; the message says what is wrong and has no password in it.
    """
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"it must begin with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    with_tls, _, by_sentinel = parts.scheme.partition("+")
    login, _, places = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    hosts = tuple(_host(place, SENTINEL_PORT if by_sentinel else PORT) for place in places.split(","))
    path = [unquote(piece) for piece in parts.path.split("/") if piece]
    if by_sentinel and not path:
        raise ValueError("the name of the service is missing: redis+sentinel://host:26379/name/0")
    if not by_sentinel and len(hosts) > 1:
        raise ValueError("it names several hosts; only redis+sentinel:// may")
    service = path.pop(0) if by_sentinel else ""
    query = dict(parse_qsl(parts.query))
    database = path[0] if path else "0"
    if len(path) > 1 or not database.isdigit():
        raise ValueError("the database at its end must be one number")
    tls: dict[str, Any] = {name: query.pop(name) for name in TLS_OPTIONS if name in query}
    if tls.get("ssl_cert_reqs", "required") not in ("required", "optional", "none"):
        raise ValueError("ssl_cert_reqs must be required, optional or none")
    if "ssl_check_hostname" in tls:
        tls["ssl_check_hostname"] = tls["ssl_check_hostname"].lower() == "true"
    if tls and with_tls != "rediss":
        raise ValueError("it has options of TLS; then it must begin with rediss")
    of_sentinels = {name: query.pop(f"sentinel_{name}", "") for name in ("username", "password")}
    if query:
        raise ValueError(f"the option {next(iter(query))!r} is not known")
    return RedisAddress(
        hosts=hosts,
        service=service,
        login=_given(username=unquote(user), password=unquote(password)),
        sentinel_login=_given(**of_sentinels),
        database=int(database),
        tls=tls if with_tls == "rediss" else None,
    )


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or port


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def client(address: str, **options: Any) -> redis.Redis:
    """Return a client, which closes its connections when it is closed, with these options of redis-py."""
    return redis.Redis.from_pool(parse(address).pool(**options))


class CachePool:
    """The pool that Django's cache makes of its `LOCATION`."""

    @staticmethod
    def from_url(address: str, **options: Any) -> redis.ConnectionPool:
        """Return the pool of an address."""
        return parse(address).pool(**options)
