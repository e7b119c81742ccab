"""`manage.py register_model`: register the best model of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.matches import connections
from apps.ml.registry import RegistryError
from apps.ml.services import registration

TIMEOUT = 600.0
"""Seconds to wait for the database before the stage fails."""


class Command(BaseCommand):
    """The last stage of the pipeline; DVC runs it in the workspace."""

    # The system checks would take longer than some stages.
    requires_system_checks = ()
    help = (
        "Register the best model of data/ in MLflow and in the database, and the best one that uses prices as a "
        "labelled version. The same inputs are never registered twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--root", type=Path, default=Path(), help="folder of the run; default: this one")

    def handle(self, **options: Any) -> None:
        """Register, unless a version was made from the same data, parameters and code."""
        try:
            # A version that was stored before the connection was lost is found again.
            made = connections.repeat_when_lost(
                lambda: registration.register(options["root"], now=timezone.now()),
                report=self.stdout.write,
                timeout=TIMEOUT,
            )
        except RegistryError as error:
            raise CommandError(str(error)) from error
        for one in made:
            version = one.version
            if not one.created:
                self.stdout.write(f"{version} was made from the same inputs already")
                continue
            label = f", labelled: {version.inputs}" if version.is_labelled else ""
            self.stdout.write(f"registered {version}: {version.estimator}{label}")
