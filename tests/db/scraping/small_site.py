"""The addresses and pages of the small site that runs visit, and what its tests ask of the tables."""

from __future__ import annotations

from django.db import connection

from apps.matches.models import Ingest, Match
from apps.scraping import services
from apps.scraping.models import Source
from tests.fakes import door_of

HOME = "http://fake/home"
FEED = "http://fake/feed"
MORE = "http://fake/more"

ONE = {"number": 1, "goals": (2, 1)}
TWO = {"number": 2, "goals": (0, 0)}
COMING = {"number": 3, "day": 28}
FIRST_OF_TWO = [door_of(MORE)]


def tables() -> tuple[int, int, int]:
    """Return how many matches there are, their results, and the ingests that changed something."""
    return (
        Match.objects.count(),
        Match.objects.filter(status="finished").count(),
        Ingest.objects.filter(changed_facts=True).count(),
    )


def forget_matches() -> None:
    """Empty the tables of matches, as no service can."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE matches_match, matches_matchchange CASCADE")


def somebody_waits(stage) -> None:
    """Let a run to another source wait, which reads the same pages."""
    other = Source.objects.get(name="sandbox-files")
    services.request_run(source=other, scope="results", by="somebody", now=stage.clock())
