"""Whose limit a request counts against, and whether it is admitted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.api.models import ApiKey
from apps.api.throttle import WINDOW, Admission, Throttle
from apps.matches import redis_addresses

REDIS_SECONDS: Final = 0.2
"""Longest wait for Redis; it stands between a client and its response."""


def admit(client: ApiKey | str, *, cost: int = 1, now: datetime) -> Admission:
    """Admit or refuse a request of a key, or of an address where there is no key.

    Parameters
    ----------
    client : ApiKey or str
        The key, or what `address_of` returned.
    cost : int
        As how many requests this one counts.
    now : datetime
        Aware.
    """
    name, policy, limit = _limit_of(client)
    return _throttle().admit(name, policy=policy, limit=limit, cost=cost, now=now.timestamp())


def admit_leased(client: ApiKey | str, *, now: datetime) -> Admission | None:
    """Admit a request without a round trip; None where `admit` would make one, or would refuse the request."""
    name, policy, limit = _limit_of(client)
    return _throttle().admit_leased(name, policy=policy, limit=limit, now=now.timestamp())


def _limit_of(client: ApiKey | str) -> tuple[str, str, int]:
    """Return the name of a client's count, the name of its limit, and the limit in requests per minute."""
    if isinstance(client, ApiKey):
        own = client.requests_per_minute
        return f"key:{client.prefix}", "key", settings.SPAI_LIMIT_KEY if own is None else own
    return f"address:{client}", "anonymous", settings.SPAI_LIMIT_ANONYMOUS


def address_of(meta: Mapping[str, Any]) -> str | None:
    """Return the address that a request comes from, for IPv6 the /64 network, which belongs to one customer.

    The last `SPAI_PROXIES` addresses of X-Forwarded-For were added by our proxies; a client can forge those before
    them.

    Parameters
    ----------
    meta : mapping
        The environ of WSGI, or `HttpRequest.META`.
    """
    direct = meta.get("REMOTE_ADDR", "")
    if settings.SPAI_PROXIES:
        passed = [*meta.get("HTTP_X_FORWARDED_FOR", "").split(","), direct]
        if len(passed) > settings.SPAI_PROXIES and (claimed := _normal(passed[-1 - settings.SPAI_PROXIES].strip())):
            return claimed
    return _normal(direct)


@lru_cache(4096)
def _normal(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False).network_address)
    return str(address)


@cache
def _throttle() -> Throttle:
    return Throttle(shared_counter(settings.REDIS_URL))


def shared_counter(address: str) -> Any:
    """Return the function that adds to a counter in a Redis, for `Throttle`."""
    client = redis_addresses.client(
        address,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )

    def add(name: str, amount: int) -> int:
        with client.pipeline(transaction=False) as commands:
            commands.incrby(f"spai:requests:{name}", amount)
            commands.expire(f"spai:requests:{name}", 2 * WINDOW)
            total: int = commands.execute()[0]
        return total

    return add
