"""A stored forecast that is answered without Django's middlewares equals the answer of Django."""

from __future__ import annotations

import io
import sys
from datetime import timedelta

import pytest

from apps.matches.models import Match
from apps.ml import services as ml_services
from spai.buffering.response_cache import CACHE_PERMISSION
from spai.buffering.wsgi import call, environ_of
from spai.direct import StoredForecasts
from tests.web.conftest import made_now
from tests.web.test_response_cache import Site, comparable, counted, site, token

__all__ = ["site", "token"]  # fixtures


class Direct:
    """A site with `StoredForecasts` in front; it counts what Django answers."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.application = StoredForecasts(self._django)
        self.asked = 0

    def _django(self, environ, start_response):
        self.asked += 1
        return self._site.django(environ, start_response)

    def __call__(self, path, application=None, **headers):
        scope = self._site.scope(path, **headers)
        self.environ = environ_of(scope) | {"wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
        return call(application or self.application, self.environ)

    def by_django(self, path, **headers):
        return self(path, self._site.django, **headers)


@pytest.fixture
def direct(site) -> Direct:
    return Direct(site)


@pytest.fixture
def paths(build, champion):
    """Addresses of two stored forecasts."""
    found = []
    for home in ("Northgate", "Westham"):
        match = build.match(home)
        build.prediction(match, champion)
        found.append(f"/api/v1/matches/{match.pk}/prediction/")
    return found


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept-Encoding": "gzip, deflate", "Accept": "application/json"},
        {"Origin": "https://elsewhere.example"},
        {"If-None-Match": "*"},
        {"If-None-Match": '"of something else"'},
    ],
)
def test_the_second_answer_is_what_django_would_say(direct, paths, headers, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://elsewhere.example"]
    seen = {name: value for name, value in headers.items() if name != "If-None-Match"}
    direct(paths[0], **seen)
    assert direct.asked == 1
    answer = direct(paths[1], **headers)
    assert direct.asked == 1
    kept = direct.environ.get(CACHE_PERMISSION)
    made = direct.by_django(paths[1], **headers)
    status, its_headers, body = comparable(answer)
    his_status, his_headers, his_body = comparable(made)
    if "Content-Encoding" in his_headers:
        # Random bytes are added against BREACH.
        for each in (its_headers, his_headers):
            assert int(each.pop("Content-Length")) > 0
    else:
        assert body == his_body
    for each in (its_headers, his_headers):
        each.pop("RateLimit", None)
    assert (status, its_headers) == (his_status, his_headers)
    assert kept == direct.environ.get(CACHE_PERMISSION)


def test_what_was_learned_of_a_long_header_is_not_kept(direct, paths):
    origin = "https://" + "a" * 50_000
    for path in paths:
        assert direct(path, Origin=origin).status == 200
    assert direct.asked == 2


def test_both_are_counted_alike(direct, paths):
    direct(paths[0])
    ways = [counted(lambda way=way: way(paths[1])) for way in (direct.by_django, direct)]
    assert ways[0] == ways[1]
    assert direct.asked == 1


def test_a_key_is_counted_in_its_own_limit(direct, paths, token, settings):
    settings.SPAI_LIMIT_KEY = 1600
    key = {"Authorization": f"Bearer {token}"}
    answers = [dict(direct(path, **key).headers) for path in (*paths, *paths)]
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=1599", "r=1598", "r=1597", "r=1596"]
    assert {answer["Cache-Control"] for answer in answers} == {"no-cache, private"}
    assert direct.asked == 1


def test_what_else_is_to_be_said_django_says(direct, build, champion, paths, token, monkeypatch):
    made = []
    monkeypatch.setattr(
        ml_services, "forecast", lambda match_id, *, now: made.append(match_id) or made_now(champion, match_id, now)
    )
    live = build.match("Oldgate", "Southam", kickoff_at=build.now + timedelta(days=40))
    direct(paths[0])
    for number, (path, headers, status) in enumerate(
        [
            (f"/api/v1/matches/{live.pk}/prediction/", {}, 200),
            ("/api/v1/matches/999999/prediction/", {}, 404),
            ("/api/v1/matches/99999999999999999999/prediction/", {}, 400),
            (f"{paths[1]}?model=champion", {}, 200),
            (f"{paths[1]}?nothing=1", {}, 400),
            (paths[1], {"Accept": "application/json; indent=2"}, 200),
            (paths[1], {"Authorization": f"Bearer {token[:-1]}x"}, 401),
            (paths[1], {"X-Request-ID": "0" * 32}, 200),
            (paths[1].rstrip("/"), {}, 301),
        ],
        start=2,
    ):
        assert direct(path, **headers).status == status, path
        assert direct.asked == number, path
    assert made == [live.pk]


def test_a_host_that_is_refused_is_refused_though_another_was_answered(direct, paths):
    direct(paths[0])
    environ = direct.environ | {"PATH_INFO": paths[1], "HTTP_HOST": "elsewhere.example"}
    assert call(direct.application, environ).status == 400


def test_a_forecast_that_was_replaced_is_read_anew(direct, build, champion, paths):
    direct(paths[0])
    before = direct(paths[1]).body
    match = Match.objects.get(pk=int(paths[1].split("/")[4]))
    build.prediction(match, champion, p=(0.2, 0.3, 0.5), before_kickoff=timedelta(minutes=9), data_snapshot=2)
    assert direct(paths[1]).body != before
    assert direct.asked == 1


def test_what_django_answers_is_counted_once(direct, build, champion, paths, token, settings, monkeypatch):
    monkeypatch.setattr(ml_services, "forecast", lambda match_id, *, now: made_now(champion, match_id, now))
    settings.SPAI_LIMIT_KEY = 1600
    live = build.match("Oldgate", "Southam", kickoff_at=build.now + timedelta(days=40))
    addresses = (paths[0], f"/api/v1/matches/{live.pk}/prediction/", "/api/v1/matches/999999/prediction/", paths[1])
    answers = [dict(direct(path, Authorization=f"Bearer {token}").headers) for path in addresses]
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=1599", "r=1598", "r=1597", "r=1596"]


def test_a_fault_in_it_is_logged_and_left_to_django(direct, paths, monkeypatch, caplog):
    direct(paths[0])
    monkeypatch.setattr("spai.direct.conditional", lambda request, response: 1 / 0)
    assert direct(paths[1]).status == 200
    assert direct.asked == 2
    assert "ZeroDivisionError" in caplog.text
