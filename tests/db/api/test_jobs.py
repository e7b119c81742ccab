"""Prediction jobs: submitted once, worked on by one process at a time, ended once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.api import services
from apps.api.models import ApiKey, PredictionJob, PredictionJobResult, WebhookDelivery
from apps.api.services import job_kinds, jobs
from apps.api.services.job_kinds import NDJSON, JobRefusedError, JobWork
from apps.matches.locks import LockClass
from apps.matches.unknown_work import says_unknown, warn_of_unknown
from tests.database import at_once, locked_elsewhere

State = PredictionJob.JobState


def new_key(source: str = "feed") -> ApiKey:
    now = timezone.now()
    return services.create_key(name=source, source=source, worlds=["sandbox"], created_by="test", now=now).row


@pytest.fixture
def key(db) -> ApiKey:
    return new_key()


def submit(key: ApiKey, **fields) -> PredictionJob:
    values = {"kind": "what_if_set", "parameters": {"n": 3}, "now": timezone.now()}
    return services.submit_job(api_key=key, **(values | fields)).job


@pytest.fixture
def work(monkeypatch) -> Callable[[Callable[[int], None]], None]:
    """A function that makes jobs call another one before each of their `n` pieces."""

    def set_to(before: Callable[[int], None] = lambda number: None) -> None:
        def kind(parameters, now) -> JobWork:
            def chunks() -> Iterator[tuple[int, bytes]]:
                for number in range(1, parameters["n"] + 1):
                    before(number)
                    yield number, f'{{"item":{number}}}\n'.encode()

            return JobWork(parameters["n"], NDJSON, chunks())

        monkeypatch.setitem(job_kinds.KINDS, "what_if_set", kind)

    set_to()
    return set_to


def run(**options) -> dict[str, int]:
    return services.run_jobs(clock=timezone.now, **options).ended


def test_a_job_of_a_kind_of_a_newer_release_stays_in_the_queue_and_says_what_to_do(key, work, caplog):
    warn_of_unknown.cache_clear()
    unknown = submit(key, kind="tournament")
    died = submit(key, kind="tournament", parameters={"n": 2})
    PredictionJob.objects.filter(pk=died.pk).update(state=State.RUNNING, attempts=1)
    known = submit(key)
    for _ in range(2):
        run()
    states = [PredictionJob.objects.get(pk=job.pk) for job in (unknown, died, known)]
    assert [(job.state, job.attempts, job.error) for job in states] == [
        (State.QUEUED, 0, None),
        (State.RUNNING, 1, None),
        (State.SUCCEEDED, 1, None),
    ]
    assert [record.message for record in caplog.records if "does not know" in record.message] == [
        says_unknown(str(job), "tournament") for job in (unknown, died)
    ]


# ── Submitting ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_equal_request_with_the_same_idempotency_key_gets_the_same_job(key):
    first = services.submit_job(
        api_key=key, kind="what_if_set", parameters={"a": 1, "b": 2}, idempotency_key="k", now=timezone.now()
    )
    again = services.submit_job(
        api_key=key, kind="what_if_set", parameters={"b": 2, "a": 1}, idempotency_key="k", now=timezone.now()
    )
    assert (first.job, first.is_replayed) == (again.job, not again.is_replayed)


def test_another_request_with_the_same_idempotency_key_is_refused(key):
    submit(key, idempotency_key="k")
    with pytest.raises(services.OtherRequestError):
        submit(key, idempotency_key="k", parameters={"n": 4})
    assert PredictionJob.objects.count() == 1


def test_another_api_key_may_use_the_same_idempotency_key(key):
    assert submit(key, idempotency_key="k") != submit(new_key("other"), idempotency_key="k")


@pytest.mark.django_db(transaction=True)
def test_fifty_parallel_requests_with_one_idempotency_key_make_one_job():
    key = new_key()

    def post(number: int) -> str:
        return str(submit(key, idempotency_key="k").uuid)

    assert len({name for _ in range(5) for name in at_once(10, post)}) == 1
    assert PredictionJob.objects.count() == 1


def test_a_key_has_a_limit_of_unfinished_jobs(key, work, monkeypatch):
    monkeypatch.setattr(jobs, "WAITING_LIMIT", 2)
    submit(key)
    submit(key)
    with pytest.raises(services.TooManyJobsError):
        submit(key)
    run()
    submit(key)


@pytest.mark.django_db(transaction=True)
def test_parallel_requests_make_no_more_jobs_than_a_key_may_have(monkeypatch):
    monkeypatch.setattr(jobs, "WAITING_LIMIT", 2)
    key = new_key()

    def post(number: int) -> bool:
        try:
            submit(key)
        except services.TooManyJobsError:
            return False
        return True

    assert sum(at_once(10, post)) == 2


# ── Working ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_job_ends_with_its_result(key, work):
    job = submit(key)
    assert run() == {"succeeded": 1}
    job.refresh_from_db()
    assert (job.state, job.done, job.total, job.attempts) == (State.SUCCEEDED, 3, 3, 1)
    assert services.result_of(job) == (b'{"item":1}\n{"item":2}\n{"item":3}\n', NDJSON)
    assert job.expires_at - job.finished_at == timedelta(days=7)


def test_a_job_that_cannot_succeed_says_why(key, work):
    def refuse(number: int) -> None:
        raise JobRefusedError("no-champion", "There is none.")

    work(refuse)
    job = submit(key)
    assert run() == {"failed": 1}
    job.refresh_from_db()
    assert job.error == {"kind": "no-champion", "detail": "There is none."}
    assert services.result_of(job) is None


def test_an_error_of_the_site_ends_the_job_and_the_next_one_runs(key, work, monkeypatch):
    def broken(parameters, now):
        raise RuntimeError("secret detail")

    monkeypatch.setitem(job_kinds.KINDS, "season_simulation", broken)
    job = submit(key, kind="season_simulation")
    submit(key)
    assert run() == {"failed": 1, "succeeded": 1}
    job.refresh_from_db()
    assert job.error["kind"] == "internal-error"
    assert "secret" not in job.error["detail"]


def test_a_result_that_is_too_large_is_not_stored(key, work, monkeypatch):
    monkeypatch.setattr(jobs, "RESULT_LIMIT", 20)
    job = submit(key)
    assert run() == {"failed": 1}
    job.refresh_from_db()
    assert job.error["kind"] == "result-too-large"


def test_progress_is_seen_while_a_job_runs(key, work, monkeypatch):
    monkeypatch.setattr(jobs, "PROGRESS_EVERY", 0.0)
    job, seen = submit(key), []
    work(lambda number: seen.append(PredictionJob.objects.values_list("state", "done", "total").get(pk=job.pk)))
    run()
    assert seen == [("running", 0, 3), ("running", 1, 3), ("running", 2, 3)]


def test_no_key_waits_for_all_jobs_of_another(key, work, monkeypatch):
    order = []
    monkeypatch.setitem(
        job_kinds.KINDS, "what_if_set", lambda given, now: order.append(given["n"]) or JobWork(0, NDJSON, iter(()))
    )
    for number in range(3):
        submit(key, parameters={"n": number})
    submit(new_key("other"), parameters={"n": 100})
    run()
    assert order.index(100) < 2


# ── Workers that die, stop, or lose the job ──────────────────────────────────────────────────────────────────────────
def test_a_job_that_another_process_works_on_is_left_to_it(key, work):
    job = submit(key)
    PredictionJob.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=1)
    with locked_elsewhere(LockClass.JOB, job.pk):
        assert run() == {}
    assert run() == {"succeeded": 1}


def test_a_job_whose_worker_died_is_taken_up_again(key, work):
    job = submit(key)
    PredictionJob.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=2, done=2)
    assert run() == {"succeeded": 1}
    job.refresh_from_db()
    assert job.attempts == 3


def test_a_job_that_killed_its_worker_three_times_fails(key, work):
    job = submit(key)
    PredictionJob.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=3)
    assert run() == {"failed": 1}
    job.refresh_from_db()
    assert job.error["kind"] == "worker-died"


def test_a_worker_that_shuts_down_puts_its_job_back_and_no_attempt_counts(key, work):
    stopping = []
    work(stopping.append)
    job = submit(key)
    assert run(is_stopping=lambda: bool(stopping)) == {"queued": 1}
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.QUEUED, 0)
    stopping.clear()
    assert run() == {"succeeded": 1}


def test_an_attempt_that_lost_its_job_to_another_worker_changes_nothing(key, work):
    job = submit(key)
    work(lambda number: PredictionJob.objects.filter(pk=job.pk).update(attempts=2))
    end = services.run_jobs(clock=timezone.now, is_stopping=iter((False, False, False, False, True)).__next__)
    job.refresh_from_db()
    assert end.has_more
    assert (job.state, job.attempts) == (State.RUNNING, 2)
    assert not PredictionJobResult.objects.exists()


# ── Cancelling, retrying, expiring ───────────────────────────────────────────────────────────────────────────────────
def test_a_job_that_waits_is_cancelled_at_once(key, work):
    job = submit(key)
    assert services.cancel_job(job=job, now=timezone.now())
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert run() == {}
    assert not services.cancel_job(job=job, now=timezone.now())


def test_a_running_job_is_cancelled_between_two_chunks(key, work, monkeypatch):
    monkeypatch.setattr(jobs, "PROGRESS_EVERY", 0.0)
    job, seen = submit(key), []

    def cancel(number: int) -> None:
        seen.append(number)
        services.cancel_job(job=job, now=timezone.now())

    work(cancel)
    assert run() == {"cancelled": 1}
    assert seen == [1]


def test_a_cancelled_job_whose_worker_died_is_not_taken_up(key, work):
    job = submit(key)
    PredictionJob.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=1, is_cancelled=True)
    assert run() == {"cancelled": 1}


def test_a_job_that_failed_can_be_retried_and_one_that_succeeded_cannot(key, work):
    job = submit(key)
    PredictionJob.objects.filter(pk=job.pk).update(state=State.FAILED, attempts=3, error={"kind": "a", "detail": "b"})
    assert services.retry_job(job=job)
    assert run() == {"succeeded": 1}
    assert not services.retry_job(job=job)


def test_a_result_expires_and_the_job_stays(key, work):
    job = submit(key)
    run()
    now = timezone.now()
    assert services.expire_jobs(now=now + timedelta(days=6)) == 0
    assert services.expire_jobs(now=now + timedelta(days=8)) == 1
    job.refresh_from_db()
    assert (job.state, services.result_of(job), job.parameters) == (State.EXPIRED, None, {})


def test_a_job_that_failed_stays_failed(key, work):
    job = submit(key)
    services.cancel_job(job=job, now=timezone.now())
    assert services.expire_jobs(now=timezone.now() + timedelta(days=8)) == 0
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_the_end_of_a_job_is_announced_once_to_the_webhooks_of_its_key(key, work, settings):
    settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.1"]
    for owner in (key, new_key("other")):
        services.create_webhook(
            api_key=owner, url="http://127.0.0.1:9/", topics=["prediction_job.finished"], now=timezone.now()
        )
    job = submit(key)
    run()
    run()
    (delivery,) = WebhookDelivery.objects.all()
    assert delivery.webhook.api_key == key
    assert delivery.message["data"] == {"id": str(job.uuid), "kind": job.kind, "state": "succeeded", "error": None}
