"""Prediction jobs whose workers are killed: `python -m benchmarks.jobs [--jobs N] [--kills N] [--broker A]`.

N jobs (default: 500) of half a second run on a worker of jobs and webhooks with two processes. Its whole tree is killed
by SIGKILL five times while they run, and another one started each time. Counted are the jobs that ended, their results,
and the messages to a webhook that the end of each job makes. Before that, 50 parallel requests carry one idempotency
key, jobs are submitted one after the other, and messages are sent to a receiver. All on its own servers; `--broker`
names another broker than its Redis, such as an empty RabbitMQ (amqp://guest:guest@127.0.0.1:5672//).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.push_in import ready
from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, own_servers
from spai.stack.ports import free_port
from spai.stack.processes import celery, granian_command

SECONDS = 0.5
PROCESSES = 2
PARALLEL = 50
SUBMITTED = 200
MESSAGES = 400


class Receiver(BaseHTTPRequestHandler):
    """Accepts every message."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Read the message and accept it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def receiver() -> Iterator[str]:
    """Run a receiver of webhooks; yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def started(command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with its children as their own group; the group is killed at the end."""
    process = subprocess.Popen(command, env=os.environ | {"LOG_LEVEL": "WARNING"} | environment, start_new_session=True)
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all its children at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def worker() -> list[str]:
    """Return the command of the worker, with the kind of this benchmark."""
    return celery(
        *f"worker --queues jobs,webhooks --concurrency {PROCESSES} --loglevel WARNING".split(),
        *("--without-gossip", "--without-mingle", "--include", "benchmarks.half_second"),
    )


def posted(port: int, token: str, **headers: str) -> tuple[int, str]:
    """Submit a job over HTTP; return the status and the id."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=STUCK)
    body = json.dumps({"kind": "season_simulation", "competition": "nowhere"})
    given = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | headers
    link.request("POST", "/api/v1/prediction-jobs/", body=body, headers=given)
    answer = link.getresponse()
    found = json.loads(answer.read())
    link.close()
    return answer.status, found.get("id", "")


def submissions(token: str) -> list[Measure]:
    """Measure parallel requests with one idempotency key, and requests one after the other."""
    from apps.api.models import PredictionJob

    port = free_port()
    with started(granian_command(port, "spai.front:application", workers=2), SPAI_ROLE="web", SPAI_THREADS="4"):
        end = time.monotonic() + STUCK
        while not ready(port):
            if time.monotonic() > end:
                raise SystemExit("the web process did not start; the lines above say why")
            time.sleep(0.1)
        with ThreadPoolExecutor(PARALLEL) as threads:
            answers = list(threads.map(lambda _: posted(port, token, **{"Idempotency-Key": "one"}), range(PARALLEL)))
        made = PredictionJob.objects.count()
        began = time.perf_counter()
        for _ in range(SUBMITTED):
            posted(port, token)
        seconds = time.perf_counter() - began
    accepted = sum(status == 202 for status, _ in answers)
    PredictionJob.objects.all().delete()
    return [
        Measure(f"{PARALLEL} parallel requests with one idempotency key: accepted", accepted, "", str(PARALLEL)),
        Measure("  different jobs in the responses", len({name for _, name in answers}), "", "1"),
        Measure("  jobs", made, "", "1"),
        Measure("jobs submitted one after the other", SUBMITTED / seconds, "jobs/s"),
    ]


def messages(key: object, url: str) -> list[Measure]:
    """Measure how fast messages of events are made and sent."""
    from django.utils import timezone

    from apps.api import services
    from apps.api.models import ApiKey, WebhookDelivery
    from apps.matches.models import Event

    assert isinstance(key, ApiKey)
    hook = services.create_webhook(api_key=key, url=url, topics=["match.changed"], now=timezone.now())
    Event.objects.bulk_create(
        Event(number=number, topic="match.changed", key="1", created_at=timezone.now())
        for number in range(1, MESSAGES + 1)
    )
    began, cpu = time.perf_counter(), time.process_time()
    while hook.deliveries.filter(state="delivered").count() < MESSAGES:
        services.deliver_due(clock=timezone.now)
    measures = [
        Measure(f"{MESSAGES:,} messages to one webhook", MESSAGES / (time.perf_counter() - began), "messages/s"),
        Measure("  CPU, the receiver's included", (time.process_time() - cpu) / MESSAGES * 1000, "ms/message"),
    ]
    WebhookDelivery.objects.all().delete()
    hook.delete()
    return measures


def killed(key: object, url: str, *, jobs: int, kills: int) -> list[Measure]:
    """Measure jobs whose workers are killed."""
    from django.utils import timezone

    from apps.api import services
    from apps.api.models import ApiKey, PredictionJob, PredictionJobResult, WebhookDelivery

    assert isinstance(key, ApiKey)
    services.create_webhook(api_key=key, url=url, topics=["prediction_job.finished"], now=timezone.now())
    for number in range(jobs):
        services.submit_job(api_key=key, kind="half_second", parameters={"n": number}, now=timezone.now())
    rows = PredictionJob.objects.all()
    stops = [jobs * (number + 1) // (kills + 1) for number in range(kills)]
    began, restarts = time.perf_counter(), 0.0
    with started(celery("beat", "--loglevel", "WARNING", "--pidfile", "")):
        for stop in [*stops, jobs]:
            with started(worker()) as running:
                end, up = time.monotonic() + STUCK + jobs * SECONDS, time.perf_counter()
                before = rows.exclude(state__in=("queued", "running")).count()
                while (done := rows.exclude(state__in=("queued", "running")).count()) < stop:
                    if running.poll() is not None or time.monotonic() > end:
                        raise SystemExit("the worker ended, or no job did; the lines above say why")
                    if done == before:
                        restarts += time.perf_counter() - up
                    up = time.perf_counter()
                    time.sleep(0.05)
                if stop == jobs:
                    # The end of the last job is announced by the same worker.
                    while WebhookDelivery.objects.filter(state="pending").exists() and time.monotonic() < end:
                        time.sleep(0.1)
    seconds = time.perf_counter() - began
    succeeded = rows.filter(state="succeeded").count()
    announced = list(WebhookDelivery.objects.values_list("message__data__id", flat=True))
    return [
        Measure(
            f"{jobs:,} jobs of half a second, {kills} SIGKILLs of the worker: succeeded", succeeded, "", f"{jobs:,}"
        ),
        Measure("  lost", jobs - rows.exclude(state__in=("queued", "running")).count(), "", "0"),
        Measure("  failed", rows.filter(state="failed").count(), "", "0"),
        Measure("  results", PredictionJobResult.objects.count(), "", f"{jobs:,}"),
        Measure("  announced twice", len(announced) - len(set(announced)), "", "0"),
        Measure(
            "  announced and delivered", WebhookDelivery.objects.filter(state="delivered").count(), "", f"{jobs:,}"
        ),
        Measure("  begun again after a kill", rows.filter(attempts__gt=1).count(), ""),
        Measure("  whole time", seconds, "s"),
        Measure("  of which workers started", restarts, "s"),
        Measure(
            "  jobs while a worker was up",
            jobs / (seconds - restarts),
            "jobs/s",
            f"≤ {PROCESSES / SECONDS:g}",
        ),
    ]


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--jobs", type=int, default=500, help="jobs of half a second")
    options.add_argument("--kills", type=int, default=5, help="times that the worker is killed")
    options.add_argument("--broker", default="", help="address of the broker; default: the Redis of the benchmark")
    args = options.parse_args()
    with own_servers(), receiver() as url:
        from celery import current_app
        from django.conf import settings
        from django.utils import timezone

        from apps.api import services
        from spai import broker

        settings.SPAI_WEBHOOK_HOSTS = [os.environ.setdefault("SPAI_WEBHOOK_HOSTS", "127.0.0.1")]
        # The broker of the other processes; wake-ups of this one go there too.
        os.environ["CELERY_BROKER_URL"] = args.broker or os.environ["REDIS_URL"]
        current_app.conf.update(broker.celery_settings(os.environ["CELERY_BROKER_URL"]))
        made = services.create_key(
            name="benchmark", scopes=["read", "jobs"], created_by="benchmark", now=timezone.now()
        )
        measures = [
            *submissions(made.token),
            *messages(made.row, url),
            *killed(made.row, url, jobs=args.jobs, kills=args.kills),
        ]
    print_measures("prediction jobs", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
