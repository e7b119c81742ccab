"""Prediction jobs and webhooks over REST: who may, what is refused, what a client sees."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import RequestFactory
from django.utils import timezone

from apps.api import services
from apps.api.models import ApiKeyScope, PredictionJob, Webhook, WebhookDelivery
from apps.api.rest import job_body_limit, job_requests
from apps.api.rest.prediction_jobs import BODY_LIMIT, JOBS_SCOPE
from apps.api.services import job_kinds
from apps.api.services.job_kinds import NDJSON, JobWork
from tests.web.conftest import INTERVALS
from tests.web.test_api import problem_of

JOBS = "/api/v1/prediction-jobs/"
HOOKS = "/api/v1/webhooks/"
SET = {"kind": "what_if_set", "items": [{"match": 1}, {"home": "a", "away": "b", "neutral": True}]}


def token_of(name: str, scopes=(JOBS_SCOPE,)) -> str:
    writes = {"source": name, "worlds": ["sandbox"]} if ApiKeyScope.INGEST in scopes else {}
    return services.create_key(name=name, scopes=scopes, created_by="test", now=timezone.now(), **writes).token


class Caller:
    """A program with a key."""

    def __init__(self, client, token: str) -> None:
        self.client, self.headers = client, {"authorization": f"Bearer {token}"}

    def get(self, path: str, **headers: str):
        return self.client.get(path, headers=self.headers | headers)

    def send(self, method: str, path: str, body: object = None, **headers: str):
        content = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return getattr(self.client, method)(
            path, content, content_type="application/json", headers=self.headers | headers
        )

    def post(self, path: str, body: object = None, **headers: str):
        return self.send("post", path, body, **headers)


@pytest.fixture
def caller(client, db) -> Caller:
    return Caller(client, token_of("one"))


@pytest.fixture
def other(client, db) -> Caller:
    return Caller(client, token_of("other"))


@pytest.fixture
def job(caller) -> PredictionJob:
    return PredictionJob.objects.get(uuid=caller.post(JOBS, SET).json()["id"])


def finish(monkeypatch, *pieces: bytes) -> None:
    work = JobWork(len(pieces), NDJSON, iter(enumerate(pieces, start=1)))
    monkeypatch.setitem(job_kinds.KINDS, "what_if_set", lambda parameters, now: work)
    services.run_jobs(clock=timezone.now)


class TestJobs:
    def test_a_job_is_accepted_with_its_address_and_runs_to_its_result(self, caller, monkeypatch):
        accepted = caller.post(JOBS, SET)
        assert accepted.status_code == 202
        body = accepted.json()
        assert accepted["Location"] == body["links"]["self"] == f"http://testserver{JOBS}{body['id']}/"
        assert int(accepted["Retry-After"]) > 0
        assert (body["state"], body["progress"], body["links"]["result"]) == ("queued", {"done": 0, "total": 0}, None)
        assert body["created_at"].endswith("Z")
        assert int(caller.get(accepted["Location"])["Retry-After"]) > 0
        unfinished = caller.get(f"{JOBS}{body['id']}/result/")
        assert (problem_of(unfinished, 409)["type"], unfinished["Retry-After"]) == ("urn:spai:problem:unfinished", "2")
        finish(monkeypatch, b'{"item":0}\n')
        done = caller.get(accepted["Location"])
        assert "Retry-After" not in done
        assert (done.json()["state"], done.json()["links"]["cancel"]) == ("succeeded", None)
        result = caller.get(done.json()["links"]["result"], accept="application/x-ndjson")
        assert (result.content, result["Content-Type"]) == (b'{"item":0}\n', NDJSON)

    def test_a_graded_forecast_says_how_sure_it_was_as_the_forecast_of_its_match_does(self, caller, build, champion):
        weak = [{"code": "new_club", "side": "home", "number": 4}, {"code": "season_start", "side": "", "number": 0}]
        match = build.match(kickoff_at=build.now - timedelta(hours=3), goals=(2, 1))
        build.score(build.prediction(match, champion, weaknesses=weak, intervals=INTERVALS))
        moments = {"since": match.kickoff_at.isoformat(), "until": build.now.isoformat()}
        accepted = caller.post(JOBS, {"kind": "graded_forecasts", "world": "sandbox"} | moments)
        services.run_jobs(clock=timezone.now)
        line = json.loads(caller.get(f"{accepted['Location']}result/").content)
        single = caller.client.get(f"/api/v1/matches/{match.pk}/prediction/").json()
        assert [each["text"] for each in line["weaknesses"]] == [
            "Northgate has played 4 matches that we know of",
            "the season has only begun",
        ]
        assert {name: line[name] for name in ("weaknesses", "intervals")} == {
            name: single[name] for name in ("weaknesses", "intervals")
        }

    def test_an_equal_request_gets_the_same_job_and_another_is_refused(self, caller):
        first, again = (caller.post(JOBS, SET, **{"idempotency-key": "k"}) for _ in range(2))
        assert (first.json(), again.status_code) == (again.json(), 202)
        assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
        problem_of(caller.post(JOBS, SET | {"world": "real"}, **{"idempotency-key": "k"}), 422)
        problem_of(caller.post(JOBS, SET, **{"idempotency-key": "k y"}), 400)

    def test_a_key_sees_its_own_jobs_only(self, caller, other, job):
        for path in ("", "result/"):
            problem_of(other.get(f"{JOBS}{job.uuid}/{path}"), 404)
        problem_of(other.post(f"{JOBS}{job.uuid}/cancel/"), 404)
        assert other.get(JOBS).json()["results"] == []
        problem_of(other.get(f"{JOBS}?cursor={job.uuid}"), 400)

    def test_a_key_is_needed_and_must_be_known(self, client, db):
        problem_of(client.get(JOBS), 401)
        problem_of(client.post(JOBS, SET, content_type="application/json"), 401)
        problem_of(Caller(client, "spai_00000000_" + "0" * 64).get(JOBS), 401)

    def test_jobs_are_listed_in_pages_the_newest_first(self, caller):
        made = [caller.post(JOBS, SET).json()["id"] for _ in range(5)]
        seen, address = [], f"{JOBS}?page_size=2&state=queued&kind=what_if_set"
        while address:
            page = caller.get(address).json()
            seen += [each["id"] for each in page["results"]]
            address = page["next"]
        assert seen == made[::-1]
        assert caller.get(f"{JOBS}?state=failed").json() == {"next": None, "results": []}

    @pytest.mark.parametrize("query", ["state=done", "kind=x", "cursor=x", "page_size=0", "page_size=x", "pages=1"])
    def test_a_wrong_parameter_is_refused(self, caller, query):
        problem_of(caller.get(f"{JOBS}?{query}"), 400)

    def test_a_waiting_job_is_cancelled_and_has_no_result(self, caller, job):
        assert caller.post(f"{JOBS}{job.uuid}/cancel/").json()["state"] == "cancelled"
        assert caller.post(f"{JOBS}{job.uuid}/cancel/").json()["state"] == "cancelled"
        assert (
            problem_of(caller.get(f"{JOBS}{job.uuid}/result/"), 409)["detail"]
            == "The job has no result: its state is cancelled."
        )

    def test_an_expired_result_is_gone(self, caller, job, monkeypatch):
        finish(monkeypatch, b"{}\n")
        services.expire_jobs(now=timezone.now() + timedelta(days=8))
        problem_of(caller.get(f"{JOBS}{job.uuid}/result/"), 410)

    def test_too_many_unfinished_jobs_are_refused_for_a_while(self, caller, job, monkeypatch):
        monkeypatch.setattr(services.jobs, "WAITING_LIMIT", 1)
        assert caller.post(JOBS, SET)["Retry-After"] == "30"

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({}, "kind"),
            ([], "kind"),
            ({"kind": ["what_if_set"]}, "kind"),
            ({"kind": "nothing"}, "kind"),
            ({"kind": "what_if_set"}, "items"),
            (SET | {"items": []}, "items"),
            (SET | {"items": {}}, "items"),
            (SET | {"items": [1]}, "items"),
            (SET | {"items": [{"match": "1"}]}, "items"),
            (SET | {"items": [{"match": True}]}, "items"),
            (SET | {"items": [{"match": 0}]}, "items"),
            (SET | {"items": [{"match": 1.0}]}, "items"),
            (SET | {"items": [{"match": 2**63}]}, "items"),
            (SET | {"items": [{"match": 1, "home": "a"}]}, "items"),
            (SET | {"items": [{"home": "a"}]}, "items"),
            (SET | {"items": [{"home": "a", "away": "b", "venue": "c"}]}, "items"),
            (SET | {"items": [{"home": "a", "away": None}]}, "items"),
            (SET | {"items": [{"home": "a", "away": "b\0"}]}, "items"),
            (SET | {"items": [{"home": "a", "away": "b" * 161}]}, "items"),
            (SET | {"items": [{"home": "a", "away": "b", "date": "2026-02-30"}]}, "items"),
            (SET | {"items": [{"home": "a", "away": "b", "date": "20260228"}]}, "items"),
            (SET | {"items": [{"home": "a", "away": "b", "neutral": 1}]}, "items"),
            (SET | {"world": "other"}, "world"),
            (SET | {"date": "tomorrow"}, "date"),
            (SET | {"colour": "red"}, "colour"),
            ({"kind": "season_simulation"}, "competition"),
            ({"kind": "season_simulation", "competition": "a\0"}, "competition"),
            (
                {"kind": "season_simulation", "competition": "a", "locked": [{"match": 1, "home_goals": 1}]},
                "away_goals",
            ),
            ({"kind": "season_simulation", "competition": "a", "locked": [{"home_goals": 1, "away_goals": 1}]}, ""),
            (
                {
                    "kind": "season_simulation",
                    "competition": "a",
                    "locked": [{"match": 1, "home_goals": -1, "away_goals": 1}],
                },
                "home_goals",
            ),
            ({"kind": "graded_forecasts", "since": "x", "until": "2026-01-01T00:00:00Z"}, "since"),
            ({"kind": "graded_forecasts", "since": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "until"),
        ],
    )
    def test_a_wrong_body_is_refused_and_the_member_is_named(self, caller, body, named):
        found = problem_of(caller.post(JOBS, body), 400)
        assert named in {error["parameter"] for error in found["errors"]}
        assert not PredictionJob.objects.exists()

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[" * 100_000, b'{"kind": NaN}', b'"\xff"', b'"\\ud800"', b"\0", b"null", b"1e999"]
    )
    def test_a_body_that_is_no_sound_json_is_refused(self, caller, content):
        problem_of(caller.post(JOBS, content), 400)

    def test_another_content_type_is_refused(self, caller):
        response = caller.client.post(JOBS, "a=1", content_type="text/plain", headers=caller.headers)
        problem_of(response, 415)

    def test_of_many_wrong_items_the_first_are_named(self, caller):
        found = problem_of(caller.post(JOBS, SET | {"items": [{}] * 1000}), 400)
        assert len(found["errors"]) == job_requests.ERRORS_SHOWN
        assert found["errors"][0]["detail"].startswith("Item 0: ")

    def test_a_large_body_is_received_with_a_key_only(self, caller, settings):
        environ = RequestFactory().post(JOBS).environ
        assert job_body_limit(environ) == 0
        assert job_body_limit(environ | {"HTTP_AUTHORIZATION": caller.headers["authorization"]}) == BODY_LIMIT
        assert job_body_limit(RequestFactory().post("/api/v1/what-if/").environ) is None
        settings.SPAI_ROLE = "admin"
        assert job_body_limit(environ) is None
        items = [{"home": "a" * 60, "away": "b" * 60}] * job_requests.ITEMS_LIMIT
        assert len(json.dumps(SET | {"items": items}, separators=(",", ":"))) < BODY_LIMIT


@pytest.fixture
def hook(caller, settings) -> dict:
    settings.SPAI_WEBHOOK_HOSTS = ["hooks.test", "127.0.0.1"]
    return caller.post(HOOKS, {"url": "http://127.0.0.1:9/", "topics": ["match.changed", "match.changed"]}).json()


class TestWebhooks:
    def test_the_secret_is_shown_once(self, caller, hook):
        assert hook["secret"].startswith("whsec_")
        assert hook["topics"] == ["match.changed"]
        shown = [caller.get(f"{HOOKS}{hook['id']}/").json(), *caller.get(HOOKS).json()["results"]]
        assert shown == [{name: value for name, value in hook.items() if name != "secret"}] * 2

    def test_a_key_sees_its_own_webhooks_only(self, caller, other, hook):
        address = f"{HOOKS}{hook['id']}/"
        assert other.get(HOOKS).json() == {"results": []}
        for response in (
            other.get(address),
            other.send("patch", address, {"is_active": False}),
            other.send("delete", address),
            other.post(f"{address}ping/"),
            other.get(f"{address}deliveries/"),
            other.post(f"{address}deliveries/1/replay/"),
        ):
            problem_of(response, 404)
        assert Webhook.objects.get().is_active

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({}, "url"),
            ({"url": "https://10.0.0.1/", "topics": ["match.changed"]}, "url"),
            ({"url": "https://169.254.169.254/latest/", "topics": ["match.changed"]}, "url"),
            ({"url": "http://example.org/\0", "topics": ["match.changed"]}, "url"),
            ({"url": "https://127.0.0.1.nip.test/", "topics": []}, "topics"),
            ({"url": "https://a.test/", "topics": ["everything"]}, "topics"),
            ({"url": "https://a.test/", "topics": ["ping"]}, "topics"),
            ({"url": "https://a.test/", "topics": ["match.changed"], "team": "nobody"}, "team"),
            ({"url": "https://a.test/", "topics": ["match.changed"], "competition": "x\0"}, "competition"),
            ({"url": "https://a.test/", "topics": ["match.changed"], "match": 2**63}, "match"),
            ({"url": "https://a.test/", "topics": ["match.changed"], "world": "other"}, "world"),
            ({"url": "https://a.test/", "topics": ["match.changed"], "secret": "mine"}, "secret"),
        ],
    )
    def test_a_wrong_webhook_is_refused_and_the_member_is_named(self, caller, body, named):
        found = problem_of(caller.post(HOOKS, body), 400)
        assert named in {error["parameter"].split(".")[0] for error in found["errors"]} | {
            "topics" if error["parameter"].isdigit() else "" for error in found["errors"]
        }
        assert not Webhook.objects.exists()

    def test_a_webhook_is_changed_switched_off_and_deleted(self, caller, hook):
        address = f"{HOOKS}{hook['id']}/"
        changed = caller.send(
            "patch", address, {"topics": ["score.settled"], "world": "real", "match": 5, "is_active": False}
        )
        assert changed.json() == {name: value for name, value in hook.items() if name != "secret"} | {
            "topics": ["score.settled"],
            "world": "real",
            "match": 5,
            "is_active": False,
        }
        problem_of(caller.send("patch", address, {"url": "https://[::1]/"}), 400)
        assert caller.send("delete", address).status_code == 204
        problem_of(caller.get(address), 404)

    def test_a_ping_is_queued_listed_and_replayed(self, caller, hook):
        address = f"{HOOKS}{hook['id']}/"
        sent = caller.post(f"{address}ping/")
        assert (sent.status_code, sent.json()["type"], sent.json()["state"]) == (202, "ping", "pending")
        WebhookDelivery.objects.update(state="dead", next_attempt_at=None, attempts=8, latest_status=500)
        (listed,) = caller.get(f"{address}deliveries/?state=dead").json()["results"]
        assert (listed["attempts"], listed["latest_status"]) == (8, 500)
        again = caller.post(f"{address}deliveries/{listed['id']}/replay/").json()
        assert (again["state"], again["attempts"]) == ("pending", 0)
        problem_of(caller.post(f"{address}deliveries/{10**30}/replay/"), 404)
        problem_of(caller.get(f"{address}deliveries/?cursor=99999999999999999999"), 400)

    def test_messages_are_listed_in_pages(self, caller, hook):
        made = [caller.post(f"{HOOKS}{hook['id']}/ping/").json()["id"] for _ in range(5)]
        seen, address = [], f"{HOOKS}{hook['id']}/deliveries/?page_size=2"
        while address:
            page = caller.get(address).json()
            seen += [each["id"] for each in page["results"]]
            address = page["next"]
        assert seen == made[::-1]

    def test_a_key_has_a_limit_of_webhooks(self, caller, hook, monkeypatch):
        monkeypatch.setattr(services.webhooks, "WEBHOOKS_LIMIT", 1)
        problem_of(caller.post(HOOKS, {"url": "http://127.0.0.1:9/", "topics": ["match.changed"]}), 409)

    def test_an_unknown_webhook_is_not_found(self, caller):
        problem_of(caller.get(f"{HOOKS}{uuid4()}/"), 404)
