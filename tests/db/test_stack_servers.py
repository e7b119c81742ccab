"""Servers of our own: which program, made how, started as whom."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from django.core.cache import cache
from django.db import connection

from spai.stack import health, ports, servers
from spai.stack.servers import Cluster, Program, ServerError
from tests.subprocesses import child_process

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")


@pytest.mark.django_db
def test_the_test_run_has_a_postgresql_of_its_own():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_the_test_run_has_a_redis_of_its_own():
    cache.set("question", 42, timeout=None)
    assert cache.get("question") == 42


def test_the_embedded_programs_are_new_enough():
    postgres, redis = servers.find_postgres("embedded"), servers.find_redis("embedded")
    assert postgres.major >= servers.OLDEST_POSTGRES
    assert redis.major >= servers.OLDEST_REDIS
    assert (postgres.origin, redis.origin) == ("embedded", "embedded")


@pytest.mark.parametrize(
    ("system", "choice", "major", "expected"),
    [
        ([17, 15], "auto", None, (17, "system")),
        ([14], "auto", None, (18, "embedded")),
        ([], "auto", None, (18, "embedded")),
        ([17], "embedded", None, (18, "embedded")),
        ([17, 15], "auto", 15, (15, "system")),
        ([17], "auto", 18, (18, "embedded")),
    ],
)
def test_the_program_is_the_newest_that_fits_the_cluster(monkeypatch, tmp_path, system, choice, major, expected):
    found = [Program(tmp_path / str(number), number, "system") for number in system]
    monkeypatch.setattr(servers, "system_postgres", lambda: found)
    monkeypatch.setattr(servers, "embedded_postgres", lambda: Program(tmp_path / "18", 18, "embedded"))
    program = servers.find_postgres(choice, major)
    assert (program.major, program.origin) == expected


def test_a_cluster_whose_version_is_gone_says_which_one_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(servers, "system_postgres", list)
    monkeypatch.setattr(servers, "embedded_postgres", lambda: Program(tmp_path, 18, "embedded"))
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(ServerError, match=r"created by version 15, .*\(found: 18\).*apt-get install postgresql-15"):
        servers.find_cluster(tmp_path, mode="plain")


def test_no_postgresql_at_all_says_what_to_install(monkeypatch):
    monkeypatch.setattr(servers, "system_postgres", list)
    with pytest.raises(ServerError, match="apt-get install postgresql"):
        servers.find_postgres("system")


def test_an_occupied_port_is_passed_over():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not ports.port_is_free(port)
        assert ports.free_port(port, upwards=True) > port
    assert ports.port_is_free(port)


def test_a_promised_port_is_not_given_twice():
    port = ports.free_port()
    assert ports.free_port(port, taken=[port], upwards=True) != port


def answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        try:
            health.postgres(address)()
        except health.Unhealthy:
            time.sleep(0.05)
        else:
            return True
    return False


def run_a_cluster(cluster: Cluster, mode: str, log) -> int:
    """Make and run `cluster` in this way; return the user that its files belong to."""
    servers.make_cluster(cluster, "spai", "a/secret", mode)
    port = ports.free_port()
    command = servers.postgres_command(cluster, port, {"fsync": "off", "shared_buffers": "16MB"}, mode)
    with log.open("wb") as output, child_process(command, cwd="/", stdout=output, stderr=output) as process:
        try:
            address = f"postgresql://spai:a%2Fsecret@127.0.0.1:{port}/postgres"
            assert answers(address, process), log.read_text()
            with pytest.raises(health.Unhealthy, match="password"):
                health.postgres(address.replace("secret", "guess"))()
            with psycopg.connect(address) as session:
                row = session.execute("SELECT current_setting('server_encoding'), 'é' < 'f', lower('É')").fetchone()
            assert row == ("UTF8", False, "é")
            servers.remove_stale_lock(cluster)
            assert (cluster.data / "postmaster.pid").exists()
        finally:
            process.terminate()
            process.wait(60)
    return cluster.data.stat().st_uid


@pytest.mark.parametrize("choice", ["embedded", "system"])
def test_a_new_cluster_wants_its_password_and_sorts_by_code_point(tmp_path, choice):
    mode = servers.unprivileged_mode()
    try:
        cluster = servers.find_cluster(tmp_path, choice, mode)
    except ServerError as reason:
        pytest.skip(str(reason))
    if mode == "nobody":
        pytest.skip("the next test runs PostgreSQL as nobody")
    assert run_a_cluster(cluster, mode, tmp_path / "log") == os.getuid()
    assert stat.S_IMODE(cluster.data.stat().st_mode) == 0o700


@needs_root
def test_without_user_namespaces_root_runs_postgresql_as_nobody(tmp_path, monkeypatch):
    # A stand-in for /var/lib: somewhere that every user may enter.
    monkeypatch.setattr(servers, "OPEN_FOLDER", Path("/var/tmp"))
    tmp_path.chmod(0o700)
    # As the stack does it: what it makes is closed to others, who must come to these files all the same.
    before = os.umask(0o077)
    cluster = servers.find_cluster(tmp_path, "embedded", "nobody")
    try:
        assert cluster.data.is_relative_to("/var/tmp")
        assert run_a_cluster(cluster, "nobody", tmp_path / "log") != 0
    finally:
        os.umask(before)
        shutil.rmtree(cluster.data.parent)
        if cluster.program.path.is_relative_to("/var/tmp"):
            shutil.rmtree(cluster.program.path.parents[3])


def test_the_lock_of_a_dead_server_is_removed_and_that_of_a_living_one_kept(tmp_path):
    cluster = Cluster(Program(tmp_path, 18, "embedded"), tmp_path)
    lock = tmp_path / "postmaster.pid"
    servers.remove_stale_lock(cluster)
    # This very process is no PostgreSQL on these files.
    lock.write_text(f"{os.getpid()}\n{tmp_path}\n")
    servers.remove_stale_lock(cluster)
    assert not lock.exists()
    moved = tmp_path.with_name(f"{tmp_path.name}-renamed")
    # A stand-in that bears the name of the server and works in the folder of its files, as the server does.
    program = tmp_path / "postgres"
    program.symlink_to(shutil.which("sleep") or "")
    with child_process([program, "100000"], cwd=tmp_path) as holder:
        lock.write_text(f"{holder.pid}\n{tmp_path}\n")
        servers.remove_stale_lock(cluster)
        assert lock.exists()
        tmp_path.rename(moved)
        renamed = Cluster(cluster.program, moved)
        servers.remove_stale_lock(renamed)
        assert (moved / "postmaster.pid").exists()
        # On other files it says nothing.
        elsewhere = Cluster(cluster.program, tmp_path)
        tmp_path.mkdir()
        lock.write_text(f"{holder.pid}\n{tmp_path}\n")
        servers.remove_stale_lock(elsewhere)
        assert not lock.exists()


def test_a_process_that_may_not_be_looked_at_may_hold_the_lock(tmp_path, monkeypatch):
    def refuse(process):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "cwd", refuse)
    monkeypatch.setattr(psutil.Process, "name", lambda process: "postgres")
    assert servers.works_in(os.getpid(), tmp_path)


def test_the_redis_configuration_is_private_and_asks_for_a_password(tmp_path):
    command = servers.redis_command(
        Program(tmp_path / "server", 9, "embedded"), tmp_path, 4000, "secret", ["save 300 1"]
    )
    configuration = tmp_path / "redis.conf"
    assert command[-2:] == [str(tmp_path / "server"), str(configuration)]
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600
    lines = configuration.read_text().splitlines()
    assert {"bind 127.0.0.1", "port 4000", "requirepass secret", "save 300 1"} <= set(lines)
