"""`manage.py retention`: delete what is kept no longer, now."""

from __future__ import annotations

import getpass
import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from apps.matches.services import Deletion, periods_in_force


class Command(BaseCommand):
    """Apply the periods of retention, which the admin lists."""

    help = "Delete what is older than its period, and show what uses the disk. The timetable does so every hour."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count what would be deleted, and delete nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, **options: Any) -> None:
        from apps.api.services.retention import apply_retention

        report = apply_retention(requested_by=f"{getpass.getuser()} (command)", is_dry=options["dry_run"])
        if report.busy:
            raise CommandError("Another process is deleting. Its report will be in the admin, under Retention runs.")
        if options["json"]:
            self.stdout.write(json.dumps({"is_dry_run": options["dry_run"]} | asdict(report), indent=1))
        else:
            self._print(report.deleted, report.errors, report.sizes, is_dry=options["dry_run"])
        if report.errors:
            raise CommandError(f"Not finished: {', '.join(report.errors)}; the lines above say why.")

    def _print(
        self, deleted: dict[str, Deletion], errors: dict[str, str], sizes: dict[str, int], *, is_dry: bool
    ) -> None:
        self.stdout.write(
            f"{'kind':<26} {'kept':>9} {'would go' if is_dry else 'deleted':>12} {'files':>9} {'bytes':>10}"
        )
        for kind, in_force in periods_in_force().items():
            gone = deleted.get(kind, Deletion())
            kept = f"{in_force.days} days" if in_force.days else "for ever"
            freed = filesizeformat(gone.bytes) if gone.bytes else "-"
            self.stdout.write(f"{kind:<26} {kept:>9} {gone.rows:>12,} {gone.files:>9,} {freed:>10}")
            if kind in errors:
                self.stderr.write(f"  {errors[kind]}")
        self.stdout.write(f"\n{'on disk':<26} {filesizeformat(sum(sizes.values())):>20}")
        for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
            if size:
                self.stdout.write(f"  {name:<24} {filesizeformat(size):>20}")
