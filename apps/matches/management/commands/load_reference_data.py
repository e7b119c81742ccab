"""`manage.py load_reference_data`: store the facts that come with SPAI."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.matches import services


class Command(BaseCommand):
    """The stack runs it at each start; a second time nothing is written."""

    help = "Store the decisions of leagues, and the names and colours of clubs, that come with SPAI."

    def handle(self, **options: Any) -> None:
        """Store what differs, and report it."""
        report = services.load_reference_data(now=timezone.now())
        self.stdout.write(f"{report.decisions} decisions of leagues and {report.clubs} clubs written")
