"""Messages, cache and limits over RabbitMQ and over a Redis that Sentinel watches."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from celery import Celery
from django.core.cache.backends.redis import RedisCache
from kombu import pools

from apps.api.services.admission import shared_counter
from apps.matches import redis_addresses
from spai import broker, doctor
from spai.metrics import QueueCollector
from spai.stack import environment, health, servers
from spai.stack.ports import free_port
from tests.services.conftest import TIMEOUT, installed, started

pytestmark = pytest.mark.services

TASKS = """
import os, sys
from celery import Celery
from spai import broker
app = Celery("tasks", set_as_current=False)
app.conf.update(broker.celery_settings(sys.argv[1]))
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)
app.conf.update(worker_prefetch_multiplier=1, task_ignore_result=True)

@app.task(name="note")
def note(folder, number):
    # The first attempt kills its process, as a crash would.
    attempts = os.path.join(folder, f"attempts-{number}")
    with open(attempts, "a") as file:
        file.write("x")
    if number % 5 == 0 and os.path.getsize(attempts) == 1:
        os.kill(os.getpid(), 9)
    open(os.path.join(folder, f"done-{number}"), "w").close()

app.worker_main(["worker", "--queues", "jobs", "--concurrency", "1", "--hostname", "jobs@test", "--loglevel", "WARNING",
                 "--without-gossip", "--without-mingle"])
"""


def listens(port: int) -> bool:
    """Whether anything listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory) -> Iterator[str]:
    """The address of a RabbitMQ."""
    # Debian's program on the path becomes another user; this one does not.
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not program.exists():
        pytest.skip(f"{program} is not there")
    folder, port = tmp_path_factory.mktemp("rabbitmq"), free_port()
    (folder / "plugins").write_text("[].")
    (folder / "rabbitmq.conf").write_text("consumer_timeout = 7200000\n")
    given = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    address = f"amqp://guest:guest@127.0.0.1:{port}//"

    def answers() -> bool:
        # It accepts connections before it can speak.
        return "completed with" in (folder / "out").read_text()

    with started([str(program)], answers, folder / "out", **given):
        yield address
    # Erlang's register of nodes, which the server started as a daemon; it stays until it has noticed the server's end.
    end, ended = time.monotonic() + TIMEOUT, 1
    while ended and time.monotonic() < end:
        ended = subprocess.run([installed("epmd"), "-kill"], env=os.environ | given, capture_output=True).returncode


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory) -> Iterator[tuple[str, list]]:
    """The address of a service, and its two servers, the first of which is the master."""
    program, watcher = installed("redis-server"), installed("redis-sentinel", "redis-server")
    folder, ports = tmp_path_factory.mktemp("sentinel"), [free_port() for _ in range(3)]
    running = []

    with ExitStack() as stack:
        for number, port in enumerate(ports[:2]):
            more = ["masterauth key", *([f"replicaof 127.0.0.1 {ports[0]}"] if number else [])]
            found = servers.Program(Path(program), 7, "system")
            command = servers.redis_command(found, folder / str(number), port, "key", ['save ""', *more])
            server = started(command, lambda port=port: listens(port), folder / f"log{number}")
            running.append(stack.enter_context(server))
        configuration = folder / "sentinel.conf"
        lines = [
            *("bind 127.0.0.1", f"port {ports[2]}", f"dir {folder}", "requirepass watch"),
            f"sentinel monitor main 127.0.0.1 {ports[0]} 1",
            *("sentinel auth-pass main key", "sentinel down-after-milliseconds main 500"),
            "sentinel failover-timeout main 3000",
        ]
        configuration.write_text("\n".join(lines) + "\n")
        command = [watcher, str(configuration), *(["--sentinel"] if "server" in Path(watcher).name else [])]
        stack.enter_context(started(command, lambda: listens(ports[2]), folder / "log"))
        yield f"redis+sentinel://:key@127.0.0.1:{ports[2]}/main/0?sentinel_password=watch", running


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The address of a Redis that speaks TLS alone, and the certificate of the authority that signed its own."""
    program, openssl = installed("redis-server"), installed("openssl")
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    subject = ["-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"]
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", *subject, *files], check=True, capture_output=True)
    lines = [f"tls-port {port}", f"tls-cert-file {folder / 'certificate'}", f"tls-key-file {folder / 'key'}"]
    found = servers.Program(Path(program), 7, "system")
    command = servers.redis_command(found, folder / "data", 0, "key", ['save ""', *lines, "tls-auth-clients no"])
    with started(command, lambda: listens(port), folder / "log"):
        yield f"rediss://:key@127.0.0.1:{port}/0", folder / "certificate"


def send(address: str, folder: Path, count: int) -> None:
    """Send tasks."""
    app = Celery("sender", set_as_current=False)
    app.conf.update(broker.celery_settings(address))
    with app, app.connection_for_write() as connection, connection.Producer() as producer:
        for number in range(count):
            app.send_task("note", args=[str(folder), number], queue="jobs", producer=producer)


def done(folder: Path, count: int) -> bool:
    """Whether all tasks are done, in time."""
    end = time.monotonic() + TIMEOUT
    while len(list(folder.glob("done-*"))) < count and time.monotonic() < end:
        time.sleep(0.1)
    return len(list(folder.glob("done-*"))) == count


def worker_answers(address: str) -> bool:
    """Whether the worker answers a ping."""
    with closed_connections():
        try:
            return bool(health.WorkerPings(["jobs@test"], address).check_of("jobs@test")())
        except health.Unhealthy:
            return False


@contextmanager
def closed_connections() -> Iterator[None]:
    """Close the connections to a broker that health checks keep: it goes with the test."""
    try:
        yield
    finally:
        pools.reset()
        health.bare_celery.cache_clear()


def test_tasks_whose_processes_die_are_done_over_rabbitmq(rabbitmq, tmp_path, settings):
    command = [sys.executable, "-c", TASKS, rabbitmq]
    with started(command, lambda: worker_answers(rabbitmq), tmp_path / "log", PYTHONPATH=str(Path.cwd())):
        send(rabbitmq, tmp_path, 20)
        assert done(tmp_path, 20)
        stack = environment.load({"SPAI_VAR_DIR": str(tmp_path / "var"), "CELERY_BROKER_URL": rabbitmq})
        with closed_connections():
            said = {finding.about: finding for finding in doctor._workers(stack)}
        assert said["queue jobs"].is_well
        assert not said["queue scrape"].is_well
    # Messages that nobody takes are counted, and their age is not known.
    send(rabbitmq, tmp_path, 3)
    end = time.monotonic() + TIMEOUT
    while (found := broker.waiting(rabbitmq, timeout=5))["jobs"].messages != 3:
        assert time.monotonic() < end, found
    assert found["jobs"].age is None
    assert found["scrape"].messages == 0
    settings.BROKER = rabbitmq
    lengths, ages = QueueCollector().collect()
    assert {sample.labels["queue"]: sample.value for sample in lengths.samples}["jobs"] == 3
    assert ages.samples == []


def test_every_user_of_redis_follows_the_service_to_its_new_master(sentinel, tmp_path):
    address, (master, _) = sentinel
    times = {"socket_timeout": 1, "socket_connect_timeout": 1}
    cache = RedisCache(address, {"OPTIONS": {"pool_class": "apps.matches.redis_addresses.CachePool", **times}})
    count = shared_counter(address)
    assert health.redis_server(address)() == "answers PING"
    end = time.monotonic() + TIMEOUT
    # Sentinel finds the replica at the master.
    with redis_addresses.client(address, **times) as client:
        while not client.info("replication")["connected_slaves"]:
            assert time.monotonic() < end
    cache.set("one", 1)
    assert (cache.get("one"), count("a", 2), count("a", 3)) == (1, 2, 5)
    command = [sys.executable, "-c", TASKS, address]
    with started(command, lambda: worker_answers(address), tmp_path / "log", PYTHONPATH=str(Path.cwd())):
        send(address, tmp_path, 4)
        assert done(tmp_path, 4)
        master.kill()
        while True:
            try:
                cache.set("two", 2)
                count("a", 1)
                break
            except redis_addresses.redis.RedisError:
                assert time.monotonic() < end
        assert cache.get("two") == 2
        (tmp_path / "after").mkdir()
        send(address, tmp_path / "after", 4)
        assert done(tmp_path / "after", 4)


def test_over_tls_the_certificate_is_checked_by_every_user_of_redis(over_tls):
    address, authority = over_tls
    trusted = f"{address}?ssl_ca_certs={authority}"
    assert health.redis_server(trusted)() == "answers PING"
    assert broker.waiting(trusted, timeout=5)["jobs"] == broker.Waiting(0, 0.0)
    with closed_connections(), health.bare_celery(trusted).connection_for_write() as connection:
        connection.default_channel.client.ping()
    with pytest.raises(health.Unhealthy, match="certificate verify failed"):
        health.redis_server(address)()
    with closed_connections(), pytest.raises(health.Unhealthy, match="certificate verify failed"):
        health.WorkerPings(["nobody"], address).check_of("nobody")()
