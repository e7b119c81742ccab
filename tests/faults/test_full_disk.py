"""A PostgreSQL whose disk is full, on a small file system of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from spai.stack.temporary import TemporaryServers

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

TIMEOUT = 300.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with little room."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a file system is mounted as root on Linux")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192m,mode=755", "spai-small", str(tmp_path)], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def insert(session: psycopg.Connection, number: int) -> bool:
    """Insert a large row; return whether that was acknowledged."""
    try:
        session.execute("INSERT INTO row VALUES (%s, %s)", [number, os.urandom(100_000).hex()])
    except psycopg.OperationalError:
        return False
    return True


def test_a_postgresql_whose_disk_was_full_has_every_acknowledged_row(small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with TemporaryServers("spai-small-") as servers:
        address = servers.start_postgres({"max_wal_size": "64MB", "min_wal_size": "32MB"})
        with psycopg.connect(address, autocommit=True) as session:
            session.execute("CREATE DATABASE small TEMPLATE template0")
        address, acknowledged = address.replace("/postgres", "/small"), 0
        with psycopg.connect(address, autocommit=True) as session:
            session.execute("CREATE TABLE row (number int, content text)")
            while insert(session, acknowledged + 1):
                acknowledged += 1
            # What is there is read on.
            if not session.broken:
                assert session.execute("SELECT count(*) FROM row").fetchone() == (acknowledged,)
        assert acknowledged > 100
        subprocess.run(["mount", "-o", "remount,size=512m", str(small_disk)], check=True)
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                with psycopg.connect(address, connect_timeout=10) as session:
                    session.execute("INSERT INTO row VALUES (0, '')")
                    found = session.execute("SELECT number FROM row WHERE number > 0 ORDER BY number").fetchall()
                break
            except psycopg.OperationalError:
                assert time.monotonic() < end
                time.sleep(0.2)
        assert [number for (number,) in found][:acknowledged] == list(range(1, acknowledged + 1))
