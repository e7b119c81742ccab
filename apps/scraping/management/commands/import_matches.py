"""`manage.py import_matches PATH… --source football-data|openfootball [--json] [--strict]`: matches from files."""

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

from apps.scraping.services import ImportReport, import_files
from apps.scraping.sources import SOURCES

REFUSALS_SHOWN = 200


class Command(BaseCommand):
    """Import of match files."""

    help = (
        "Import match files of a source: text, .xlsx workbooks, and zip archives of such files. PATH is a file, or a "
        "folder that is searched with its subfolders; a file is known by its content. Matches that are stored already "
        "stay as they are, so that the same files can be imported again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder of files")
        parser.add_argument("--source", required=True, choices=sorted(SOURCES), help="whose files they are")
        parser.add_argument("--json", action="store_true", help="print one JSON document, with the totals at its end")
        parser.add_argument(
            "--strict",
            action="store_true",
            help="exit with 1, too, if other files that may hold matches are passed over",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import and print the report; the exit code is 1 if a file of the source could not be read."""
        bar: tqdm[Any] = tqdm(unit="file", disable=None, dynamic_ncols=True, desc=f"importing {options['source']}")

        def on_file(name: str) -> None:
            bar.update()
            bar.total = max(bar.total or 0, bar.n)  # the files in an archive come in addition
            bar.set_postfix_str(name, refresh=False)

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
        if options["strict"] and report.passed_over:
            raise CommandError(
                f"{len(report.passed_over)} files that may hold matches were passed over; the others are stored."
            )

    def _print(self, report: ImportReport) -> None:
        not_read = {file.name: file.error for file in report.failed}
        not_read |= {file.name: file.passed_over for file in report.passed_over}
        width = max(map(len, [*not_read, *(file.name for file in report.files)]), default=4)
        head = f"{'file':<{width}} {'rows':>7} {'created':>7} {'changed':>7} {'same':>7} {'refused':>7}  left out"
        self.stdout.write(head)
        for file in report.files:
            if file.error:
                continue
            notes = ", ".join(f"{count} × {note}" for note, count in sorted(file.notes.items()))
            self.stdout.write(
                f"{file.name:<{width}} {file.records:>7} {file.created:>7} {file.changed:>7} {file.same:>7} "
                f"{file.refused:>7}  {notes}".rstrip()
            )
        for name, reason in not_read.items():
            self.stdout.write(f"{name:<{width}} not read: {reason}")
        refusals = [(file.name, refusal) for file in report.files for refusal in file.refusals]
        if refusals:
            self.stdout.write("\nRefused rows:")
        for name, refusal in refusals[:REFUSALS_SHOWN]:
            place = f"{name}, line {refusal.line}" if refusal.line is not None else name
            self.stdout.write(f"  {place}: {refusal.reason} | {refusal.row}")
        if len(refusals) > REFUSALS_SHOWN:
            self.stdout.write(f"  … and {len(refusals) - REFUSALS_SHOWN} more; --json lists them all")
        if report.not_read:
            self.stdout.write("\nNot read:")
        for reason, count in report.not_read.items():
            self.stdout.write(f"  {count} × {reason}")
        if report.others:
            self.stdout.write(f"\n{len(report.others)} other files hold no matches")
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
        "passed_over": [{"name": file.name, "reason": file.passed_over} for file in report.passed_over],
        "other_files": report.others,
        "totals": {
            "files": len(report.files),
            "failed_files": len(report.failed),
            "passed_over_files": len(report.passed_over),
            "not_read": report.not_read,
            "other_files": len(report.others),
            "created": done.created,
            "changed": done.changed,
            "same": done.same,
            "refused": done.refused,
        },
    }
