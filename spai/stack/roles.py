"""Who may do what in the stack's own PostgreSQL: a superuser for maintenance, an owner for each database, the site.

The site's own role owns nothing: it may read and write rows, and no fact may be changed. Migrations run as the owner of
the tables. The roles are put right at every start. Clusters of earlier versions, whose superuser or owner was the
site's own role, are brought over: that superuser is renamed, and the owner is given all that both owned.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from spai.stack.environment import DATABASE_NAME, DATABASE_USER, SUPERUSER, Stack

RETENTION = "spai_retention"
"""The role that may delete facts that are old; the site assumes it for this (`apps/matches/services/retention.py`)."""
APPLICATION = "spai_application"
"""The role with the rights of the site on the tables, of which the site's own role is a member."""
TEMPORARY = "spai_upgrade"
"""A temporary superuser: PostgreSQL does not rename the one that is logged in."""

OWNED = """
SELECT CASE named.type WHEN 'composite type' THEN 'type' WHEN 'statistics object' THEN 'statistics' ELSE named.type END,
       named.identity
FROM (
    SELECT 'pg_class'::regclass AS catalogue, oid FROM pg_class AS relation
    WHERE relowner = %(owner)s::regrole AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
      -- A sequence that belongs to a column changes its owner with the table.
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid
                      AND relkind = 'S' AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i'))
    UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE proowner = %(owner)s::regrole
    UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type
              WHERE typowner = %(owner)s::regrole AND typtype IN ('e', 'd', 'r')
    UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspowner = %(owner)s::regrole
    UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation WHERE collowner = %(owner)s::regrole
    UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprowner = %(owner)s::regrole
    UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass WHERE opcowner = %(owner)s::regrole
    UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily WHERE opfowner = %(owner)s::regrole
    UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE cfgowner = %(owner)s::regrole
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE dictowner = %(owner)s::regrole
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext WHERE stxowner = %(owner)s::regrole
    UNION ALL SELECT 'pg_largeobject'::regclass, oid FROM pg_largeobject_metadata WHERE lomowner = %(owner)s::regrole
) AS thing, pg_identify_object(thing.catalogue, thing.oid, 0) AS named
-- Lower numbers belong to the cluster itself; objects of an extension stay with the extension.
WHERE thing.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = thing.catalogue AND objid = thing.oid AND deptype = 'e')
"""
"""What a role owns in the current database; REASSIGN OWNED refuses to act for a cluster's first superuser."""


class RolesError(Exception):
    """The roles cannot be created or repaired; the message gives the reason and the next step."""


@dataclass(frozen=True)
class Owner:
    """An ordinary role, its password, and the database that it owns."""

    role: str
    password: str
    database: str


def owner_in(address: str) -> Owner:
    """Return the role, password and database that an address of PostgreSQL names."""
    parts = urlsplit(address)
    return Owner(unquote(parts.username or ""), unquote(parts.password or ""), parts.path.strip("/"))


def repair(stack: Stack) -> bool:
    """Create or repair roles, databases and ownership; return whether a cluster of an earlier version was converted.

    Raise `RolesError` when no superuser can log in, `psycopg.Error` when PostgreSQL refuses a step; the next call
    continues there.
    """
    site = owner_in(stack.own["DATABASE_URL"])
    owners = [owner_in(stack.owner_database)]
    if not stack.is_external("mlflow"):
        owners.append(owner_in(stack.mlflow_database))
    refusal = _refusal(stack.superuser_database)
    is_old = bool(refusal)
    if is_old:
        _rename_superuser(stack, refusal)
    with psycopg.connect(stack.superuser_database, autocommit=True) as session:
        session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(TEMPORARY)))
        for owner in (site, *owners):
            _make_role(session, owner)
        _make_groups(session, site)
        for owner in owners:
            if not _exists(session, "pg_database", "datname", owner.database):
                session.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(
                        sql.Identifier(owner.database), sql.Identifier(owner.role)
                    )
                )
        _hand_over_databases(session, owners)
    # What was restored from a backup may have come without them.
    _grant(stack.owner_database)
    return is_old


def _refusal(address: str) -> str:
    """Return why a login with an address fails, empty when it succeeds."""
    try:
        with psycopg.connect(address):
            return ""
    except psycopg.OperationalError as error:
        return str(error).strip()


def _rename_superuser(stack: Stack, refusal: str) -> None:
    """Rename the superuser as which the site of an earlier version logged in to `SUPERUSER`."""
    password = secrets.token_urlsafe(24)
    try:
        with psycopg.connect(stack.maintenance_database, autocommit=True) as session:
            row = session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
            if row != (True,):
                raise RolesError(
                    f"the superuser {SUPERUSER} cannot log in with the password in {stack.maintenance_file}: {refusal}."
                    " If the password is wrong, restore that file from a copy; without it the databases cannot be"
                    " maintained"
                )
            session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(TEMPORARY)))
            session.execute(
                sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(
                    sql.Identifier(TEMPORARY), sql.Literal(password)
                )
            )
    except psycopg.OperationalError as error:
        raise RolesError(
            f"neither the superuser of {stack.maintenance_file} nor the role of {stack.env_file} can log in: {error}"
            "Restore these files from a copy"
        ) from error
    address = urlsplit(stack.maintenance_database)
    own = urlunsplit(address._replace(netloc=f"{TEMPORARY}:{password}@{address.hostname}:{address.port}"))
    with psycopg.connect(own) as session:
        session.execute(
            sql.SQL("ALTER ROLE {} RENAME TO {}").format(sql.Identifier(DATABASE_USER), sql.Identifier(SUPERUSER))
        )
        session.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                sql.Identifier(SUPERUSER), sql.Literal(owner_in(stack.superuser_database).password)
            )
        )


def _exists(session: psycopg.Connection, catalogue: str, column: str, name: str) -> bool:
    query = sql.SQL("SELECT FROM {} WHERE {} = %s").format(sql.Identifier(catalogue), sql.Identifier(column))
    return session.execute(query, [name]).fetchone() is not None


def _make_role(session: psycopg.Connection, owner: Owner) -> None:
    verb = "ALTER" if _exists(session, "pg_roles", "rolname", owner.role) else "CREATE"
    session.execute(
        sql.SQL(f"{verb} ROLE {{}} LOGIN NOSUPERUSER PASSWORD {{}}").format(
            sql.Identifier(owner.role), sql.Literal(owner.password)
        )
    )


def _make_groups(session: psycopg.Connection, site: Owner) -> None:
    """Make the roles of retention and of the application, which the site assumes and inherits."""
    for role in (RETENTION, APPLICATION):
        if not _exists(session, "pg_roles", "rolname", role):
            session.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        session.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(site.role)))


def _hand_over_databases(session: psycopg.Connection, owners: list[Owner]) -> None:
    """Give what the superuser owns, and what the site owned, to the owner of each database.

    A database that has none, such as one of tests, becomes the site's.
    """
    roles = {owner.database: owner.role for owner in owners}
    found = session.execute(
        "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE NOT datistemplate AND datallowconn"
        " AND datname <> 'postgres'"
    ).fetchall()
    for name, present in found:
        earlier = (SUPERUSER, DATABASE_USER) if name == DATABASE_NAME else (SUPERUSER,)
        if name not in roles and present not in earlier:
            continue
        role = sql.Identifier(roles.get(name, DATABASE_USER))
        if present in earlier:
            session.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), role))
        with psycopg.connect(session.info.dsn, password=session.info.password, dbname=name) as inside:
            for owner in earlier:
                for kind, identity in inside.execute(OWNED, {"owner": owner}).fetchall():
                    inside.execute(sql.SQL("ALTER {} {} OWNER TO {}").format(sql.SQL(kind), sql.SQL(identity), role))


def _grant(address: str) -> None:
    """Give the application its rights on the tables of the owner who logs in by an address; see matches 0015."""
    with psycopg.connect(address) as session:
        if session.execute("SELECT to_regprocedure('spai_grant_application()') IS NOT NULL").fetchone() == (True,):
            session.execute("SELECT spai_grant_application()")
