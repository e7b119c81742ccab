"""Dumps of PostgreSQL databases by pg_dump, and their restoration in one transaction."""

# ruff: noqa: S603  every command is built here

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from apps.matches.connections import first_line
from apps.matches.locks import Lock
from spai.backup.errors import BackupError
from spai.stack import servers

RETENTION_MINUTES: Final = 10
"""Longest wait for retention, which deletes nothing while a backup is made."""

TABLES: Final = """
SELECT relation.oid::regclass::text FROM pg_class AS relation JOIN pg_namespace AS schema ON schema.oid = relnamespace
WHERE relkind = 'r' AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%%'
ORDER BY 1
"""
CHECKSUM: Final = """
SELECT count(*), coalesce(sum(('x' || left(md5(CAST(whole_row AS text)), 15))::bit(60)::bigint), 0)::text
FROM {} AS whole_row
"""
"""Number of rows, and a sum over their hashes, which does not depend on their order."""

EMPTY_SCHEMA: Final = (
    "DROP SCHEMA public CASCADE",
    "CREATE SCHEMA public AUTHORIZATION pg_database_owner",
    "GRANT USAGE ON SCHEMA public TO PUBLIC",
)
"""What a new database has."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database that is backed up, and the address under which that is done."""

    name: str  # in the archive
    address: str

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a session; close it at the end.

        Raises
        ------
        BackupError
            When PostgreSQL refuses, or is lost meanwhile.
        """
        try:
            with psycopg.connect(self.address, autocommit=True, connect_timeout=5) as session:
                session.execute("SET TIME ZONE 'UTC'")
                yield session
        except psycopg.Error as error:
            raise BackupError(f"PostgreSQL, database {self.name}: {first_line(error)}") from error

    @property
    def server_major(self) -> int:
        """The major version of its server."""
        with self.session() as session:
            return session.info.server_version // 10_000

    def tables(self) -> list[str]:
        """Return the names of its tables."""
        with self.session() as session:
            return [name for (name,) in session.execute(TABLES)]

    def refuse_other_sessions(self) -> None:
        """Raise `BackupError` when anything else uses it."""
        with self.session() as session:
            rows = session.execute(
                "SELECT concat_ws(' ', usename, client_addr, nullif(application_name, '')) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            ).fetchall()
        if rows:
            names = "; ".join(sorted({who for (who,) in rows})[:3])
            raise BackupError(
                f"{len(rows)} sessions use the database {self.name} ({names})."
                " Stop the processes of the site and its workers, then restore."
            )

    def migrations(self) -> list[str]:
        """Return the migrations of Django that are applied to it; empty for a database of MLflow."""
        with self.session() as session:
            if session.execute("SELECT to_regclass('django_migrations') IS NULL").fetchone() == (True,):
                return []
            rows = session.execute("SELECT app || '.' || name FROM django_migrations ORDER BY id")
            return [name for (name,) in rows]

    def checksums(self) -> dict[str, list[Any]]:
        """Return the number of rows and the checksum of each table."""
        with self.session() as session:
            return checksums(session)

    def command(self, program: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """Return the command of a program of PostgreSQL, and its environment, which has the password."""
        given: dict[str, Any] = dict(conninfo_to_dict(self.address))
        environment = servers.client_environment(str(given.pop("password", None) or ""))
        return [str(program), "--no-password", f"--dbname={make_conninfo(**given)}", *arguments], environment


def checksums(session: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """Return the number of rows and the checksum of each table, as a session sees them."""
    names = [name for (name,) in session.execute(TABLES)]
    found = {}
    for name in names:
        # The name is a regclass, quoted where that is needed.
        query = sql.SQL(CHECKSUM).format(sql.SQL(name))
        found[name] = list(session.execute(query).fetchone() or ())
    return found


@contextmanager
def no_retention(database: Database) -> Iterator[None]:
    """Let retention delete nothing meanwhile: files are copied after the rows that refer to them.

    Raises
    ------
    BackupError
        When retention runs for too long.
    """
    with database.session() as session:
        session.execute(f"SET lock_timeout = '{RETENTION_MINUTES}min'")
        try:
            session.execute("SELECT pg_advisory_lock(%s)", [int(Lock.RETENTION)])
        except psycopg.errors.LockNotAvailable as error:
            raise BackupError(
                f"Retention has been deleting for more than {RETENTION_MINUTES} min. Start the backup again later."
            ) from error
        yield


def dump(database: Database, target: Path) -> dict[str, Any]:
    """Write all of a database to a file; return what the manifest says about it.

    Rows and their checksums are of one instant.

    Raises
    ------
    BackupError
        When pg_dump is missing or fails.
    """
    server = database.server_major
    program = servers.client_program("pg_dump", server)
    with database.session() as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        (snapshot,) = session.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        arguments = ("--format=custom", f"--snapshot={snapshot}", f"--file={target}")
        command, environment = database.command(program.path, *arguments)
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
            try:
                tables = checksums(session)
            except BaseException:
                running.kill()
                raise
            _, said = running.communicate()
        if running.returncode:
            raise BackupError(f"pg_dump failed: {_reason(said)}")
    return {
        "file": target.name,
        "server": server,
        "pg_dump": program.major,
        "migrations": database.migrations(),
        "tables": tables,
    }


def read_through(file: Path, major: int) -> None:
    """Let pg_restore read a dump to its end.

    Raises
    ------
    BackupError
        When it cannot.
    """
    program = servers.client_program("pg_restore", major)
    command = [str(program.path), "--file=/dev/null", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"pg_restore cannot read {file}: {_reason(done.stderr)}")


def _reason(said: str) -> str:
    """Return the first error that a program of PostgreSQL reports, else its last line."""
    lines = [line for line in said.splitlines() if line.strip()]
    return next((line for line in lines if "ERROR:" in line or "FATAL:" in line), lines[-1] if lines else "")


def refuse_older_server(database: Database, facts: Mapping[str, Any]) -> None:
    """Raise `BackupError` when the server of a database is older than the dump."""
    if database.server_major < facts["pg_dump"]:
        raise BackupError(
            f"The dump of {database.name} was made by pg_dump {facts['pg_dump']}, and its database is on PostgreSQL "
            f"{database.server_major}. Restore it into PostgreSQL {facts['pg_dump']} or newer."
        )


def restore(database: Database, file: Path, facts: Mapping[str, Any]) -> None:
    """Replace all of a database by a dump, in one transaction: it is restored as a whole or stays as it is.

    Owners are restored where the session is one of a superuser; else all belongs to its role.

    Raises
    ------
    BackupError
        When PostgreSQL refuses, or the restored rows are not those of the manifest.
    """
    reader = servers.client_program("pg_restore", facts["pg_dump"])
    with database.session() as session:
        is_superuser = session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    owners = () if is_superuser == (True,) else ("--no-owner",)
    writes = [argument for statement in EMPTY_SCHEMA for argument in ("--command", statement)]
    psql, environment = database.command(
        reader.path.with_name("psql"),
        *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"),
        *(*writes, "--file=-"),
    )
    with subprocess.Popen(
        [str(reader.path), "--file=-", *owners, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reading:
        writing = subprocess.run(
            psql, env=environment, stdin=reading.stdout, capture_output=True, text=True, check=False
        )
        _, said = reading.communicate()
    if writing.returncode or reading.returncode:
        reason = _reason(writing.stderr) or _reason(said)
        raise BackupError(f"The database {database.name} was not restored and is as it was before: {reason}")
    found = database.checksums()
    wanted = facts["tables"]
    if differing := sorted(name for name in found.keys() | wanted if found.get(name) != wanted.get(name)):
        raise BackupError(f"Restored, but these tables are not as in the archive: {', '.join(differing)}")
