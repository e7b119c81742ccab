"""`manage.py export_matches`: what was known at an instant, from the database into parquet files."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.matches import connections
from apps.matches.models import World
from apps.matches.selectors import data_snapshot
from apps.ml import dataset, selectors
from apps.ml.pipeline import files

PATIENCE = 600.0
"""Seconds without the database after which the stage gives up."""


class Command(BaseCommand):
    """First stage of the pipeline; DVC starts it in the folder of a run."""

    # A run starts two commands; checking the whole site each time would take longer than some stages.
    requires_system_checks = ()
    help = "Write matches, odds and line-ups known before an instant, and the fixtures after it, as data/raw/*.parquet."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options; each that is not given comes from the section `run` of the parameters."""
        parser.add_argument("--world", choices=World.values, help="default: SPAI_WORLD, else the served one")
        parser.add_argument("--as-of", metavar="ISO", help="an instant with its zone; default: the latest 00:00 UTC")
        parser.add_argument("--profile", help="how much work training puts in; default: SPAI_PROFILE")
        parser.add_argument("--root", type=Path, default=Path(), help="folder of the run; default: this one")

    def handle(self, **options: Any) -> None:
        """Export, unless the files of the same facts are there."""
        root: Path = options["root"]
        pinned = files.read_params(root).get("run") or {}
        world = World(options["world"] or pinned.get("world") or settings.SPAI_WORLD or selectors.served_world())
        as_of = parse_as_of(options["as_of"] or pinned.get("as_of"), now=timezone.now())
        profile = options["profile"] or pinned.get("profile") or settings.SPAI_PROFILE
        connections.repeat_when_lost(
            lambda: self._export(root, world, as_of, profile), report=self.stdout.write, patience=PATIENCE
        )

    def _export(self, root: Path, world: World, as_of: datetime, profile: str) -> None:
        source = {"data_snapshot": data_snapshot(world), "code": code_sha256()}
        if source["data_snapshot"] == 0:
            raise CommandError(
                f"The {world} world has no matches yet. Import some first: manage.py import_matches --help"
            )
        if is_there(root, world, as_of, profile, source):
            self.stdout.write(f"data snapshot {source['data_snapshot']} is exported already")
            return
        try:
            exported = dataset.export(world, as_of=as_of)
        except dataset.UnsettledFactsError as error:
            raise CommandError(str(error)) from error
        if exported.matches["known_at"].null_count == exported.matches.num_rows:
            raise CommandError(
                f"There is no match of the {world} world known before {as_of:%Y-%m-%d %H:%M} UTC. "
                "Choose a later day, or import older seasons."
            )
        files.write_table(root / files.MATCHES, exported.matches)
        files.write_table(root / files.ODDS, exported.odds)
        files.write_table(root / files.LINEUPS, exported.lineups)
        rows = [table.num_rows for table in (exported.matches, exported.odds, exported.lineups)]
        manifest = files.RawManifest(world.value, as_of, profile, *rows)
        manifest.write(root / files.MANIFEST)
        files.write_json(root / files.SNAPSHOT, source | {"data_snapshot": exported.data_snapshot})
        self.stdout.write(
            f"{manifest.rows} matches, {manifest.odds_rows} prices and {manifest.lineup_rows} players of line-ups "
            f"of the {world} world as of {as_of.isoformat()}, data snapshot {exported.data_snapshot}"
        )


def parse_as_of(text: str | datetime | None, *, now: datetime) -> datetime:
    """Return the instant that the text names, by default the latest 00:00 UTC.

    Raises
    ------
    CommandError
        When it is no instant, or has no zone.
    """
    if text is None:
        return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        instant = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise CommandError(f"as_of {text!r} is no instant; write it as 2026-11-23T00:00:00Z") from error
    if instant.tzinfo is None:
        raise CommandError(f"as_of {text!r} has no zone; write it as 2026-11-23T00:00:00Z")
    return instant.astimezone(UTC)


def is_there(root: Path, world: World, as_of: datetime, profile: str, source: dict[str, Any]) -> bool:
    """Whether the files of the same facts, made by the same code, are in the workspace."""
    wanted = (files.MATCHES, files.ODDS, files.LINEUPS, files.MANIFEST, files.SNAPSHOT)
    if not all((root / path).is_file() for path in wanted):
        return False
    manifest = files.RawManifest.read(root)
    same_question = (manifest.world, manifest.as_of, manifest.profile) == (world.value, as_of, profile)
    return same_question and files.read_json(root / files.SNAPSHOT) == source


def code_sha256() -> str:
    """Return the hash of the code that exports."""
    paths = [Path(dataset.__file__), Path(files.__file__), Path(__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
