"""A node is killed, frozen or cut off while the site is in use: what readers, writers and listeners notice of it."""

from __future__ import annotations

from collections import Counter

import pytest

pytestmark = [pytest.mark.ha, pytest.mark.timeout(7200), pytest.mark.enable_socket]

WRITES_AGAIN = 30.0
"""Seconds within which writes are acknowledged again."""
NOTICED = 10.0
"""Seconds within which a fault is noticed; a request that is sent before may be under way to what is not there."""


def test_reads_go_on(seen):
    moments = [seen.began, seen.ended]
    others = [
        failure
        for failure in seen.found["failures"]
        if not any(moment - failure["seconds"] <= failure["began"] <= moment + NOTICED for moment in moments)
    ]
    assert others == []
    assert seen.found["answered"] > 100


def test_writes_are_acknowledged_again_in_time(seen):
    assert max(seen.found["pauses"].values()) < WRITES_AGAIN, seen.found["pauses"]


def test_no_acknowledged_row_is_lost(seen):
    assert set(seen.acknowledged("posted", "submitted")) - set(seen.found["jobs"]) == set()
    assert set(seen.acknowledged("published")) - set(seen.found["events"]) == set()


def test_every_job_ends_once_and_is_announced_once(seen):
    jobs = seen.found["jobs"]
    assert {jobs[job] for job in seen.acknowledged("submitted")} == {"succeeded"}
    # The competition that they name does not exist.
    assert {jobs[job] for job in seen.acknowledged("posted")} == {"failed"}
    assert seen.found["results"] == list(jobs.values()).count("succeeded")
    assert Counter(seen.found["announced"]) == Counter(jobs.keys())
    assert set(seen.found["received"]) == set(jobs), seen.found["undelivered"]


def test_every_event_is_numbered_once_and_every_client_gets_it_once(seen):
    begin, numbers = seen.found["begin"], seen.found["numbers"]
    assert numbers == list(range(begin + 1, begin + len(numbers) + 1))
    assert len(numbers) == len(set(seen.found["events"])) >= len(seen.acknowledged("published"))
    assert [client for client in seen.found["clients"] if client != numbers] == []
