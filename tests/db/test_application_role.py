"""What the application may do in the database: write rows and read facts, but neither change facts nor the schema."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import ProgrammingError, connection
from django.db.models import SET_NULL
from django.utils import timezone
from psycopg.errors import InsufficientPrivilege

from apps.matches.models import World
from apps.ml import services
from apps.ml.models import LedgerLeaf
from spai.stack.roles import APPLICATION
from tests.web.conftest import Builder

pytestmark = pytest.mark.django_db

FACTS = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'append_only' ORDER BY 1"


def ask(query: str, *values: object) -> list:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [row[0] if len(row) == 1 else row for row in cursor.fetchall()]


@pytest.fixture
def application():
    """Be the application for this test."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {APPLICATION}")


def test_the_role_owns_nothing_and_is_nobody_special():
    attributes = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin"
    assert ask(f"SELECT {attributes} FROM pg_roles WHERE rolname = %s", APPLICATION) == [(False,) * 6]
    assert ask("SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", APPLICATION) == [0]
    assert ask("SELECT has_schema_privilege(%s, 'public', 'CREATE')", APPLICATION) == [False]


def test_the_architecture_lists_the_facts():
    text = (settings.BASE_DIR / "docs" / "architecture.md").read_text(encoding="utf-8")
    (named,) = re.findall(r"PostgreSQL refuses an UPDATE or DELETE of (.+?)\. ", text, flags=re.S)
    tables = {model.__name__: model._meta.db_table for model in apps.get_models()}
    assert sorted(tables[name] for name in re.findall(r"`(\w+)`", named)) == ask(FACTS)


def test_facts_are_added_and_read_and_never_changed():
    facts = ask(FACTS)
    assert len(facts) > 12
    allowed = {
        (table, right)
        for table in facts
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
        if ask("SELECT has_table_privilege(%s, %s, %s)", APPLICATION, table, right) == [True]
    }
    assert allowed == {(table, right) for table in facts for right in ("SELECT", "INSERT")}
    columns = ask(
        "SELECT table_name, column_name FROM information_schema.column_privileges"
        " WHERE grantee = %s AND privilege_type = 'UPDATE' AND table_name = ANY(%s)",
        APPLICATION,
        facts,
    )
    assert sorted(columns) == [
        ("matches_event", "number"),
        ("matches_matchchange", "match_id"),
        ("ml_promotion", "user_id"),
    ]


def test_rows_whose_deletion_empties_a_link_of_a_fact_can_be_deleted():
    facts = set(ask(FACTS))
    links = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        if model._meta.db_table in facts
        for field in model._meta.concrete_fields
        if field.remote_field and field.remote_field.on_delete is SET_NULL
    }
    assert ("ml_promotion", "user_id") in links
    for table, column in links:
        assert ask("SELECT has_column_privilege(%s, %s, %s, 'UPDATE')", APPLICATION, table, column) == [True], table


def test_every_table_of_a_model_can_be_read_and_added_to():
    for model in apps.get_models(include_auto_created=True):
        for right in ("SELECT", "INSERT"):
            table = model._meta.db_table
            assert ask("SELECT has_table_privilege(%s, %s, %s)", APPLICATION, table, right) == [True], (table, right)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE matches_auditentry SET by = 'nobody'",
        "DELETE FROM ml_prediction",
        "UPDATE matches_event SET payload = '{}'",
        "TRUNCATE ml_score",
        "ALTER TABLE matches_auditentry DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON ml_promotion",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION spai_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
        "DELETE FROM django_migrations",
        "CREATE TABLE mine (id int)",
        "COPY matches_team TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
    ],
)
def test_the_application_may_not(application, statement):
    with connection.cursor() as cursor, pytest.raises(ProgrammingError) as refused:
        cursor.execute(statement)
    assert isinstance(refused.value.__cause__, InsufficientPrivilege)


def test_the_application_analyses_tables_that_it_does_not_own(application):
    assert len(ask("SELECT spai_analyze(VARIADIC %s::regclass[])", ["matches_match", "matches_team"])) == 1


def test_the_application_closes_the_ledger_of_a_day():
    now = timezone.now()
    build = Builder(now)
    match = build.match(kickoff_at=now - timedelta(days=3), goals=(2, 1))
    build.prediction(match, build.version())
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {APPLICATION}")
    report = services.close_due(now=now)
    assert (set(report.closed), report.busy) == ({World.SANDBOX}, False)
    assert LedgerLeaf.objects.count() == 1


def test_rights_that_were_lost_return_with_the_next_migrate():
    with connection.cursor() as cursor:
        cursor.execute(f"REVOKE ALL ON matches_team FROM {APPLICATION}; GRANT UPDATE ON ml_score TO {APPLICATION}")
    call_command("migrate", verbosity=0)
    assert ask("SELECT has_table_privilege(%s, 'matches_team', 'UPDATE')", APPLICATION) == [True]
    assert ask("SELECT has_table_privilege(%s, 'ml_score', 'UPDATE')", APPLICATION) == [False]
