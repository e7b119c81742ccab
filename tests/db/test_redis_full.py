"""A Redis without memory left refuses to write; with `noeviction` it forgets nothing instead."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from apps.api.services.admission import shared_counter
from apps.api.throttle import Throttle
from apps.matches import events
from spai import broker
from spai.stack.temporary import TemporaryServers


@pytest.fixture
def full() -> Iterator[str]:
    """The address of a Redis that refuses to write."""
    with TemporaryServers("spai-full-redis-") as running:
        address = running.start_redis()
        with redis.Redis.from_url(address) as client:
            client.config_set("maxmemory", 1)
        yield address


def test_with_a_full_redis_the_limit_holds_in_each_process(full):
    throttle = Throttle(shared_counter(full))
    asked = [throttle.admit("a", policy="p", limit=3, cost=1, now=time.time()).allowed for _ in range(5)]
    assert asked == [True, True, True, False, False]


def test_with_a_full_redis_a_wake_up_is_left_to_the_timetable(full, monkeypatch, caplog):
    sender = Celery("sender", set_as_current=False)
    sender.conf.update(broker.celery_settings(full))
    monkeypatch.setattr(events, "current_app", sender)
    with sender, caplog.at_level(logging.WARNING):
        events._send(("api.run_jobs",))
    assert "'maxmemory'" in caplog.text
    assert "the timetable will start it" in caplog.text
