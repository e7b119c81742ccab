"""Commands that bring matches in, write them out and delete what is old: `scrape`, `import`, `export`, `retention`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.api.management.commands import retention
from apps.matches.models import World
from apps.ml.management.commands import export_matches
from apps.ml.pipeline import files
from apps.scraping import selectors, services
from apps.scraping.management.commands import import_matches
from apps.scraping.management.commands import scrape as scraping
from apps.scraping.models import ScrapeRun
from spai.commands.answers import Answer, Subcommand, answer_of, table

OPERATOR = "manage.py spai scrape"


def scrape_arguments(parser: CommandParser) -> None:
    """Declare the source and what is wanted of it."""
    parser.add_argument("source", nargs="?", help="without one, all sources are listed with their freshness")
    parser.add_argument("--scope", default="results", choices=["results", "fixtures", "odds"], help="default: results")
    parser.add_argument("--from", dest="start", type=scraping.first_day, metavar="DAY", help="YYYY-MM-DD or YYYY-MM")
    parser.add_argument("--to", dest="end", type=scraping.last_day, metavar="DAY", help="the last day; with --from")
    parser.add_argument("--reparse", action="store_true", help="parse stored pages again; no request is sent")


def scrape(options: Namespace) -> Answer:
    """Scrape a source, back-fill it or parse its stored pages again, and wait for the end."""
    now = timezone.now()
    services.ensure_sources(now=now)
    if options.source is None:
        return _sources()
    if (options.start is None) != (options.end is None):
        raise CommandError("--from and --to go together: the first and the last day.")
    source = services.source_named(options.source)
    if options.reparse:
        runs = [services.request_reparse(source=source, by=OPERATOR, now=now)]
    elif options.start:
        runs = services.request_backfill(source=source, start=options.start, end=options.end, by=OPERATOR, now=now)
    else:
        runs = [services.request_run(source=source, scope=options.scope, by=OPERATOR, now=now)]
    ended = scraping.follow(runs)
    troubled = scraping.troubled(ended)
    return Answer({"runs": [_run_shape(run) for run in ended]}, "\n".join(map(scraping.line_of, ended)), troubled)


def _run_shape(run: ScrapeRun) -> dict[str, Any]:
    names = ("scope", "window_start", "window_end", "outcome", "created", "changed", "same", "refused", "detail")
    facts = {name: getattr(run, name) for name in (*names, "requested_at", "finished_at")}
    return {"id": run.pk, "source": run.source.name, "pages": run.pages_done, **facts}


def _sources() -> Answer:
    listed: Any = selectors.sources()
    rows = [
        {
            "source": source.name,
            "latest_outcome": source.latest_outcome or None,
            "complete_at": source.complete_at,
            "off": services.why_off(source) or None,
        }
        for source in listed
    ]
    lines = [
        (
            row["source"],
            row["latest_outcome"] or "–",
            f"{row['complete_at']:%Y-%m-%d %H:%M} UTC" if row["complete_at"] else "never",
            row["off"] or "on",
        )
        for row in rows
    ]
    return Answer({"sources": rows}, table(("source", "latest", "complete", "state"), lines))


def import_files(options: Namespace) -> Answer:
    """Import files of matches."""
    return answer_of(import_matches.Command, options)


def export_arguments(parser: CommandParser) -> None:
    """Declare the folder and the facts that are wanted."""
    parser.add_argument("folder", type=Path, help="made when it is missing; the files are in data/raw below it")
    parser.add_argument("--world", choices=World.values, help="default: SPAI_WORLD, else the served one")
    parser.add_argument("--as-of", metavar="ISO", help="an instant with a time zone; default: the latest 00:00 UTC")
    parser.add_argument("--profile", help="noted in the manifest; default: SPAI_PROFILE")


def export(options: Namespace) -> Answer:
    """Write the facts known at an instant as parquet files, as the first stage of the pipeline does."""
    root: Path = options.folder
    answer = answer_of(export_matches.Command, Namespace(**vars(options) | {"root": root, "json": False}))
    if answer.failure:
        return answer
    written = [files.MATCHES, files.ODDS, files.LINEUPS, files.ADJUSTMENTS]
    document = asdict(files.RawManifest.read(root)) | {
        "data_snapshot": files.read_json(root / files.SNAPSHOT)["data_snapshot"],
        "files": [str(root / path) for path in written],
    }
    return Answer(document, f"{answer.text}\n{root / files.MATCHES.parent}")


COMMANDS = {
    "scrape": Subcommand("scrape a source now, or list all sources", scrape_arguments, scrape),
    "import": Subcommand("import files of matches", import_matches.Command().add_arguments, import_files),
    "retention": Subcommand(
        "delete what is older than its period, and show what uses the disk",
        retention.Command().add_arguments,
        lambda options: answer_of(retention.Command, options),
    ),
    "export": Subcommand("write the facts known at an instant as parquet files", export_arguments, export),
}
