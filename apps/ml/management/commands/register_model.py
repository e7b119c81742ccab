"""`manage.py register_model`: the best model of a run becomes a version in MLflow and a row with its served files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.matches import connections
from apps.ml.registry import RegistryError
from apps.ml.services import registration

PATIENCE = 600.0
"""Seconds without the database after which the stage gives up."""


class Command(BaseCommand):
    """Last stage of the pipeline; DVC starts it in the folder of a run."""

    # A run starts two commands; checking the whole site each time would take longer than some stages.
    requires_system_checks = ()
    help = (
        "Register the best model of data/ in MLflow and keep its served files, and beside it, labelled, the best that "
        "looks at prices; the same inputs register nothing twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--root", type=Path, default=Path(), help="folder of the run; default: this one")

    def handle(self, **options: Any) -> None:
        """Register, unless a version was made from the same data, params and code."""
        try:
            # A version that was made before the connection was lost is found again.
            made = connections.repeat_when_lost(
                lambda: registration.register(options["root"], now=timezone.now()),
                report=self.stdout.write,
                patience=PATIENCE,
            )
        except RegistryError as error:
            raise CommandError(str(error)) from error
        for one in made:
            version = one.version
            if not one.created:
                self.stdout.write(f"{version} was made from the same already")
                continue
            label = f", labelled: {version.inputs}" if version.is_labelled else ""
            self.stdout.write(f"registered {version}: {version.estimator}{label}")
