"""`manage.py import_squad_values FILE… [--source transfermarkt] [--names football-data]`: squad values from tables."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.matches.services import store_squad_values
from apps.scraping.sources import ParseError
from apps.scraping.sources.squad_values import read_squad_values

REFUSALS_SHOWN = 200


class Command(BaseCommand):
    """Import of squad values."""

    help = (
        "Import squad values from tables (CSV) with the columns team, known_on, value_eur and, where they are known, "
        "region (or football-data's division div) and squad_size. No team is created. Values that are stored already "
        "stay as they are, so that the same file can be imported again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--source", default="transfermarkt", help="whose estimates they are (transfermarkt)")
        parser.add_argument(
            "--names", default="football-data", help="the source whose names of teams the file uses (football-data)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import and print what was stored; the exit code is 1 if a file, a line or a name could not be used."""
        if not 0 < len(options["source"]) <= 40:
            raise CommandError("--source must have 1 to 40 characters.")
        problems = 0
        for file in options["files"]:
            try:
                values, unread = read_squad_values(file.name, file.read_bytes())
            except OSError as error:
                raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
            except ParseError as error:
                raise CommandError(f"{error}.") from error
            done = store_squad_values(values, source=options["source"], names_of=options["names"], now=timezone.now())
            refused = sorted([(row.line, row.reason) for row in unread] + done.refused)
            for line, reason in refused[:REFUSALS_SHOWN]:
                self.stdout.write(f"  {file.name}, line {line}: {reason}")
            if len(refused) > REFUSALS_SHOWN:
                self.stdout.write(f"  … and {len(refused) - REFUSALS_SHOWN} more")
            for name, lines in sorted(done.unknown.items()):
                self.stdout.write(f"  {name}: no stored team has this name ({lines} lines)")
            unknown = sum(done.unknown.values())
            self.stdout.write(
                f"{file.name}: {done.created} created, {done.changed} changed, {done.same} same, "
                f"{len(refused)} refused, {unknown} of unknown teams"
            )
            problems += len(refused) + unknown
        if problems:
            raise CommandError(
                f"{problems} lines were not stored; the others are. Correct them, or import the matches of the "
                "unknown teams first, and import the file again."
            )
