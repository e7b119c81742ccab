"""Limits of requests: exact over processes and threads, with few round trips, and without a shared counter, too."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import ConnectionError as RedisGoneError

from apps.api import throttle
from apps.api.throttle import ALONE_SECONDS, WINDOW, Throttle


class SharedCounter:
    """What Redis does, in memory; it can be stopped and lose what it counted."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.calls = 0
        self.is_gone = False
        self._lock = threading.Lock()

    def __call__(self, name: str, amount: int) -> int:
        with self._lock:
            self.calls += 1
            if self.is_gone:
                raise RedisGoneError
            self.counts[name] += amount
            return self.counts[name]


@pytest.fixture
def shared():
    return SharedCounter()


def admitted(one: Throttle, times: int, *, client: str = "a", limit: int = 100, cost: int = 1, now: float = 0.0) -> int:
    """How many of some requests at one moment are admitted."""
    answers = [one.admit(client, policy="key", limit=limit, cost=cost, now=now) for _ in range(times)]
    return sum(answer.allowed for answer in answers)


def test_as_many_are_admitted_as_the_limit_says_and_the_next_window_begins_anew(shared):
    one = Throttle(shared)
    assert admitted(one, 150) == 100
    reset = one.admit("a", policy="key", limit=100, cost=1, now=0.0).reset_seconds
    assert admitted(one, 1, now=reset - 0.001) == 0
    assert admitted(one, 150, now=float(reset)) == 100


def test_clients_do_not_share_a_limit_or_the_second_at_which_it_ends(shared):
    one = Throttle(shared)
    assert [admitted(one, 150, client=f"client {n}") for n in range(5)] == [100] * 5
    resets = {one.admit(f"client {n}", policy="key", limit=9, cost=1, now=0.0).reset_seconds for n in range(50)}
    assert len(resets) > 20
    assert resets <= set(range(1, WINDOW + 1))


@pytest.mark.parametrize("limit", [1, 7, 600])
def test_processes_and_threads_together_never_exceed_the_limit(shared, limit):
    processes = [Throttle(shared) for _ in range(4)]

    def one_thread(number: int) -> int:
        order = random.Random(number)
        return sum(admitted(order.choice(processes), 1, limit=limit) for _ in range(limit))

    with ThreadPoolExecutor(8) as threads:
        total = sum(threads.map(one_thread, range(8)))
    # What a process has leased and does not use is lost: at most one lease each.
    assert limit - 4 * (limit // throttle.LEASE_SHARE) <= total <= limit


def test_most_requests_cost_no_round_trip_and_refused_ones_none(shared):
    one = Throttle(shared)
    admitted(one, 6000, limit=6000)
    assert shared.calls < 200
    calls = shared.calls
    assert admitted(one, 1000, limit=6000) == 0
    assert shared.calls == calls


def test_a_costly_request_counts_as_several_and_leaves_the_rest_to_cheap_ones(shared):
    one = Throttle(shared)
    assert admitted(one, 100, limit=52, cost=5) == 10
    assert admitted(one, 100, limit=52, cost=1) == 2


def test_a_request_that_costs_more_than_the_limit_is_admitted_once_a_window(shared):
    one = Throttle(shared)
    assert admitted(one, 9, limit=4, cost=5) == 1
    assert admitted(one, 1, limit=4, cost=1) == 0


def test_what_is_left_goes_down_to_none(shared):
    one = Throttle(shared)
    left = [one.admit("a", policy="key", limit=40, cost=1, now=0.0).remaining for _ in range(42)]
    assert left == [*range(39, -1, -1), 0, 0]


def test_no_limit_asks_nobody(shared):
    answer = Throttle(shared).admit("a", policy="key", limit=0, cost=1, now=0.0)
    assert (answer.allowed, answer.headers, shared.calls) == (True, {}, 0)


def test_without_the_shared_counter_a_process_counts_alone_and_asks_again_after_a_while(shared):
    clock = [0.0]
    one = Throttle(shared, clock=lambda: clock[0])
    shared.is_gone = True
    assert admitted(one, 150) == 100
    assert shared.calls == 1
    clock[0] = ALONE_SECONDS + 1
    assert admitted(one, 5, client="b") == 5
    assert shared.calls == 2
    shared.is_gone = False
    clock[0] += ALONE_SECONDS + 1
    assert admitted(one, 150, client="c") == 100
    assert shared.calls > 3


def test_a_process_goes_on_from_what_it_knew_and_reports_what_it_counted_alone(shared):
    clock = [0.0]
    one, other = Throttle(shared, clock=lambda: clock[0]), Throttle(shared)
    assert admitted(one, 60) == 60
    shared.is_gone = True
    assert admitted(one, 10) == 10
    shared.is_gone = False
    clock[0] = ALONE_SECONDS + 1
    assert admitted(one, 10) == 10
    assert admitted(other, 100) <= 20


def test_a_counter_that_is_lost_gives_a_process_nothing_twice(shared):
    one = Throttle(shared)
    assert admitted(one, 90) == 90
    shared.counts.clear()
    assert admitted(one, 90) == 10


def test_one_thread_tries_a_counter_that_failed_while_the_others_go_on(shared):
    clock = [0.0]
    entered, going_on = threading.Event(), threading.Event()

    def slow(name: str, amount: int) -> int:
        if clock[0] == 0:
            raise RedisGoneError
        entered.set()
        going_on.wait(60)
        return shared(name, amount)

    one = Throttle(slow, clock=lambda: clock[0])
    admitted(one, 1)
    clock[0] = ALONE_SECONDS + 1
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(admitted, one, 1, client="b")
        assert entered.wait(60)
        assert admitted(one, 5, client="c") == 5
        going_on.set()
        assert first.result() == 1


def test_a_clock_that_goes_back_gives_a_new_window_only_after_a_long_way(shared):
    one = Throttle(shared)
    assert admitted(one, 150, now=1_000_000.0) == 100
    assert admitted(one, 150, now=1_000_000.0 - WINDOW) == 0
    assert admitted(one, 150, now=0.0) == 100


def test_many_addresses_are_forgotten_the_oldest_first(shared, monkeypatch):
    monkeypatch.setattr(throttle, "MOST_COUNTS", 100)
    one = Throttle(shared)
    for number in range(1000):
        admitted(one, 1, client=f"address {number}")
    assert len(one._counts) <= 100
    # What it used is counted where all processes count.
    assert admitted(one, 200, client="address 0", limit=100) == 100 - 100 // throttle.LEASE_SHARE


def test_the_headers_are_those_of_the_draft(shared):
    one = Throttle(shared)
    answer = one.admit("a", policy="anonymous", limit=2, cost=1, now=0.0)
    t = answer.reset_seconds
    assert answer.headers == {"RateLimit-Policy": '"anonymous";q=2;w=60', "RateLimit": f'"anonymous";r=1;t={t}'}
    admitted(one, 1, limit=2)
    refused = one.admit("a", policy="anonymous", limit=2, cost=1, now=0.0).headers
    assert (refused["RateLimit"], refused["Retry-After"]) == (f'"anonymous";r=0;t={t}', str(t))
