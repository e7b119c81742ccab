"""The broker of Celery, Redis or RabbitMQ: its settings, and how many messages wait in it."""

from __future__ import annotations

import ssl
import time
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import orjson
from amqp.exceptions import NotFound
from kombu import Connection, Queue

from apps.matches import redis_addresses

QUEUES: Final = ("scrape", "ml", "forecast", "jobs", "webhooks", "default")
"""Queues of the workers, each of which executes one task at a time.

`scrape` fetches pages. `ml` has what may take an hour and can wait as long: pipeline runs, their mirror in MLflow,
drift, retention. `forecast` has what uses the champion. `jobs` and `webhooks` have what other programs ask for, which
neither waits for the work of SPAI itself nor holds it up. `default` has tasks that end within a minute, so that scrape
runs are requested and results graded whatever the other queues do.
"""
SENT_AT: Final = "sent_at"
"""Header of a message: when it was sent, seconds since 1970, by which the age of a queue is known."""
HARD_LIMIT: Final = 3600
"""Longest hard time limit of a task, in seconds; a message is redelivered after twice that time.

A pipeline run takes longer: its message is acknowledged at once and never redelivered.
"""
DELIVERIES: Final = 20
"""Deliveries after which RabbitMQ drops a message whose workers die of it; the rows that it is about stay due."""
CONNECT_SECONDS: Final = 1
SEND_SECONDS: Final = 2
"""Longest wait for a broker that is frozen; a request or task that sends a message waits as long."""
HEARTBEAT_SECONDS: Final = 20
"""RabbitMQ gives the messages of a worker that has been silent for twice that time to others."""
QUEUE_ARGUMENTS: Final = {
    # On several nodes, and on a majority of them before a message counts as sent.
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERIES,
    # In RabbitMQ 3.12 and newer, milliseconds; an older one has it in its configuration, as `consumer_timeout`.
    "x-consumer-timeout": 2 * HARD_LIMIT * 1000,
}
AT_ONCE: Final[dict[str, Any]] = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
"""Without a broker, sending a task must fail at once; the timetable sends it again."""


def is_redis(address: str) -> bool:
    """Whether a broker is a Redis."""
    return urlsplit(address).scheme in redis_addresses.SCHEMES


def is_rabbitmq(address: str) -> bool:
    """Whether a broker is a RabbitMQ; several nodes are written with a semicolon between their addresses."""
    return urlsplit(address).scheme in ("amqp", "amqps")


def celery_settings(address: str) -> dict[str, Any]:
    """Return Celery's settings for a broker, by their names in lower case.

    Parameters
    ----------
    address : str
        As `redis_addresses` has them, or ``amqp://`` or ``amqps://``, or any other that kombu knows.

    Raises
    ------
    ValueError
        When an address of Redis is none.
    """
    if is_redis(address):
        settings = _redis_settings(address)
    else:
        settings = _rabbitmq_settings(address) if is_rabbitmq(address) else {"broker_url": address}
    # Celery prefers the variable CELERY_BROKER_URL as it stands, which kombu may not understand, to `broker_url`.
    return settings | {f"broker_{use}_url": settings["broker_url"] for use in ("read", "write")}


def sending_options(address: str) -> dict[str, Any]:
    """Return the options of connections that only send, and so wait no longer than `SEND_SECONDS`.

    Those of a worker wait for messages, and lose their tasks when they end.
    """
    if is_redis(address) or urlsplit(address).scheme == "sentinel":  # kombu's name for Sentinel
        return {"socket_timeout": SEND_SECONDS}
    return {"read_timeout": SEND_SECONDS, "write_timeout": SEND_SECONDS} if is_rabbitmq(address) else {}


def _redis_settings(address: str) -> dict[str, Any]:
    found = redis_addresses.parse(address)
    options = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": 30,
        "visibility_timeout": 2 * HARD_LIMIT,
        # How often, in seconds, a worker looks for messages whose timeout is over.
        "unacked_restore_interval": 60,
        "unacked_restore_throttle": 1,
        **AT_ONCE,
    }
    tls: dict[str, Any] = {}
    if found.tls is not None:
        checks = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
        needs = checks[found.tls.get("ssl_cert_reqs", "required")]
        tls = {"broker_use_ssl": {**found.tls, "ssl_cert_reqs": needs}}
    if not found.service:
        # Without its query, from which kombu would read the options of TLS once more.
        return {"broker_url": address.partition("?")[0], "broker_transport_options": options, **tls}
    # kombu takes the login of the servers from the address and the rest from options.
    login = urlsplit(address).netloc.rpartition("@")[0]
    places = (f"sentinel://{login}@{host}:{port}/{found.database}" for host, port in found.hosts)
    options |= {"master_name": found.service, "sentinel_kwargs": found.sentinel_options()}
    return {"broker_url": ";".join(places).replace("//@", "//"), "broker_transport_options": options, **tls}


def _rabbitmq_settings(address: str) -> dict[str, Any]:
    nodes = address.split(";")
    settings: dict[str, Any] = {
        "broker_url": ";".join(node.partition("?")[0] for node in nodes),
        # A message is sent when a majority of the nodes has stored it.
        "broker_transport_options": {"confirm_publish": True, **AT_ONCE},
        "broker_connection_timeout": CONNECT_SECONDS,
        "broker_heartbeat": HEARTBEAT_SECONDS,
        "task_queues": [Queue(name, routing_key=name, queue_arguments=QUEUE_ARGUMENTS) for name in QUEUES],
    }
    if urlsplit(nodes[0]).scheme == "amqps":
        given = dict(parse_qsl(urlsplit(nodes[0]).query))
        names = {"ca_certs", "certfile", "keyfile"}
        files = {name: given[f"ssl_{name}"] for name in names if f"ssl_{name}" in given}
        host = {"server_hostname": urlsplit(nodes[0]).hostname} if len(nodes) == 1 else {}
        settings["broker_use_ssl"] = {"cert_reqs": ssl.CERT_REQUIRED, **files, **host}
    return settings


class Waiting(NamedTuple):
    """What waits in a queue."""

    messages: int
    age: float | None  # of the oldest message, in seconds, 0 for none; None where the broker does not report it


def waiting(address: str, *, timeout: float) -> dict[str, Waiting]:
    """Return what waits in each queue; empty for a broker that cannot be asked. Raises the errors of the broker."""
    if is_redis(address):
        times = {"socket_connect_timeout": timeout, "socket_timeout": timeout}
        with redis_addresses.client(address, **times) as client, client.pipeline(transaction=False) as pipeline:
            for queue in QUEUES:
                # Messages are put at the head and taken from the end.
                pipeline.llen(queue).lindex(queue, -1)
            answers = pipeline.execute()
        found = zip(QUEUES, answers[::2], answers[1::2], strict=True)
        return {queue: Waiting(length, _age(oldest)) for queue, length, oldest in found}
    if not is_rabbitmq(address):
        return {}
    settings = celery_settings(address)
    with Connection(
        settings["broker_url"], ssl=settings.get("broker_use_ssl", False), connect_timeout=timeout
    ) as connection:
        connection.ensure_connection(max_retries=1)
        return {queue: Waiting(_declared(connection, queue), None) for queue in QUEUES}


def _declared(connection: Any, queue: str) -> int:
    """Return the number of messages in a queue of RabbitMQ; 0 before its first worker has made it."""
    try:
        with connection.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)
    except NotFound:
        return 0


def _age(message: bytes | None) -> float:
    """Return the age of a message in seconds; 0 for none, and for one without a time of sending."""
    try:
        return max(time.time() - orjson.loads(message or b"")["headers"][SENT_AT], 0.0)
    except (ValueError, KeyError, TypeError):
        return 0.0
