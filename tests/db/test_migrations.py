"""Migrations run while the code of the release before serves: they lock no table for long and take nothing from it."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db.migrations import Migration
from django_migration_linter import MigrationLinter

LATEST_WITHOUT_RULE = {
    "matches": "0014_retention",
    "scraping": "0007_source_days",
    "ml": "0012_retention",
    "api": "0006_trace_of_jobs",
}
"""App → its latest migration that was released before this rule: the site was stopped for these and all before."""
EXCEPTIONS: dict[tuple[str, str], str] = {}
"""Later migration → why it may break the rule, such as a table that no release has filled."""

pytestmark = pytest.mark.django_db


@pytest.fixture
def linter() -> MigrationLinter:
    return MigrationLinter(
        str(settings.BASE_DIR),
        include_apps=list(LATEST_WITHOUT_RULE),
        all_warnings_as_errors=True,
        no_cache=True,
        no_output=True,
    )


def refused(linter: MigrationLinter, migrations: list[Migration]) -> set[tuple[str, str]]:
    """Return those of some migrations that lock a table for long, or that the code before them would not survive."""
    found = set()
    for migration in migrations:
        errors = linter.nb_erroneous
        linter.lint_migration(migration)
        if linter.nb_erroneous > errors:
            found.add((migration.app_label, migration.name))
    return found


def test_a_new_migration_runs_beside_the_code_of_the_release_before(linter):
    migrations = linter.migration_loader.disk_migrations
    names = {(app, name) for app, name in migrations if app in LATEST_WITHOUT_RULE}
    assert set(LATEST_WITHOUT_RULE.items()) <= names
    new = [migrations[app, name] for app, name in sorted(names) if name > LATEST_WITHOUT_RULE[app]]
    assert refused(linter, new) == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("app", "name", "why"),
    [
        ("ml", "0007_plain_names", "it renames a table"),
        ("matches", "0011_how_names_were_found", "it adds a column that old code leaves empty and that may not be"),
        ("matches", "0012_events_by_filter", "it builds an index while nobody may write"),
    ],
)
def test_the_linter_refuses_what_would_stop_the_site(linter, app, name, why):
    assert refused(linter, [linter.migration_loader.disk_migrations[app, name]]) == {(app, name)}, why
