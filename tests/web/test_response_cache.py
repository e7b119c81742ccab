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
from django.utils import timezone
from prometheus_client import REGISTRY

from apps.api import services
from apps.api.rest.access import access_to_cached
from spai.buffering import ResponseCache
from spai.buffering.response_cache import CACHE_PERMISSION
from spai.buffering.wsgi import call, environ_of
from spai.request_metrics import count
from tests.pure.test_buffering import Client as AsgiClient
from tests.web.conftest import NOON, made_now


def admit(scope):
    """Do what `spai.front` does, which no test can import: it starts a process."""
    return access_to_cached({name: value for name, value in environ_of(scope).items() if name in META})


META = ("REMOTE_ADDR", "HTTP_AUTHORIZATION", "HTTP_X_API_KEY")
ID = re.compile(r"[0-9a-f]{32}")


class Site:
    """The Django application with cached responses in front of it, in this thread."""

    def __init__(self) -> None:
        self.kept = ResponseCache(lambda: True, admit=admit, sent=count, clock=NOON.timestamp)
        self.django = WSGIHandler()

    def scope(self, path, **headers):
        scope = AsgiClient(path=path, headers=[("Host", "localhost"), *headers.items()]).scope
        scope["path"], _, query = path.partition("?")
        return scope | {"raw_path": scope["path"].encode(), "query_string": query.encode()}

    def slow(self, path, **headers):
        scope = self.scope(path, **headers)
        environ = environ_of(scope) | {"wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
        stamp = self.kept.stamp(scope)
        response = call(self.django, environ)
        self.kept.store(scope, environ, response, stamp)
        self.keep = environ.get(CACHE_PERMISSION)
        return response

    def fast(self, path, **headers):
        scope = self.scope(path, **headers)
        return self.kept.find(scope, self.kept.stamp(scope))


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
    assert site.kept.find(scope, site.kept.stamp(scope)) is None


@pytest.fixture
def token(db):
    return services.create_key(name="Ada", scopes=["read"], created_by="ada", now=timezone.now()).token


def test_a_key_is_checked_and_counted_as_django_does(site, path, token, settings):
    settings.SPAI_LIMIT_KEY = 1600
    key = {"Authorization": f"Bearer {token}"}
    made = site.slow(path, **key)
    sent = site.fast(path, **key)
    left = [int(re.search(r"r=(\d+)", dict(response.headers)["RateLimit"])[1]) for response in (made, sent)]
    assert left == [1599, 1598]
    same = [{**dict(response.headers), "RateLimit": "", "X-Request-ID": ""} for response in (made, sent)]
    assert same[0] == same[1]
    assert same[0]["Cache-Control"] == "no-cache, private"


def test_who_must_be_refused_is_left_to_django(site, path, token, settings):
    site.slow(path)
    prefix = services.find_key(token, now=timezone.now()).prefix
    assert site.fast(path) is not None
    assert site.fast(path, Authorization=f"Bearer spai_{prefix}_{'0' * 64}") is None
    assert site.fast(path, Authorization="Basic YTpi") is None
    assert site.fast(path, Authorization=f"Bearer {token}") is None  # its use is to be recorded
    site.slow(path, Authorization=f"Bearer {token}")
    assert site.fast(path, Authorization=f"Bearer {token}") is not None
    settings.SPAI_ANONYMOUS_API = False
    assert site.fast(path) is None
    settings.SPAI_LIMIT_KEY = 2
    answers = [site.fast(path, Authorization=f"Bearer {token}") for _ in range(3)]
    assert answers[-1] is None
    services.revoke_key(key=services.find_key(token, now=timezone.now()), by="ada", now=timezone.now())
    services.forget_key(prefix)
    assert site.fast(path, Authorization=f"Bearer {token}") is None
