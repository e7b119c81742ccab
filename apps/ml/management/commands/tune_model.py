"""`manage.py tune_model`: search better parameters of one estimator, several processes in one study."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from argparse import RawDescriptionHelpFormatter
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone
from yaml import safe_load

from apps.matches.locks import Lock, try_lock
from apps.matches.models import World
from apps.ml import registry, selectors
from apps.ml.management.commands.export_matches import parse_as_of
from apps.ml.pipeline import files, tune
from apps.ml.services import workspaces

if TYPE_CHECKING:
    from apps.ml.models import PipelineRun

SCHEMA: Final = "optuna"
"""Database schema of Optuna's tables."""


class Command(BaseCommand):
    """Run the stages up to the split in a separate workspace, then search parameters for `apps/ml/params.yaml`."""

    help = (
        "Search better parameters of one estimator on walk-forward steps before the first tested one.\n"
        "With --processes, or run several times, also on several machines, it searches faster: all share a study in "
        "PostgreSQL. Where SPAI_DASK_SCHEDULER is set, the processes are tasks of that cluster.\n"
        "A stopped search continues where it was. On a later day give the day of the first search as --as-of, because "
        "other facts make another study. --apply writes the result into apps/ml/params.yaml, for you to commit."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.add_argument("estimator", help="one of tune.spaces in apps/ml/params.yaml, such as xgboost")
        parser.add_argument("--world", choices=World.values, help="default: the served one")
        parser.add_argument("--profile", choices=("smoke", "production"), default="production")
        parser.add_argument("--as-of", metavar="ISO", help="facts known before it; default: the latest 00:00 UTC")
        parser.add_argument("--minutes", type=float, default=30.0, help="no trial begins after these (default: 30)")
        parser.add_argument("--trials", type=int, help="most trials of each process")
        parser.add_argument("--processes", type=int, default=1, help="searches at once, one thread each (default: 1)")
        parser.add_argument("--apply", action="store_true", help="write what was found into apps/ml/params.yaml")

    def handle(self, **options: Any) -> None:
        """Prepare the workspace, search, and print the result."""
        params, kind, profile = workspaces.read_params(), options["estimator"], options["profile"]
        if kind not in params["tune"]["spaces"]:
            raise CommandError(f"{kind} has no search space; there are {', '.join(params['tune']['spaces'])}")
        world = World(options["world"] or selectors.served_world())
        as_of = parse_as_of(options["as_of"], now=timezone.now())
        root = self._prepared(world, profile, as_of, params)
        command = [sys.executable, "-m", "apps.ml.pipeline.tune", kind, "--minutes", str(options["minutes"])]
        command += ["--trials", str(options["trials"])] if options["trials"] else []
        command += ["--processes", str(options["processes"])]
        # Searches of one study share the folder, and each has its own result.
        with tempfile.TemporaryDirectory() as own:
            result = Path(own) / tune.RESULT.name
            if _status([*command, "--result", str(result)], root, {tune.STUDY_URL: study_url()}):
                raise CommandError("The search ended early; see the lines above. Start it again to continue.")
            found = files.read_json(result)
        if found["log_loss"] >= found["log_loss_before"]:
            self.stdout.write("Nothing better than the current parameters was found; more time may help.")
            return
        for name, value in found["values"].items():
            self.stdout.write(f"  train.{profile}.{kind}.{name}: {value}")
        if options["apply"]:
            moved = apply(settings.BASE_DIR / files.PARAMS, profile, kind, found["values"])
            for name in moved:
                self.stdout.write(f"  changed too, by a shared anchor: train.{name}")
            self.stdout.write(f"Written into {files.PARAMS}; review the change and commit it.")

    def _prepared(self, world: World, profile: str, as_of: datetime, params: dict[str, Any]) -> Path:
        """Return a workspace in which the stages up to the split have run; all processes of a study share it."""
        name = f"tune-{world.value}-{profile}"
        run = SimpleNamespace(pk=name, params=params, world=world.value, profile=profile, as_of=as_of, first_stage="")
        run.back_test_of_id = None
        with try_lock(Lock.RUN) as is_ours:
            if not is_ours:
                raise CommandError("A pipeline run is in progress; try again when it has ended.")
            root = workspaces.make(cast("PipelineRun", run))
            if _status([sys.executable, "-m", "dvc", "repro", "split"], root, {}):
                raise CommandError("A stage before the search failed; see the lines above.")
        return root


def study_url() -> str:
    """Create the schema of Optuna's tables; return the URL of the database with it, for SQLAlchemy."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    own = connection.settings_dict
    user, password = quote(own["USER"], safe=""), quote(own["PASSWORD"], safe="")
    place = f"{own['HOST']}:{own['PORT']}" if own["PORT"] else own["HOST"]
    return f"postgresql+psycopg://{user}:{password}@{place}/{own['NAME']}?options=-csearch_path%3D{SCHEMA}"


def apply(path: Path, profile: str, kind: str, values: dict[str, Any]) -> list[str]:
    """Write values by their dotted names into the section of an estimator; leave the rest of the file as it is.

    Return the names, below ``train``, of other values that changed too, because sections share an anchor.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(path.read_text(encoding="utf-8"))
    before = registry.flat(safe_load(path.read_text(encoding="utf-8"))["train"])
    for name, value in values.items():
        *path_names, last = name.split(".")
        place = content["train"][profile][kind]
        for part in path_names:
            place = place[part]
        place[last] = value
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    after = registry.flat(safe_load(path.read_text(encoding="utf-8"))["train"])
    wanted = {f"{profile}.{kind}.{name}" for name in values}
    return [name for name, value in after.items() if value != before.get(name) and name not in wanted]


def _status(command: list[str], root: Path, more: dict[str, str]) -> int:
    environment = workspaces.environment() | more
    return subprocess.run(command, cwd=root, env=environment, check=False).returncode  # noqa: S603  our own modules
