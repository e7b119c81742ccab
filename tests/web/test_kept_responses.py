"""A forecast that is sent again from memory equals the one that Django would make: body, headers and counts."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from prometheus_client import REGISTRY

from spai.buffering import KeptResponses
from spai.buffering.kept import KEEP
from spai.buffering.wsgi import call, environ_of
from spai.request_metrics import count
from tests.pure.test_buffering import Client as AsgiClient
from tests.web.conftest import NOON, made_now

ID = re.compile(r"[0-9a-f]{32}")


class Site:
    """The Django application with kept responses in front of it, in this thread."""

    def __init__(self) -> None:
        self.kept = KeptResponses(lambda: True, admit=lambda scope: [], sent=count, clock=NOON.timestamp)
        self.django = WSGIHandler()

    def scope(self, path, **headers):
        scope = AsgiClient(path=path, headers=[("Host", "localhost"), *headers.items()]).scope
        scope["path"], _, query = path.partition("?")
        return scope | {"raw_path": scope["path"].encode(), "query_string": query.encode()}

    def slow(self, path, **headers):
        scope = self.scope(path, **headers)
        environ = environ_of(scope) | {"wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
        stamp = self.kept.stamp()
        response = call(self.django, environ)
        self.kept.store(scope, environ, response, stamp)
        self.keep = environ.get(KEEP)
        return response

    def fast(self, path, **headers):
        return self.kept.find(self.scope(path, **headers))


@pytest.fixture
def site(db) -> Iterator[Site]:
    # As Django's test client does, which the connection of the test belongs to.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield Site()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def comparable(response):
    headers = {name: ID.sub("an id", value) if name == "X-Request-ID" else value for name, value in response.headers}
    assert len(headers) == len(response.headers)
    return response.status, headers, response.body


@pytest.fixture
def path(build, champion):
    match = build.match()
    build.prediction(match, champion)
    return f"/api/v1/matches/{match.pk}/prediction/"


@pytest.mark.parametrize("query", ["", "?include=markets,scorelines,reasons", "?model=champion"])
def test_the_same_answer_comes_from_memory(site, path, query):
    made = site.slow(path + query)
    assert made.status == 200
    assert comparable(site.fast(path + query)) == comparable(made)


def test_so_does_304(site, path):
    etag = dict(site.slow(path).headers)["ETag"]
    made = site.slow(path, **{"If-None-Match": etag})
    assert made.status == 304
    assert comparable(site.fast(path, **{"If-None-Match": etag})) == comparable(made)


def counts() -> dict[tuple, float]:
    """Return all counts of requests and responses but the times."""
    found = {}
    for metric in REGISTRY.collect():
        if metric.name.startswith("django_http") and "latency" not in metric.name:
            for sample in metric.samples:
                if not sample.name.endswith("_created"):
                    found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def counted(ask) -> dict[tuple, float]:
    before = counts()
    ask()
    return {name: value - before.get(name, 0.0) for name, value in counts().items() if value != before.get(name, 0.0)}


def test_both_are_counted_alike(site, path):
    etag = dict(site.slow(path).headers)["ETag"]
    site.fast(path)
    site.fast(path, **{"If-None-Match": etag})
    for headers in ({}, {"If-None-Match": etag}):
        slow, fast = (counted(lambda way=way, headers=headers: way(path, **headers)) for way in (site.slow, site.fast))
        assert slow == fast
        assert slow["django_http_responses_total_by_status_view_method_total", ("method", "GET"),
                    ("status", str(304 if headers else 200)), ("view", "match-prediction")] == 1.0  # fmt: skip


def test_an_answer_ends_at_the_kick_off_at_which_it_is_frozen(site, build, champion):
    soon, later = (build.match(f"Club {n}", kickoff_at=build.now + timedelta(minutes=n)) for n in (2, 20))
    for match, minutes in ((soon, 2), (later, 5)):
        build.prediction(match, champion, before_kickoff=timedelta(minutes=30))
        site.slow(f"/api/v1/matches/{match.pk}/prediction/")
        about, until, view = site.keep
        assert (about, view) == (str(match.pk), "match-prediction")
        assert until == (build.now + timedelta(minutes=minutes)).timestamp()


def test_what_was_made_for_the_request_or_refused_is_not_kept(site, build, champion, path, monkeypatch):
    from apps.ml import services as ml_services

    monkeypatch.setattr(ml_services, "forecast", lambda match_id, *, now: made_now(champion, match_id, now))
    live = build.match("Oldgate", "Westham", kickoff_at=build.now + timedelta(days=40))
    for address in (
        f"/api/v1/matches/{live.pk}/prediction/",
        f"{path}?include=everything",
        "/api/v1/matches/999/prediction/",
        "/api/v1/matches/",
    ):
        site.slow(address)
        assert site.keep is None
    assert len(site.kept) == 0


def test_a_host_that_is_refused_is_refused_though_another_has_the_answer(site, path):
    site.slow(path)
    scope = site.scope(path)
    scope["headers"] = [(b"host", b"elsewhere.example")]
    assert site.kept.find(scope) is None
