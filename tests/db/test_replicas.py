"""Reads from a streaming replica: never older than what this process was told of, and never an error of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection, connections
from django.http import HttpResponse
from django.utils import timezone

from apps.api.models import ApiKey
from apps.matches import replicas
from apps.matches.connections import prepared
from apps.matches.models import Region
from apps.matches.selectors import recent_results
from spai.probes import readyz
from spai.stack import servers
from spai.stack.environment import SUPERUSER
from spai.stack.temporary import TemporaryServers

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class Standby(TemporaryServers):
    """A streaming replica of the PostgreSQL of the tests."""

    def start(self) -> int:
        """Copy the primary and follow it; return the port."""
        primary = urlsplit(os.environ["DATABASE_URL"])
        self.address = f"postgresql://{SUPERUSER}:{primary.password}@127.0.0.1"
        with psycopg.connect(f"{self.address}:{primary.port}/postgres") as session:
            major = session.info.server_version // 10_000
        cluster = servers.Cluster(servers.find_postgres(major=major), self.folder / "postgres")
        copy = [str(cluster.program.path.with_name("pg_basebackup")), "--write-recovery-conf", "--checkpoint=fast"]
        copy += ["--pgdata", str(cluster.data), "--dbname", f"{self.address}:{primary.port}/postgres"]
        subprocess.run(servers.unprivileged(copy), cwd="/", check=True, capture_output=True)

        def answers(port: int) -> bool:
            try:
                psycopg.connect(f"{self.address}:{port}/postgres").close()
            except psycopg.OperationalError:
                return False
            return True

        settings = {"hot_standby": "on", "max_connections": "60"}
        self.port = self._run("postgres", lambda port: servers.postgres_command(cluster, port, settings), answers)
        return self.port

    def tell(self, statement: str) -> None:
        """Execute a statement as the superuser."""
        with psycopg.connect(f"{self.address}:{self.port}/postgres", autocommit=True) as session:
            session.execute(statement)


@pytest.fixture(scope="module")
def standby() -> Iterator[Standby]:
    """A streaming replica."""
    with Standby("spai-standby-") as running:
        running.start()
        yield running


@pytest.fixture
def clock() -> list[float]:
    """The time, which a test moves."""
    return [1000.0]


@pytest.fixture(autouse=True)
def replica(standby, clock, settings, monkeypatch) -> Iterator[Standby]:
    """The settings of a replica, which follows."""
    settings.DATABASE_ROUTERS = ["apps.matches.replicas.ReplicaRouter"]
    primary = connections.settings["default"]
    options = primary["OPTIONS"] | {"target_session_attrs": "any"}
    connections.settings["replica"] = primary | {"PORT": standby.port, "OPTIONS": options}
    connection = connections["replica"]

    def ensure_connection() -> None:
        # As Django's, without the check that a test names its databases: those exist before it.
        if connection.connection is None:
            with connection.wrap_database_errors:
                connection.connect()

    monkeypatch.setattr(connection, "ensure_connection", ensure_connection)
    monkeypatch.setattr(replicas, "_freshness", replicas._Freshness(lambda: clock[0]))
    yield standby
    if not standby.processes[0].poll():
        standby.tell("SELECT pg_wal_replay_resume()")
    connections["replica"].close()
    del connections["replica"]
    del connections.settings["replica"]


def read_from() -> str:
    """The database from which a request would read now."""
    with replicas.from_replica():
        return Region.objects.all().db


def await_replica() -> None:
    """Wait until the replica has everything."""
    replicas.must_follow()
    end = time.monotonic() + 30
    while read_from() != "replica":
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_read_of_matches_goes_to_the_replica(django_assert_num_queries):
    Region.objects.create(name="Nowhere")
    await_replica()
    with replicas.from_replica(), django_assert_num_queries(0):
        assert Region.objects.filter(name="Nowhere").exists()
        assert prepared("SELECT pg_is_in_recovery(), %s::int", [1]) == [(True, 1)]
        assert recent_results([1], timezone.now(), 5) == {1: []}
        assert ApiKey.objects.all().db == "default"
    assert Region.objects.all().db == "default"


def test_what_this_process_was_told_of_is_read_from_the_primary_until_the_replica_has_it(replica):
    await_replica()
    replica.tell("SELECT pg_wal_replay_pause()")
    Region.objects.create(name="Told")
    assert read_from() == "replica"
    replicas.must_follow()
    with replicas.from_replica():
        assert Region.objects.filter(name="Told").exists()
    assert read_from() == "default"
    replica.tell("SELECT pg_wal_replay_resume()")
    await_replica()
    with replicas.from_replica():
        assert Region.objects.filter(name="Told").exists()


def test_a_replica_that_lags_for_longer_than_allowed_is_not_read(replica, clock, settings):
    settings.SPAI_REPLICA_LAG_SECONDS = 5
    await_replica()
    replica.tell("SELECT pg_wal_replay_pause()")
    Region.objects.create(name="Late")
    found = []
    for _ in range(9):
        clock[0] += 1
        found.append(read_from())
    # The write was seen at the first look, a second later.
    assert found == ["replica"] * 5 + ["default"] * 4
    replica.tell("SELECT pg_wal_replay_resume()")
    await_replica()


def test_after_a_pause_in_which_nobody_looked_the_replica_must_have_everything(replica, clock):
    await_replica()
    replica.tell("SELECT pg_wal_replay_pause()")
    Region.objects.create(name="Later")
    clock[0] += 3600
    assert read_from() == "default"


def test_who_has_written_reads_from_the_primary(standby):
    await_replica()
    with replicas.from_replica():
        assert Region.objects.all().db == "replica"
        Region.objects.create(name="Own")
        assert Region.objects.filter(name="Own").exists()
        assert Region.objects.all().db == "default"
    assert read_from() == "replica"


@pytest.mark.parametrize(("method", "database"), [("GET", "replica"), ("HEAD", "replica"), ("POST", "default")])
def test_only_requests_for_reading_are_answered_from_the_replica(rf, method, database):
    await_replica()
    answer = replicas.ReplicaMiddleware(lambda request: HttpResponse(Region.objects.all().db))
    assert answer(rf.generic(method, "/")).content.decode() == database


def test_without_the_replica_reads_go_to_the_primary_and_come_back_later(replica, clock):
    await_replica()
    connections["replica"].close()
    connections["replica"].settings_dict["PORT"] = 1
    assert read_from() == "default"
    connections["replica"].settings_dict["PORT"] = replica.port
    assert read_from() == "default"
    clock[0] += 6
    assert read_from() == "replica"


@contextmanager
def without_primary() -> Iterator[None]:
    """The primary does not answer."""
    position = replicas._position

    def of_the_replica(alias: str) -> int:
        if alias == "default":
            raise replicas.DatabaseError("gone")
        return position(alias)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replicas, "_position", of_the_replica)
        yield


def test_without_the_primary_what_the_replica_has_is_read(replica, clock):
    await_replica()
    clock[0] += 60
    with without_primary():
        assert read_from() == "replica"


def test_without_the_primary_a_replica_that_lags_is_read_until_the_primary_is_back(replica, clock):
    await_replica()
    replica.tell("SELECT pg_wal_replay_pause()")
    Region.objects.create(name="Lost")
    replicas.must_follow()
    assert read_from() == "default"
    clock[0] += 60
    with without_primary():
        assert read_from() == "replica"
        replicas.must_follow()
        assert read_from() == "replica"
    clock[0] += 6
    assert read_from() == "default"


def test_a_primary_that_does_not_answer_is_asked_again_after_a_pause(replica, clock, monkeypatch):
    await_replica()
    clock[0] += 60
    with without_primary():
        assert read_from() == "replica"
    asked = []
    monkeypatch.setattr(replicas, "_position", lambda alias: asked.append(alias) or 1)
    clock[0] += 4
    assert read_from() == "replica"
    assert "default" not in asked
    clock[0] += 2
    read_from()
    assert "default" in asked


def test_when_one_of_several_replicas_is_gone_another_is_asked_at_once(replica, monkeypatch):
    await_replica()
    connections["replica"].close()
    position, gone = replicas._position, ["replica"]

    def without_the_first(alias: str) -> int:
        if alias in gone:
            gone.remove(alias)
            raise replicas.DatabaseError("gone")
        return position(alias)

    monkeypatch.setattr(replicas, "_position", without_the_first)
    assert (read_from(), gone) == ("replica", [])


def test_what_is_to_be_the_primary_is_never_a_server_that_only_reads(standby):
    session = connection.copy()
    session.settings_dict["PORT"] = standby.port
    with pytest.raises(psycopg.OperationalError, match="read-only"):
        session.connect()


def test_the_site_is_ready_while_the_replica_answers(rf, settings, django_assert_num_queries):
    settings.SPAI_ROLE = "admin"
    await_replica()
    with replicas.from_replica(), django_assert_num_queries(0):
        assert readyz(rf.get("/readyz")).status_code == 200


def test_the_settings_of_a_replica_are_those_of_the_primary_with_its_address():
    code = "import spai.settings as s; print(s.DATABASES['replica'], s.MIDDLEWARE[-1], s.DATABASE_ROUTERS)"
    address = "postgresql://reader:key@replica:6432/spai?sslmode=require"
    environment = os.environ | {"SECRET_KEY": "s", "DATABASE_REPLICA_URL": address, "SPAI_ROLE": "web"}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    for part in (
        "'spai.postgresql'",
        "'HOST': 'replica'",
        "'PORT': 6432",
        "'sslmode': 'require'",
        "'CONN_MAX_AGE': 60",
    ):
        assert part in said
    assert "apps.matches.replicas.ReplicaMiddleware ['apps.matches.replicas.ReplicaRouter']" in said
