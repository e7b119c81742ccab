"""`manage.py migrate`: Django's, and afterwards the rights of the application's role on what it has created."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections


class Command(migrate.Command):
    """Migrates the database as the role that owns the tables; docs/postgresql.md says which role that is."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate, then grant the rights."""
        super().handle(*args, **options)
        with connections[options["database"]].cursor() as cursor:
            cursor.execute("SELECT to_regprocedure('spai_grant_application()') IS NOT NULL")
            if cursor.fetchone() == (True,):
                cursor.execute("SELECT spai_grant_application()")
