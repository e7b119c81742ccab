"""`manage.py api_key create | list | revoke`: API keys on the command line."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug
from django.utils import timezone

from apps.api import services
from apps.api.models import ApiKey, ApiKeyScope
from apps.matches.models import World
from apps.matches.services import command_user

LONGEST_NAME = 80
LONGEST_SOURCE = 40
LARGEST_LIMIT = 2**31 - 1


class Command(BaseCommand):
    """Create, list and revoke API keys."""

    help = "Create an API key for a program, list the keys, or revoke one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_subparsers(dest="what", required=True, metavar="create|list|revoke")
        create = what.add_parser("create", help="create a key and print it, once, on standard output")
        create.add_argument("name", help="the program that uses it")
        create.add_argument(
            "--scope",
            action="append",
            choices=ApiKeyScope.values,
            help="a right that it gives; repeatable; default: read and predict, or ingest with --source",
        )
        create.add_argument("--source", default="", help="for ingest: name under which its records are stored")
        create.add_argument(
            "--world",
            action="append",
            choices=World.values,
            help="for ingest: a world that it may write to; repeatable; default: real",
        )
        create.add_argument("--limit", type=int, help="requests per minute; 0 for no limit; default: that of all keys")
        create.add_argument("--days", type=int, help="days until it expires; default: it does not expire")
        create.add_argument(
            "--shares-source", action="store_true", help="store under the name of a source that SPAI reads itself"
        )
        listed = what.add_parser("list", help="list all keys")
        listed.add_argument("--json", action="store_true", help="print one JSON document")
        revoke = what.add_parser("revoke", help="revoke a key at once and for good")
        revoke.add_argument("prefix", help="the eight characters after spai_")
        revoke.add_argument(
            "--yes", action="store_true", help="do not ask for confirmation; without a terminal there is no question"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        {"create": self._create, "list": self._list, "revoke": self._revoke}[options["what"]](options)

    def _create(self, options: dict[str, Any]) -> None:
        name, source, days = options["name"].strip(), options["source"], options["days"]
        limit: int | None = options["limit"]
        if not 1 <= len(name) <= LONGEST_NAME:
            raise CommandError(f"The name must have 1 to {LONGEST_NAME} characters.")
        if source:
            try:
                validate_slug(source)
            except ValidationError as error:
                raise CommandError("--source must consist of letters, digits, - and _, such as my-feed.") from error
        if len(source) > LONGEST_SOURCE:
            raise CommandError(f"--source must have at most {LONGEST_SOURCE} characters.")
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--days must lie between 1 and 36500.")
        if limit is not None and not 0 <= limit <= LARGEST_LIMIT:
            raise CommandError(f"--limit must lie between 0 and {LARGEST_LIMIT}.")
        default = [ApiKeyScope.INGEST] if source else [ApiKeyScope.READ, ApiKeyScope.PREDICT]
        scopes = sorted(set(options["scope"] or default))
        worlds = sorted(set(options["world"] or ([World.REAL] if ApiKeyScope.INGEST in scopes else [])))
        now = timezone.now()
        try:
            services.check_writes(scopes=scopes, source=source, worlds=worlds)
            made = services.create_key(
                name=name,
                scopes=scopes,
                source=source,
                worlds=worlds,
                created_by=command_user(),
                now=now,
                expires_at=now + timedelta(days=days) if days else None,
                requests_per_minute=limit,
                shares_source=options["shares_source"],
            )
        except services.KeyFieldError as error:
            raise CommandError(f"--{error.field.removesuffix('s')}: {error}") from error
        except services.SourceTakenError as error:
            raise CommandError(f"{error} (--shares-source confirms it.)") from error
        writes = f" and stores under {source} in {', '.join(worlds)}" if source else ""
        self.stderr.write(
            f"{made.row} has the scopes {', '.join(scopes)}{writes}. Store the key; it is shown only once."
        )
        self.stdout.write(made.token)

    def _list(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        keys = ApiKey.objects.order_by("id")
        rows: list[dict[str, Any]] = [
            {
                "prefix": key.prefix,
                "name": key.name,
                "source": key.source,
                "worlds": key.worlds,
                "scopes": key.scopes,
                "requests_per_minute": key.requests_per_minute,
                "state": services.state_of(key, now=now),
                "created_at": key.created_at.isoformat(),
                "created_by": key.created_by,
                "expires_at": key.expires_at.isoformat() if key.expires_at else None,
                "latest_used_at": key.latest_used_at.isoformat() if key.latest_used_at else None,
            }
            for key in keys
        ]
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False, indent=1))
            return
        self.stdout.write(
            f"{'prefix':<8}  {'state':<8}  {'scopes':<22}  {'source':<20}  {'worlds':<13}  {'latest use':<16}  name"
        )
        for row in rows:
            used = (row["latest_used_at"] or "never")[:16].replace("T", " ")
            scopes, worlds = ", ".join(row["scopes"]), ", ".join(row["worlds"])
            self.stdout.write(
                f"{row['prefix']:<8}  {row['state']:<8}  {scopes:<22}  {row['source']:<20}  {worlds:<13}  {used:<16}  "
                f"{row['name']}"
            )

    def _revoke(self, options: dict[str, Any]) -> None:
        prefix = options["prefix"].removeprefix("spai_")[:8]
        key = ApiKey.objects.filter(prefix=prefix).first()
        if key is None:
            raise CommandError(f"There is no key {prefix!r}; `manage.py api_key list` shows all.")
        if not options["yes"] and not _agreed(f"Revoke {key} for good? [y/N] "):
            raise CommandError("Nothing was revoked.")
        if services.revoke_key(key=key, by=command_user(), now=timezone.now()):
            self.stdout.write(f"{key} is revoked.")
        else:
            self.stdout.write(f"{key} was revoked before.")


def _agreed(question: str) -> bool:
    """Ask for confirmation at the terminal; True without one, as in a script, which named the key."""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, RuntimeError):
        # Ctrl-D at a terminal means no; empty or closed input means that there is no terminal.
        return sys.stdin is None or not sys.stdin.isatty()
