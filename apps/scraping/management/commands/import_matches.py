"""`manage.py import_matches PATH… --source football-data|openfootball [--json]`: matches from files."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils import timezone
from tqdm import tqdm

from apps.scraping.services import FileReport, ImportReport, import_files
from apps.scraping.sources import SOURCES

REFUSALS_SHOWN = 200


class Command(BaseCommand):
    """Import of match files."""

    help = (
        "Import match files of a source. PATH is a file, or a folder that is searched with its subfolders. Matches "
        "that are stored already stay as they are, so that the same files can be imported again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder of files")
        parser.add_argument("--source", required=True, choices=sorted(SOURCES), help="whose files they are")
        parser.add_argument("--json", action="store_true", help="print one JSON document, with the totals at its end")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import and print the report; the exit code is 1 if a file could not be read."""
        bar: tqdm[Any] = tqdm(unit="file", disable=None, dynamic_ncols=True, desc=f"importing {options['source']}")

        def on_file(report: FileReport) -> None:
            bar.update()
            bar.set_postfix_str(report.name, refresh=False)

        try:
            with bar:
                report = import_files(
                    options["paths"],
                    source=options["source"],
                    now=timezone.now(),
                    on_start=bar.reset,
                    on_file=on_file,
                )
        except OperationalError as error:
            raise CommandError(
                f"The database does not respond ({str(error).splitlines()[0]}). Start it with `make up`, or check "
                "DATABASE_URL."
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps(as_document(report, options["source"]), ensure_ascii=False, indent=1))
        else:
            self._print(report)
        if report.failed:
            names = "\n".join(f"  {file.name}: {file.error}" for file in report.failed)
            raise CommandError(
                f"{len(report.failed)} of {len(report.files)} files could not be read; the others are stored.\n{names}"
            )

    def _print(self, report: ImportReport) -> None:
        width = max((len(file.name) for file in report.files), default=4)
        head = f"{'file':<{width}} {'rows':>7} {'created':>7} {'changed':>7} {'same':>7} {'refused':>7}  left out"
        self.stdout.write(head)
        for file in report.files:
            if file.error:
                self.stdout.write(f"{file.name:<{width}} not read: {file.error}")
                continue
            notes = ", ".join(f"{count} × {note}" for note, count in sorted(file.notes.items()))
            self.stdout.write(
                f"{file.name:<{width}} {file.records:>7} {file.created:>7} {file.changed:>7} {file.same:>7} "
                f"{file.refused:>7}  {notes}".rstrip()
            )
        refusals = [(file.name, refusal) for file in report.files for refusal in file.refusals]
        if refusals:
            self.stdout.write("\nRefused rows:")
        for name, refusal in refusals[:REFUSALS_SHOWN]:
            place = f"{name}, line {refusal.line}" if refusal.line is not None else name
            self.stdout.write(f"  {place}: {refusal.reason} | {refusal.row}")
        if len(refusals) > REFUSALS_SHOWN:
            self.stdout.write(f"  … and {len(refusals) - REFUSALS_SHOWN} more; --json lists them all")
        done = report.ingest
        rows = done.created + done.changed + done.same + done.refused
        self.stdout.write(
            f"\n{len(report.files)} files, {rows} rows in {done.seconds:.1f} s: {done.created} created, "
            f"{done.changed} changed, {done.same} same, {done.refused} refused"
        )


def as_document(report: ImportReport, source: str) -> dict[str, Any]:
    """Return the report of an import as plain values, with the totals at its end."""
    done = report.ingest
    return {
        "source": source,
        "ingest": done.ingest_id,
        "seconds": round(done.seconds, 3),
        "files": [asdict(file) for file in report.files],
        "totals": {
            "files": len(report.files),
            "failed_files": len(report.failed),
            "created": done.created,
            "changed": done.changed,
            "same": done.same,
            "refused": done.refused,
        },
    }
