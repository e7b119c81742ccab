"""`manage.py register_model`: the best model of a run becomes a version in MLflow and a row with its served files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.ml.registry import RegistryError
from apps.ml.services import registration


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
            made = registration.register(options["root"], now=timezone.now())
        except RegistryError as error:
            raise CommandError(str(error)) from error
        for one in made:
            version = one.version
            if not one.created:
                self.stdout.write(f"{version} was made from the same already")
                continue
            label = f", labelled: {version.inputs}" if version.is_labelled else ""
            self.stdout.write(f"registered {version}: {version.estimator}{label}")
