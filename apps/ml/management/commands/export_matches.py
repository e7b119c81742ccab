"""`manage.py export_matches`: write the facts known at an instant into parquet files."""

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
from apps.ml import dataset, selectors, services
from apps.ml.pipeline import files

TIMEOUT = 600.0
"""Seconds to wait for the database before the stage fails."""


class Command(BaseCommand):
    """The first stage of the pipeline; DVC runs it in the workspace."""

    # The system checks would take longer than some stages.
    requires_system_checks = ()
    help = "Write the facts known before an instant, and the fixtures after it, as data/raw/*.parquet."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options; each that is not given comes from the section `run` of the parameters."""
        parser.add_argument("--world", choices=World.values, help="default: SPAI_WORLD, else the served one")
        parser.add_argument("--as-of", metavar="ISO", help="an instant with a time zone; default: the latest 00:00 UTC")
        parser.add_argument("--profile", help="how much work training puts in; default: SPAI_PROFILE")
        parser.add_argument("--root", type=Path, default=Path(), help="folder of the run; default: this one")

    def handle(self, **options: Any) -> None:
        """Export, unless the workspace has the files of the same facts."""
        root: Path = options["root"]
        # Outside a workspace of the pipeline there are no parameters.
        params = files.read_params(root) if (root / files.PARAMS).is_file() else {}
        pinned = params.get("run") or {}
        world = World(options["world"] or pinned.get("world") or settings.SPAI_WORLD or selectors.served_world())
        as_of = parse_as_of(options["as_of"] or pinned.get("as_of"), now=timezone.now())
        profile = options["profile"] or pinned.get("profile") or settings.SPAI_PROFILE
        back_test = pinned.get("back_test", "")
        connections.repeat_when_lost(
            lambda: self._export(root, world, as_of, profile, back_test), report=self.stdout.write, timeout=TIMEOUT
        )

    def _export(self, root: Path, world: World, as_of: datetime, profile: str, back_test: str) -> None:
        source = {"data_snapshot": data_snapshot(world), "code": code_sha256()}
        if source["data_snapshot"] == 0:
            raise CommandError(
                f"The {world} world has no matches yet. Import some first: manage.py import_matches --help"
            )
        if is_exported(root, world, as_of, profile, source, back_test):
            self.stdout.write(f"data snapshot {source['data_snapshot']} has been exported already")
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
        files.write_table(root / files.ADJUSTMENTS, exported.adjustments)
        manifest = files.RawManifest(
            world=world.value,
            as_of=as_of,
            profile=profile,
            rows=exported.matches.num_rows,
            odds_rows=exported.odds.num_rows,
            lineup_rows=exported.lineups.num_rows,
            back_test=back_test,
        )
        manifest.write(root / files.MANIFEST)
        files.write_json(root / files.SNAPSHOT, source | {"data_snapshot": exported.data_snapshot})
        self.stdout.write(
            f"{manifest.rows} matches, {manifest.odds_rows} prices and {manifest.lineup_rows} players of line-ups "
            f"of the {world} world as of {as_of.isoformat()}, data snapshot {exported.data_snapshot}"
        )


def parse_as_of(text: str | datetime | None, *, now: datetime) -> datetime:
    """Parse an instant; by default the latest 00:00 UTC.

    Raises
    ------
    CommandError
        When the text is not an instant with a time zone.
    """
    if text is None:
        return services.latest_midnight(now)
    try:
        instant = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise CommandError(f"as_of {text!r} is not an instant; write it as 2026-11-23T00:00:00Z") from error
    if instant.tzinfo is None:
        raise CommandError(f"as_of {text!r} has no time zone; write it as 2026-11-23T00:00:00Z")
    return instant.astimezone(UTC)


def is_exported(
    root: Path, world: World, as_of: datetime, profile: str, source: dict[str, Any], back_test: str = ""
) -> bool:
    """Return whether the workspace has the files of the same facts, written by the same code."""
    wanted = (files.MATCHES, files.ODDS, files.LINEUPS, files.ADJUSTMENTS, files.MANIFEST, files.SNAPSHOT)
    if not all((root / path).is_file() for path in wanted):
        return False
    manifest = files.RawManifest.read(root)
    written = (manifest.world, manifest.as_of, manifest.profile, manifest.back_test)
    is_same_export = written == (world.value, as_of, profile, back_test)
    return is_same_export and files.read_json(root / files.SNAPSHOT) == source


def code_sha256() -> str:
    """Return the hash of the code of the export."""
    paths = [Path(dataset.__file__), Path(files.__file__), Path(__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
