"""Tables, reference data, roles, static files and the first admin user of the site. Django must be set up."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection

from spai.stack.environment import Stack, write_private
from spai.stack.revision import packages
from spai.stack.roles import owner_in

LOCK_SECONDS = 10
"""How long a migration waits for a table; every read of that table waits behind it."""


@contextmanager
def as_owner(stack: Stack) -> Iterator[None]:
    """Use the database as the role that owns its tables."""
    login, owner = connection.settings_dict, owner_in(stack.owner_database)
    site = {name: login[name] for name in ("USER", "PASSWORD")}
    connection.close()
    login |= {"USER": owner.role, "PASSWORD": owner.password}
    try:
        yield
    finally:
        connection.close()
        login |= site


def migrate() -> str:
    """Run the migrations; return a summary.

    Raises
    ------
    OperationalError
        When a table was in use for longer than `LOCK_SECONDS`; migrations before that one stay applied.
    """
    output = io.StringIO()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS}s"])
        try:
            call_command("migrate", interactive=False, verbosity=1, stdout=output)
        finally:
            cursor.execute("RESET lock_timeout")
    applied = output.getvalue().count(" OK")
    return f"{applied} migrations applied" if applied else "tables are up to date"


def migrate_as_owner(stack: Stack) -> str:
    """Run the migrations as the role that owns the tables of a stack; see `migrate`."""
    with as_owner(stack):
        return migrate()


def load_reference_data() -> str:
    """Store the facts that come with SPAI; return a summary."""
    output = io.StringIO()
    call_command("load_reference_data", stdout=output)
    return output.getvalue().strip()


def update_roles() -> str:
    """Give the roles the permissions of this version; return a summary."""
    output = io.StringIO()
    call_command("staff", "roles", stdout=output)
    return output.getvalue().strip()


def static_fingerprint() -> str:
    """Return a hash of all that determines the static files: packages, our own files, and the storage."""
    digest = hashlib.sha256(f"{settings.STORAGES['staticfiles']}{packages()}".encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            digest.update(f"{path}\0{storage.size(path)}\0{storage.get_modified_time(path).timestamp()}\0".encode())
    return digest.hexdigest()


def collect_static(stack: Stack) -> str:
    """Collect and compress the static files when something has changed; return a summary."""
    mark, now = stack.var / "static.fingerprint", static_fingerprint()
    if mark.is_file() and mark.read_text() == now and settings.STATIC_ROOT.is_dir():
        return "unchanged"
    output = io.StringIO()
    call_command("collectstatic", interactive=False, verbosity=1, stdout=output)
    mark.write_text(now)
    return output.getvalue().strip().splitlines()[-1].strip(" .") if output.getvalue().strip() else "collected"


def make_admin(stack: Stack, name: str, password: str) -> str:
    """Create a superuser and store its password in a private file; return an empty string when there is one already."""
    users = get_user_model()._default_manager
    if users.filter(is_superuser=True).exists():
        return ""
    write_private(stack.password_file, f"{password}\n")
    users.create_superuser(username=name, password=password, email="")
    return password
