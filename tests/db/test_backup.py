"""A backup has everything that cannot be made again, and a restore puts it back as it was or changes nothing."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection

from spai.backup import archive, command
from spai.backup.archive import ArchiveManifest
from spai.backup.errors import BackupError
from spai.stack import environment
from spai.stack.environment import DATABASE_USER, SUPERUSER, Stack
from spai.stack.servers import ServerError, client_program

# Without it the database of the tests is not migrated.
pytestmark = pytest.mark.django_db

FOLDERS = ("snapshots", "dvc-remote", "dvc-cache", "mlflow")
FINGERPRINT = (
    "SELECT md5(coalesce(string_agg(md5(CAST(r AS text)), '' ORDER BY md5(CAST(r AS text))), '')) FROM {} AS r"
)


def silent(text: str) -> None:
    """Say nothing."""


def own_stack(var: Path) -> Stack:
    """A stack whose PostgreSQL is that of the tests."""
    server = urlsplit(os.environ["DATABASE_URL"])
    own = {
        "DATABASE_URL": urlunsplit(server._replace(path="/spai")),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
    }
    return Stack(var=var, own=own, overrides={}, maintenance={"SUPERUSER_PASSWORD": server.password or ""})


def as_superuser(database: str) -> psycopg.Connection:
    """A session of the superuser."""
    server = urlsplit(os.environ["DATABASE_URL"])
    login = f"{SUPERUSER}:{server.password}@{server.hostname}:{server.port}"
    return psycopg.connect(f"postgresql://{login}/{database}", autocommit=True)


@pytest.fixture(scope="module")
def template(django_db_setup, django_db_blocker, tmp_path_factory) -> Path:
    """Databases with rows, of which those of each test are copies, and an archive of a stack that has them."""
    with django_db_blocker.unblock():
        name = connection.settings_dict["NAME"]
    server, folder = urlsplit(os.environ["DATABASE_URL"]), tmp_path_factory.mktemp("template")
    with as_superuser("postgres") as session:
        for database in ("template_spai", "template_mlflow"):
            session.execute(f"CREATE DATABASE {database} OWNER {DATABASE_USER}")
    # From the migrated database, which is in use, by another role than the superuser.
    migrated, filled = (
        Stack(
            var=folder / "var",
            own={},
            overrides={"DATABASE_URL": urlunsplit(server._replace(path=path))},
            maintenance={},
        )
        for path in (f"/{name}", "/template_spai")
    )
    archive.make(migrated, folder / "migrated", silent)
    archive.restore(filled, folder / "migrated", silent, stop=lambda: None, replace=False)
    with psycopg.connect(filled.value("DATABASE_URL"), autocommit=True) as session:
        session.execute(
            "INSERT INTO matches_event (topic, key, payload, created_at)"
            " VALUES ('a.b', '1', '{}', now()), ('a.c', '2', '{}', now())"
        )
    with as_superuser("template_mlflow") as session:
        session.execute("CREATE TABLE runs (id int PRIMARY KEY, note text)")
        session.execute("INSERT INTO runs SELECT n, 'run ' || n FROM generate_series(1, 50) AS n")
    archive.make(new_stack(folder / "var"), folder / "archive", silent)
    return folder / "archive"


def new_stack(var: Path) -> Stack:
    """A stack with tables, rows and files."""
    with as_superuser("postgres") as session:
        for name in ("spai", "mlflow"):
            session.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            session.execute(f"CREATE DATABASE {name} OWNER {DATABASE_USER} TEMPLATE template_{name}")
    made = own_stack(var)
    for name in FOLDERS:
        (made.var / name / "files" / "ab").mkdir(parents=True)
        (made.var / name / "files" / "ab" / name).write_bytes(f"{name} ".encode() * 99)
    for name in ("dvc-cache", "dvc-remote"):
        (made.var / name / "files" / "ab" / "both").write_bytes(b"the same")
        (made.var / name / "files" / "ab" / "both").chmod(0o444)
    return made


@pytest.fixture
def stack(tmp_path, template) -> Stack:
    """A stack with tables, rows and files."""
    return new_stack(tmp_path / "var")


@pytest.fixture
def archived(stack, tmp_path, template) -> Path:
    """An archive of the stack."""
    return shutil.copytree(template, tmp_path / "archive")


def state_of(stack: Stack) -> dict[str, str]:
    """Hashes of all tables, computed by another query than that of the code, and the bytes of all files."""
    found = {}
    for name in ("spai", "mlflow"):
        with as_superuser(name) as session:
            session.execute("SET TIME ZONE 'UTC'")
            tables = session.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                found[f"{name}.{table}"] = session.execute(FINGERPRINT.format(table)).fetchone()[0]
    files = (path for folder in FOLDERS for path in (stack.var / folder).rglob("*") if path.is_file())
    return found | {str(path): f"{path.read_bytes()!r} {path.stat().st_mode:o}" for path in files}


def destroy(stack: Stack) -> None:
    """Lose tables and files, and change others."""
    with as_superuser("spai") as session:
        session.execute("DROP TABLE matches_odds CASCADE")
        session.execute("CREATE TABLE left_over (id int REFERENCES matches_match (id))")
        session.execute("SET session_replication_role = replica")
        session.execute("DELETE FROM matches_event WHERE key = '1'")
    with as_superuser("mlflow") as session:
        session.execute("UPDATE runs SET note = 'changed' WHERE id = 7")
    shutil.rmtree(stack.var / "mlflow")
    (stack.var / "snapshots" / "files" / "ab" / "snapshots").write_bytes(b"changed")
    (stack.var / "snapshots" / "left over").write_bytes(b"")


def restored(stack: Stack, folder: Path, *, with_replacement: bool = True) -> ArchiveManifest:
    """Restore an archive."""
    return archive.restore(stack, folder, silent, stop=lambda: None, replace=with_replacement)


def test_a_restore_brings_back_every_table_and_file_as_it_was(stack, tmp_path):
    before = state_of(stack)
    manifest = archive.make(stack, tmp_path / "archive", silent)
    destroy(stack)
    assert state_of(stack) != before
    restored(stack, tmp_path / "archive")
    assert state_of(stack) == before
    assert manifest.in_both == ["files/ab/both"]
    assert len(manifest.databases["spai"]["tables"]) > 50
    with psycopg.connect(stack.own["DATABASE_URL"], autocommit=True) as session:
        with pytest.raises(psycopg.errors.RestrictViolation):
            session.execute("DELETE FROM matches_event WHERE key = '1'")
        session.execute("INSERT INTO matches_event (topic, key, payload, created_at) VALUES ('a.d', '3', '{}', now())")
        owners = session.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert owners == [(DATABASE_USER,)]


def test_an_archive_is_private_and_never_overwritten(stack, tmp_path):
    target = tmp_path / "archives" / "one"
    options = argparse.Namespace(folder=target, json=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "load", lambda: stack)
        assert command.run("backup", options) == 0
        written = (target / "manifest.json").read_bytes()
        assert command.run("backup", options) == 1
    assert (target / "manifest.json").read_bytes() == written
    assert [path.name for path in target.parent.iterdir()] == ["one"]
    with pytest.raises(BackupError, match="is inside"):
        archive.make(stack, stack.var / "snapshots" / "one", silent)
    assert target.stat().st_mode & 0o077 == 0


def test_a_backup_of_a_stopped_stack_says_how_to_start_it(stack, tmp_path, monkeypatch, capsys):
    closed = urlunsplit(urlsplit(stack.own["DATABASE_URL"])._replace(netloc="spai:secret@127.0.0.1:1"))
    stopped = dataclasses.replace(stack, own={**stack.own, "DATABASE_URL": closed})
    monkeypatch.setattr(environment, "load", lambda: stopped)
    assert command.run("backup", argparse.Namespace(folder=tmp_path / "one", json=False)) == 1
    said = capsys.readouterr().err
    assert "Connection refused" in said
    assert "The stack is stopped" in said
    assert "`make up` starts it" in said
    assert not (tmp_path / "one").exists()


def test_a_backup_that_fails_leaves_nothing(stack, tmp_path, monkeypatch):
    def full(read, written=None):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_hashed", full)
    with pytest.raises(OSError, match="No space"):
        archive.make(stack, tmp_path / "archives" / "one", silent)
    assert list((tmp_path / "archives").iterdir()) == []


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "outside", "both outside"])
def test_a_damaged_archive_is_refused_before_anything_is_touched(stack, archived, damage):
    before, dump = state_of(stack), archived / "spai.dump"
    content = dump.read_bytes()
    if damage == "changed":
        dump.write_bytes(content[:-9] + b"x" + content[-8:])
    elif damage == "cut":
        dump.write_bytes(content[: len(content) // 2])
    elif damage == "gone":
        (archived / "snapshots" / "files" / "ab" / "snapshots").unlink()
    else:
        document = json.loads((archived / "manifest.json").read_text())
        if damage == "outside":
            document["files"]["../outside"] = {"bytes": 0, "sha256": ""}
        else:
            document["in_both"] = ["../outside"]
        (archived / "manifest.json").write_text(json.dumps(document))
    stopped: list[bool] = []
    with pytest.raises(BackupError):
        archive.restore(stack, archived, silent, stop=lambda: stopped.append(True), replace=True)
    assert (state_of(stack), stopped) == (before, [])


def test_data_is_replaced_only_when_told(stack, archived):
    with pytest.raises(BackupError, match="--replace"):
        restored(stack, archived, with_replacement=False)


def test_a_database_that_cannot_be_restored_as_a_whole_stays_as_it_is(stack, archived):
    destroy(stack)
    before = state_of(stack)
    with as_superuser("spai") as session:
        # Late in the dump.
        session.execute("CREATE SCHEMA further")
        session.execute(
            "CREATE FUNCTION further.refuse() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'no tables today'; END $$"
        )
        session.execute(
            "CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER')"
            " EXECUTE FUNCTION further.refuse()"
        )
    with pytest.raises(BackupError, match=r"as it was before: .*no tables today"):
        restored(stack, archived)
    assert state_of(stack) == before
    assert not list(stack.var.rglob(".restore.*"))


def test_a_database_in_use_is_not_restored(stack, archived):
    address = f"{stack.own['DATABASE_URL']}?application_name=worker"
    with psycopg.connect(address), pytest.raises(BackupError, match=r"1 sessions use .*worker"):
        restored(stack, archived)


def test_an_archive_of_newer_code_is_refused(stack, archived):
    document = json.loads((archived / "manifest.json").read_text())
    document["databases"]["spai"]["migrations"].append("ml.9999_later")
    (archived / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(BackupError, match=r"newer code .* ml\.9999_later"):
        restored(stack, archived)


def test_what_is_kept_elsewhere_is_named_and_not_restored_from_an_archive(stack, archived, tmp_path):
    in_bucket = replace(stack, overrides={"SPAI_DVC_REMOTE": "s3://bucket/dvc"})
    with pytest.raises(BackupError, match="has dvc-remote, which this installation keeps elsewhere"):
        restored(in_bucket, archived)
    manifest = archive.make(in_bucket, tmp_path / "second", silent)
    assert manifest.elsewhere == {"dvc-remote": "s3://bucket/dvc"}
    assert not (tmp_path / "second" / "dvc-remote").exists()


def test_a_program_of_postgresql_is_never_older_than_the_server():
    assert client_program("pg_dump", 15).major >= 15
    with pytest.raises(ServerError, match="No pg_dump 99 or newer"):
        client_program("pg_dump", 99)
