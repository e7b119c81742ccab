"""The home panel of the office: what is fresh, who is champion, what failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils import timezone

from apps.matches.models import Ingest, Match, TeamAlias, World
from apps.ml import selectors as ml_selectors
from apps.ml.models import PipelineRun, Prediction, Promotion, Score
from apps.scraping import selectors as scraping_selectors

FAILURES_SHOWN = timedelta(days=1)
COVERED = timedelta(days=15)


@dataclass(frozen=True, slots=True)
class WorldPanel:
    """The state of one world in a few figures."""

    world: World
    is_served: bool
    champion: Promotion | None
    run: PipelineRun | None
    matches: int
    results: int
    fresh_at: datetime | None
    data_snapshot: int | None
    fixtures: int
    forecasts: int
    scored: int


def world_panel(world: World, *, served: World, now: datetime) -> WorldPanel:
    """Collect the figures of one world."""
    matches = Match.objects.filter(season__competition__is_simulated=world == World.SANDBOX)
    fixtures = matches.filter(status=Match.Status.SCHEDULED, kickoff_at__gt=now, kickoff_at__lte=now + COVERED)
    newest = Ingest.objects.filter(world=world, changed_facts=True).order_by("-id").first()
    return WorldPanel(
        world=world,
        is_served=world == served,
        champion=ml_selectors.champion(world),
        run=ml_selectors.latest_run(world),
        matches=matches.count(),
        results=matches.filter(status=Match.Status.FINISHED).count(),
        fresh_at=newest.finished_at if newest else None,
        data_snapshot=newest.pk if newest else None,
        fixtures=fixtures.count(),
        forecasts=fixtures.filter(Exists(Prediction.objects.filter(match_id=OuterRef("id")))).count(),
        scored=Score.objects.filter(world=world).count(),
    )


def home_panel(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the panel to the context of the office's home page."""
    now = timezone.now()
    served = ml_selectors.served_world()
    since = now - FAILURES_SHOWN
    return context | {
        "panels": [
            world_panel(world, served=served, now=now) for world in (served, *(w for w in World if w != served))
        ],
        "failed_runs": PipelineRun.objects.filter(status=PipelineRun.Status.FAILED, finished_at__gte=since).order_by(
            "-id"
        )[:5],
        "troubled_visits": scraping_selectors.troubled_runs(since)[:5],
        "halted_lanes": scraping_selectors.halted_lanes(),
        "names_to_review": TeamAlias.objects.filter(reviewed_at__isnull=True).count(),
    }
