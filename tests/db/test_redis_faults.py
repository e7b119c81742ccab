"""A Redis that is frozen, or without memory left: with `noeviction` it then refuses to write and forgets nothing."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator

import pytest
import redis

from apps.api.services.admission import shared_counter
from apps.api.throttle import Throttle
from apps.matches import events
from spai import broker
from spai.celery import App
from spai.stack.temporary import TemporaryServers


@pytest.fixture
def server() -> Iterator[TemporaryServers]:
    """A Redis, which is the only one of its servers."""
    with TemporaryServers("spai-redis-faults-") as running:
        running.address = running.start_redis()
        yield running
        running.processes[0].send_signal(signal.SIGCONT)


@pytest.fixture
def full(server) -> str:
    """The address of a Redis that refuses to write."""
    with redis.Redis.from_url(server.address) as client:
        client.config_set("maxmemory", 1)
    return server.address


@pytest.fixture
def sender(server, monkeypatch) -> Iterator[App]:
    """What sends wake-ups to the Redis."""
    with App("sender", set_as_current=False) as app:
        app.conf.update(broker.celery_settings(server.address))
        monkeypatch.setattr(events, "current_app", app)
        yield app
        # Its connections alone: other tests use the pools of the site's app again.
        app.pool.force_close_all()


def test_with_a_full_redis_the_limit_holds_in_each_process(full):
    throttle = Throttle(shared_counter(full))
    asked = [throttle.admit("a", policy="p", limit=3, cost=1, now=time.time()).allowed for _ in range(5)]
    assert asked == [True, True, True, False, False]


def test_with_a_full_redis_a_wake_up_is_left_to_the_timetable(full, sender, caplog):
    with caplog.at_level(logging.WARNING):
        events._send(("api.run_jobs",))
    assert "'maxmemory'" in caplog.text
    assert "the timetable will start it" in caplog.text


def test_with_a_frozen_redis_a_wake_up_is_given_up_and_left_to_the_timetable(server, sender, monkeypatch, caplog):
    monkeypatch.setattr(broker, "SEND_SECONDS", 0.2)
    with caplog.at_level(logging.WARNING):
        events._send(("api.run_jobs",))
        assert caplog.text == ""
        server.processes[0].send_signal(signal.SIGSTOP)
        events._send(("api.run_jobs",))
    assert "the timetable will start it" in caplog.text


@pytest.mark.parametrize("address", ["redis://a/0", "redis+sentinel://a,b/main/0"])
def test_who_sends_gives_up_sooner_than_a_worker_that_waits_for_messages(address):
    sender = App("sender", set_as_current=False)
    sender.conf.update(broker.celery_settings(address))
    both = (sender.connection_for_write(), sender.connection_for_read())
    sends, waits = (each.transport_options["socket_timeout"] for each in both)
    assert sends == broker.SEND_SECONDS < waits
