"""A back-test of the champion by DVC: the sandbox world, the smoke profile, all of its stages."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from apps.matches.ingest import ingest
from apps.matches.models import Match, World
from apps.ml import selectors, services
from apps.ml.models import BackTest, BackTestForecasts, ModelVersion, Promotion
from apps.ml.pipeline import comparison, files
from apps.ml.services import cancel_run, retry_run, runs, stages_to_retry, workspaces
from apps.ml.services.execution import Execution
from apps.scraping.sandbox.world import SimulatedWorld
from tests import bundles
from tests.database import database_url
from tests.db.ml.runs.toy import ROOT, by_stage, fresh

pytestmark = [pytest.mark.runs, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
L2 = 321.0
"""What the champion was made with, and params.yaml says otherwise."""


@pytest.fixture
def champion(transactional_db, wakes, monkeypatch):
    """A champion of the simulated world, whose history is stored from its first season on."""
    # The stages are processes of their own.
    monkeypatch.setenv("DATABASE_URL", database_url())
    world = SimulatedWorld(seed=11, anchor_at=NOW - timedelta(days=2))
    ingest(world.records(NOW, since=NOW - timedelta(days=4000)), source="sandbox", now=NOW)
    params = yaml.safe_load((ROOT / files.PARAMS).read_text())
    params["train"]["smoke"]["elo_logit"]["l2"] = L2
    del params["features"]["lineups"]
    content = bundles.with_manifest(params)
    version = ModelVersion.objects.create(
        world="sandbox", number=1, mlflow_run_id="r", estimator="elo_logit", profile="smoke", key="k",
        code_revision="c", data_sha256="d", params_sha256="p", data_snapshot=1, as_of=NOW, rows=1,
        trained_from="2020-01-01", trained_to="2026-01-01", metrics={}, gates=[], created_at=NOW,
        bundle=content, bundle_sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    services.promote(version=version, user=None, reason="test", now=NOW)
    return version


def queue(reason: str = "try"):
    return services.queue_back_test(world=World.SANDBOX, requested_by="ada", reason=reason, now=NOW)


def test_a_back_test_goes_through_the_stages_to_the_evaluation_and_registers_nothing(champion, monkeypatch):
    run = queue()
    pushes: list[object] = []
    monkeypatch.setattr(Execution, "push", lambda *given: pushes.append(given))
    assert runs.run_due(now=NOW) == run
    run = fresh(run)
    assert (run.status, run.error) == ("succeeded", {}), run.log
    names = list(workspaces.read_stages())
    assert by_stage(run) == dict.fromkeys(names[: names.index("evaluate") + 1], "done")
    assert (ModelVersion.objects.count(), Promotion.objects.count()) == (1, 1)
    assert not pushes

    # The champion's own parameters, and only its estimator.
    folder = workspaces.folder_of(run)
    used = files.read_params(folder)
    assert (
        used["train"]["smoke"]["elo_logit"]["l2"] == L2 != workspaces.read_params()["train"]["smoke"]["elo_logit"]["l2"]
    )
    assert used["run"]["back_test"] == "elo_logit"
    assert "lineups" in used["features"], "newer code asks for it"
    assert set(run.metrics["models"]) == {"base_rates", "elo_logit"}
    assert run.metrics["best"] == "elo_logit"
    assert "log loss of elo_logit" in run.log
    assert "from the closing line of Pinnacle" in run.log

    # The latest season that has ended, of each competition; the one that is played is left out.
    kept = BackTestForecasts.objects.get(run=run)
    rows = comparison.forecasts_in(bytes(kept.forecasts))
    seasons = Match.objects.filter(pk__in=rows["match_id"].tolist()).values_list("competition__slug", "season__label")
    assert set(seasons) == set(kept.seasons.items())
    assert len(kept.seasons) == 4
    fixtures = Match.objects.filter(status="scheduled").values_list("competition__slug", "season__label")
    assert not set(fixtures) & set(kept.seasons.items())
    assert run.metrics["test"]["n"] == len(rows) > 400

    services.summarize_due(now=NOW)
    assert BackTest.objects.filter(run=run, version=champion).count() == len(rows)
    gap = selectors.closing_gap(World.SANDBOX)
    assert gap.run_id == run.pk
    line = next(line for line in run.metrics["benchmarks"] if line["name"] == "closing line of Pinnacle")
    assert gap.content["back_test"]["n"] == line["n"]
    assert gap.content["back_test"]["log_loss"]["mean"] == pytest.approx(line["gap"]["log_loss"]["mean"], abs=1e-6)

    # The same once more: nothing is fitted again, and no match counts twice.
    again = queue("again")
    assert again != run
    runs.run_due(now=NOW)
    again = fresh(again)
    assert again.status == "unchanged"
    assert by_stage(again)["train"] == "unchanged"
    services.summarize_due(now=NOW)
    assert BackTest.objects.filter(version=champion).count() == len(rows)

    # A retry from a stage is a back-test of the same version.
    assert stages_to_retry(run)[-1] == "evaluate"
    retried = retry_run(run_id=run.pk, stage="evaluate", by="ada", now=NOW)
    assert (retried.kind, retried.back_test_of, retried.params) == ("back-test", champion, run.params)


def test_a_back_test_that_is_cancelled_leaves_nothing(champion):
    run = queue()

    def cancel_once_it_splits() -> bool:
        if by_stage(fresh(run)).get("preprocess") == "done" and fresh(run).status == "running":
            cancel_run(run_id=run.pk, by="ada", now=NOW)
        return False

    runs.run_due(now=NOW, is_stopping=cancel_once_it_splits)
    assert (fresh(run).status, fresh(run).cancelled_by) == ("cancelled", "ada")
    assert not BackTestForecasts.objects.exists()
    assert runs.run_due(now=NOW) is None
