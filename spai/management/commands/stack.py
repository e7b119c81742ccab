"""`manage.py stack`: the one-machine stack, for `manage.py help` and `call_command`."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from spai.stack import cli


class Command(BaseCommand):
    """Start, stop and check the one-machine stack."""

    help = cli.HELP
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of `spai.stack.cli`."""
        cli.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command; fail with its exit code."""
        if code := cli.run(argparse.Namespace(**options)):
            raise CommandError("the stack command failed", returncode=code)
