"""Roles of our own PostgreSQL: an ordinary one for each database, in new clusters and in those of earlier versions."""

from __future__ import annotations

import subprocess
import time
from importlib import import_module
from urllib.parse import urlsplit

import psycopg
import pytest

from spai.stack import environment, health, preparation, roles, servers
from spai.stack.environment import SUPERUSER, load
from spai.stack.errors import StackError
from spai.stack.ports import Claims
from spai.stack.report import Report
from spai.stack.temporary import TIMEOUT

EVERYTHING = """
CREATE SCHEMA more;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN more.share AS float CHECK (VALUE <= 1);
CREATE TYPE pair AS (a int, b int);
CREATE TABLE match (id bigserial PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, mood mood, share more.share);
CREATE TABLE more.parted (at date) PARTITION BY RANGE (at);
CREATE TABLE more.part PARTITION OF more.parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE SEQUENCE alone;
CREATE VIEW seen AS SELECT id FROM match;
CREATE MATERIALIZED VIEW kept AS SELECT id FROM match;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE PROCEDURE "an odd; name" (text, int[]) LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
CREATE TRIGGER guard BEFORE INSERT ON match FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE STATISTICS both_columns (dependencies) ON id, number FROM match;
SELECT lo_from_bytea(0, 'kept');
INSERT INTO match (mood, share) VALUES ('good', 0.5), ('bad', 1);
"""
GRANTS = import_module("apps.matches.migrations.0015_application_role")
LEFT = "SELECT count(*) FROM pg_class WHERE relowner = %s::regrole AND oid >= 16384 AND relkind NOT IN ('t', 'i')"


def wait_until(check: health.Check, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            check()
            return
        except health.Unhealthy:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture
def stack(tmp_path):
    if servers.unprivileged_mode() == "nobody":
        pytest.skip("the folders of tests are closed to the user nobody")
    # Until the test ends: other workers choose ports for their stacks meanwhile.
    with Claims() as claims:
        yield environment.complete(load({"SPAI_VAR_DIR": str(tmp_path / "var")}), claims)


@pytest.fixture
def started(stack, tmp_path):
    """Start the stack's PostgreSQL on a new cluster with this superuser."""
    running = []

    def start(superuser: str, password: str) -> None:
        cluster = servers.find_cluster(stack.var)
        servers.make_cluster(cluster, superuser, password)
        command = servers.postgres_command(cluster, stack.port("postgres"), {"fsync": "off", "shared_buffers": "16MB"})
        with (tmp_path / "log").open("wb") as log:
            running.append(subprocess.Popen(command, cwd="/", stdout=log, stderr=log))
        wait_until(health.postgres_listens(stack.own["DATABASE_URL"]), running[-1])

    yield start
    for process in running:
        process.terminate()
        process.wait(20)


def rows(address: str, query: str, *values: object) -> list[tuple]:
    with psycopg.connect(address) as session:
        return session.execute(query, values).fetchall()


def may_not(address: str, statement: str) -> None:
    with psycopg.connect(address) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement)


def test_in_a_new_cluster_the_site_owns_nothing_and_each_database_has_an_owner(stack, started):
    started(SUPERUSER, stack.maintenance["SUPERUSER_PASSWORD"])
    assert roles.repair(stack) is False
    for address, role in ((stack.owner_database, "spai_owner"), (stack.mlflow_database, "mlflow")):
        query = "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        assert rows(address, query) == [(role, False, False, False)]
        with psycopg.connect(address, autocommit=True) as session:
            session.execute("CREATE TABLE fact (id int)")
            session.execute("CREATE EXTENSION pg_trgm")
            session.execute("LISTEN spai_event")
            session.execute("NOTIFY spai_event")
        may_not(address, "SELECT pg_read_file('PG_VERSION')")
        may_not(address, "CREATE ROLE another")
    site = stack.own["DATABASE_URL"]
    for group in (roles.RETENTION, roles.APPLICATION):
        assert rows(site, "SELECT pg_has_role(current_user, %s, 'member')", group) == [(True,)]
    assert rows(site, "SELECT pg_has_role(current_user, 'spai_owner', 'member')") == [(False,)]
    assert rows(site, LEFT, "spai") == [(0,)]
    for statement in ("CREATE TABLE mine (id int)", "ALTER TABLE fact ADD COLUMN mine int", "SELECT * FROM fact"):
        may_not(site, statement)
    mlflow = urlsplit(stack.mlflow_database)
    may_not(mlflow._replace(path="/spai").geturl(), "SELECT * FROM fact")
    # A second start finds all as it should be.
    assert roles.repair(stack) is False


def test_a_cluster_whose_superuser_the_site_was_is_brought_over_without_loss(stack, started):
    started("spai", stack.password("postgres"))
    old = stack.maintenance_database
    with psycopg.connect(old, autocommit=True) as session:
        for name in ("spai", "mlflow", "test_spai"):
            session.execute(f"CREATE DATABASE {name}")
        session.execute("CREATE ROLE reader LOGIN PASSWORD 'own'")
        session.execute("CREATE ROLE spai_retention NOLOGIN")
        # What an attempt left that was interrupted.
        session.execute(f"CREATE ROLE {roles.TEMPORARY} SUPERUSER")
    for name in ("spai", "mlflow", "test_spai"):
        with psycopg.connect(urlsplit(old)._replace(path=f"/{name}").geturl()) as session:
            session.execute(EVERYTHING)
            session.execute("GRANT SELECT ON match TO reader")
    assert roles.repair(stack) is True
    site, owner = stack.own["DATABASE_URL"], stack.owner_database
    for address in (owner, stack.mlflow_database, urlsplit(site)._replace(path="/test_spai").geturl()):
        assert rows(address, "SELECT count(*), max(mood) FROM match") == [(2, "bad")]
        assert rows(address, LEFT, SUPERUSER) == [(0,)]
        assert rows(address, roles.OWNED % {"owner": f"'{SUPERUSER}'"}) == []
        with psycopg.connect(address) as session:
            session.execute("ALTER TABLE match ADD COLUMN later int")
            session.execute("INSERT INTO match (mood) VALUES ('good')")
            session.execute("ALTER TYPE mood RENAME TO temper")
            session.execute("DROP FUNCTION refuse CASCADE")
            session.execute("DROP SCHEMA more CASCADE")
            session.execute("REFRESH MATERIALIZED VIEW kept")
        reader = urlsplit(address)._replace(netloc=f"reader:own@127.0.0.1:{stack.port('postgres')}").geturl()
        assert rows(reader, "SELECT count(*) FROM match") == [(3,)]
    for statement in ("SELECT pg_read_file('PG_VERSION')", "DROP TABLE match", "ALTER TABLE match DISABLE TRIGGER ALL"):
        may_not(site, statement)
    found = rows(stack.superuser_database, "SELECT rolname FROM pg_roles WHERE rolsuper")
    assert found == [(SUPERUSER,)]
    assert roles.repair(stack) is False


def test_what_the_site_owned_becomes_the_owners_and_the_site_gets_its_rights(stack, started):
    started(SUPERUSER, stack.maintenance["SUPERUSER_PASSWORD"])
    site = stack.own["DATABASE_URL"]
    with psycopg.connect(stack.superuser_database, autocommit=True) as session:
        session.execute(f"CREATE ROLE spai LOGIN PASSWORD '{stack.password('postgres')}'")
        session.execute("CREATE DATABASE spai OWNER spai")
    with psycopg.connect(site) as session:
        session.execute("CREATE TABLE django_migrations (id bigserial PRIMARY KEY)")
        session.execute("CREATE TABLE match (id bigserial PRIMARY KEY)")
        session.execute("CREATE TABLE matches_event (id bigserial PRIMARY KEY, number int)")
        session.execute("CREATE TABLE matches_matchchange (id bigserial PRIMARY KEY, match_id int)")
        session.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        for fact in ("matches_event", "matches_matchchange"):
            session.execute(f"CREATE TRIGGER append_only BEFORE DELETE ON {fact} EXECUTE FUNCTION refuse()")
        session.execute(GRANTS.FORWARD)
    assert roles.repair(stack) is False
    assert rows(site, LEFT, "spai") == [(0,)]
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'spai'"
    assert rows(site, owner) == [("spai_owner",)]
    with psycopg.connect(site) as session:
        session.execute("INSERT INTO match DEFAULT VALUES")
        session.execute("UPDATE matches_event SET number = 1")
    for statement in (
        *("INSERT INTO django_migrations DEFAULT VALUES", "DELETE FROM matches_event", "TRUNCATE match"),
        *("UPDATE matches_event SET id = 1", "ALTER TABLE matches_event DISABLE TRIGGER ALL"),
    ):
        may_not(site, statement)


def test_an_upgrade_that_was_interrupted_goes_on(stack, started):
    started("spai", stack.password("postgres"))
    roles._rename_superuser(stack, roles._refusal(stack.superuser_database))
    assert roles.repair(stack) is False
    assert rows(stack.own["DATABASE_URL"], "SELECT current_user") == [("spai",)]


def test_a_lost_password_is_named_with_its_file(stack, started, capsys):
    started(SUPERUSER, "another")
    with pytest.raises(StackError, match=r"neither the superuser of .*maintenance\.env nor the role of"):
        preparation.repair_roles(stack, Report(None))
