"""Responses that are sent again from memory: which requests get them, and when they end."""

from __future__ import annotations

import asyncio

import pytest

from spai.buffering import BufferedApplication, ResponseCache
from spai.buffering.response_cache import CACHE_PERMISSION, OVERHEAD
from spai.buffering.wsgi import WsgiResponse
from tests.pure.test_buffering import Client

HEADERS = [
    ("Content-Type", "application/json"),
    ("Allow", "GET, HEAD, OPTIONS"),
    ("Cache-Control", "no-cache"),
    ("ETag", '"one"'),
    ("X-Request-ID", "0" * 32),
    ("Content-Length", "4"),
]


class Site:
    """Cached responses whose surroundings a test sets."""

    def __init__(self, **options) -> None:
        self.now, self.is_current, self.sent = 1000.0, True, []
        self.added = [("Cache-Control", "no-cache")]
        self.kept = ResponseCache(
            lambda: self.is_current,
            admit=lambda scope: self.added,
            sent=lambda *about: self.sent.append(about[:3]),
            clock=lambda: self.now,
            **options,
        )

    def store(self, path="/m/1", *, about="1", until=2000.0, body=b"body", response=None, stamp=0, headers=()):
        scope = Client(path=path, headers=headers).scope
        response = response or WsgiResponse(200, HEADERS, body)
        self.kept.store(scope, {CACHE_PERMISSION: (about, until, "match-prediction")}, response, stamp)

    def find(self, path="/m/1", *, headers=(), method="GET"):
        scope = Client(method=method, path=path, headers=headers).scope
        return self.kept.find(scope, self.kept.stamp(scope))

    def stamp(self):
        return self.kept.stamp(Client().scope)


def test_an_equal_request_gets_the_response_with_an_id_of_its_own():
    site = Site()
    site.store()
    first, second = site.find(), site.find()
    assert (first.status, first.body) == (200, b"body")
    own = {name: value for name, value in first.headers if name == "X-Request-ID"}
    assert own != {name: value for name, value in second.headers if name == "X-Request-ID"}
    assert dict(first.headers) | {"X-Request-ID": "0" * 32} == dict(HEADERS)
    assert site.sent == [("match-prediction", 200, 4)] * 2


@pytest.mark.parametrize("given", ['"one"', 'W/"one"', '"two", "one"', "*"])
def test_who_has_the_content_gets_304_without_it(given):
    site = Site()
    site.store()
    found = site.find(headers=[("If-None-Match", given)])
    assert (found.status, found.body) == (304, b"")
    assert {name for name, _ in found.headers} == {"Cache-Control", "ETag", "X-Request-ID", "Content-Length"}


@pytest.mark.parametrize("given", ['"two"', '"on"', "one", ""])
def test_who_has_other_content_gets_it_whole(given):
    site = Site()
    site.store()
    assert site.find(headers=[("If-None-Match", given)]).body == b"body"


@pytest.mark.parametrize("header", ["Host", "Accept", "Accept-Encoding", "Origin", "X-Forwarded-Proto"])
def test_what_the_response_may_depend_on_has_a_response_of_its_own(header):
    site = Site()
    site.store(headers=[(header, "a")])
    assert site.find(headers=[(header, "b")]) is None
    assert site.find() is None
    assert site.find(headers=[(header, "a"), ("User-Agent", "any")]) is not None


@pytest.mark.parametrize(
    "header",
    ["If-Match", "If-Modified-Since", "If-Unmodified-Since", "Range", "Content-Length", "Expect", "X-Request-ID"],
)
def test_a_request_with_rules_of_its_own_is_left_to_the_application(header):
    site = Site()
    site.store()
    assert site.find(headers=[(header, "1")]) is None


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "DELETE"])
def test_another_method_is_left_to_the_application(method):
    site = Site()
    site.store()
    assert site.find(method=method) is None


@pytest.mark.parametrize(
    "response",
    [
        WsgiResponse(404, HEADERS, b"body"),
        WsgiResponse(304, HEADERS, b""),
        WsgiResponse(200, HEADERS, stream=object()),
        WsgiResponse(200, HEADERS, b"bo", OSError()),
        WsgiResponse(200, [*HEADERS, ("Set-Cookie", "a=1")], b"body"),
        WsgiResponse(200, [pair for pair in HEADERS if pair[0] != "ETag"], b"body"),
    ],
)
def test_only_a_whole_answer_for_everybody_is_kept(response):
    site = Site()
    site.store(response=response)
    assert len(site.kept) == 0


def test_nothing_is_kept_that_the_application_does_not_permit():
    site = Site()
    site.kept.store(Client().scope, {}, WsgiResponse(200, HEADERS, b"body"), 0)
    assert len(site.kept) == 0


def test_a_change_ends_the_responses_about_it_and_no_others():
    site = Site()
    site.store("/m/1")
    site.store("/m/1", headers=[("Accept", "a")])
    site.store("/m/2", about="2")
    site.kept.drop({"1", "9"})
    assert (site.find("/m/1"), len(site.kept)) == (None, 1)
    site.kept.drop(None)
    assert site.find("/m/2") is None


def test_a_response_that_was_being_made_during_a_change_is_not_kept():
    site = Site()
    stamp = site.stamp()
    site.kept.drop({"1"})
    site.store(stamp=stamp)
    assert len(site.kept) == 0


def test_while_changes_cannot_be_followed_nothing_is_sent_or_kept():
    site = Site()
    site.store()
    site.is_current = False
    assert site.find() is None
    assert site.stamp() is None
    site.store("/m/2", stamp=site.stamp())
    assert len(site.kept) == 1


def test_a_response_ends_at_its_moment():
    site = Site()
    site.store(until=1500.0)
    site.now = 1499.9
    assert site.find() is not None
    site.now = 1500.0
    assert site.find() is None
    assert len(site.kept) == 0


def test_memory_is_bounded_and_what_was_sent_lately_stays():
    site = Site(limit=3 * (OVERHEAD + 4))
    for number in range(3):
        site.store(f"/m/{number}", about=str(number))
    site.find("/m/0")
    site.store("/m/3", about="3")
    assert [site.find(f"/m/{number}") is not None for number in range(4)] == [True, False, True, True]
    site.store("/m/4", body=b"x" * 10_000)
    assert len(site.kept) == 0


@pytest.mark.parametrize("header", ["Accept", "Accept-Encoding", "Origin", "X-Forwarded-Proto"])
def test_a_request_with_a_long_header_is_left_to_the_application(header):
    site, headers = Site(), [(header, "a" * 50_000)]
    site.store(headers=headers)
    assert (len(site.kept), site.find(headers=headers)) == (0, None)


def test_storing_again_replaces_and_does_not_count_twice():
    site = Site(limit=2 * (OVERHEAD + 4))
    for _ in range(5):
        site.store()
    site.store("/m/2", about="2")
    assert len(site.kept) == 2


def test_a_request_that_is_not_admitted_is_left_to_the_application_and_one_that_is_gets_headers():
    site = Site()
    site.store(response=WsgiResponse(200, [*HEADERS, ("RateLimit", "of another")], b"body"))
    site.added = [("RateLimit", "its own")]
    assert [value for name, value in site.find().headers if name == "RateLimit"] == ["its own"]
    site.added = None
    assert site.find() is None


def test_the_application_is_asked_once_for_many_equal_requests():
    asked = []

    def application(environ, start_response):
        asked.append(environ["PATH_INFO"])
        environ[CACHE_PERMISSION] = ("1", 2e9, "view")
        start_response("200 OK", HEADERS)
        return [b"body"]

    kept = ResponseCache(lambda: True, admit=lambda scope: [], sent=lambda *about: None)
    front = BufferedApplication(application, threads=1, cache=kept)

    async def ask_three_times():
        clients = [Client(path="/m/1") for _ in range(3)]
        for client in clients:
            await client.ask(front)
        return [b"".join(message.get("body", b"") for message in client.sent) for client in clients]

    assert asyncio.run(ask_three_times()) == [b"body"] * 3
    assert asked == ["/m/1"]
