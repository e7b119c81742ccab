"""A run, and versions to compare."""

from __future__ import annotations

import pytest

from apps.matches.models import World
from apps.ml.models import PipelineRun
from tests.web.conftest import Builder


@pytest.fixture
def run(db, now):
    return PipelineRun.objects.create(
        world=World.SANDBOX,
        status=PipelineRun.RunStatus.RUNNING,
        as_of=now,
        profile="smoke",
        requested_by="ada",
        created_at=now,
        started_at=now,
        stages=[
            {"name": "export", "status": "done", "seconds": 1.5},
            {"name": "validate_raw", "status": "running", "seconds": None},
        ],
    )


@pytest.fixture
def two_versions(run, now):
    """A champion, and a labelled version that a run made."""
    build = Builder(now)
    champion = build.version(1, columns=["elo_diff"], pipeline_run=run)
    run.params = {"split": {"test_refits": 3, "least_rows": 200}}
    run.save()
    build.promote(champion)
    other = PipelineRun.objects.create(
        world="sandbox", as_of=now, profile="smoke", requested_by="ada", created_at=now, status="succeeded",
        params={"split": {"test_refits": 4, "least_rows": 200}}, notes="=1+1",
    )  # fmt: skip
    metrics = champion.metrics | {
        "benchmarks": [
            {
                "name": "closing line",
                "scores": {"log_loss": 0.9},
                "gap": {"log_loss": {"mean": 0.08, "low": 0.05, "high": 0.11}},
            }
        ],
        "reliability": [{"outcome": "home", "ece": 0.02, "ece_limit": 0.03, "before": {"ece": 0.05}}],
    }
    labelled = build.version(
        2, inputs="prices before the match", columns=["elo_diff", "price_home"], pipeline_run=other, metrics=metrics
    )
    return champion, labelled
