"""Actions on versions, champions, runs and policies."""

from __future__ import annotations

from datetime import UTC, datetime

import yaml
from django.db.models import Model
from django.urls import reverse

from apps.matches.models import World
from apps.ml import services as ml
from apps.ml.models import ModelVersion, PipelineRun, PolicyRevision, Promotion, ServedWorld
from apps.ml.pipeline import files
from apps.ml.services import champion, workspaces
from tests import bundles
from tests.db.audited_actions.cases import case
from tests.factories import CompetitionFactory, FinishedMatchFactory, SeasonFactory


@case("ml.modelversion.promote_version")
def _(room):
    version = room.build.version(1)
    room.monkeypatch.setattr(champion, "_check_bundle", lambda version: None)
    room.do(ModelVersion, "promote_version", version, reason="better", despite="on")
    return version


def challenger(room) -> ModelVersion:
    """Return a version that may take over from a champion."""
    present, version = room.build.version(1), room.build.version(2)
    room.build.promote(present)
    room.build.comparison(version, present)
    return version


@case("ml.modelversion.decline_version")
def _(room):
    version = challenger(room)
    room.do(ModelVersion, "decline_version", version, reason="its features are wrong for cups")
    return version


@case("ml.modelversion.reconsider_version")
def _(room):
    version = challenger(room)
    ModelVersion.objects.filter(pk=version.pk).update(declined_at=room.now)
    room.do(ModelVersion, "reconsider_version", version, reason="cups are gone")
    return version


@case("ml.modelversion.compare_again")
def _(room):
    present, version = room.build.version(1, bundle_sha256="8" * 64), room.build.version(2)
    room.build.promote(present)
    rules = workspaces.read_params()["compare"]
    key = files.json_sha256([[(each.bundle_sha256, None) for each in (version, present)], rules])
    room.build.comparison(version, present, key=key)
    room.do(ModelVersion, "compare_again", version)
    return version


def rolled_back(room, world: World) -> Model:
    versions = [room.build.version(number, world=world, profile="production") for number in (1, 2)]
    for version in versions:
        ml.promote(version=version, user=None, reason="first", now=room.now)
    room.monkeypatch.setattr(champion, "_check_bundle", lambda version: None)
    room.do(Promotion, f"roll_back_{world}", reason="worse", seen="")
    return versions[0]


@case("ml.promotion.roll_back_sandbox")
def _(room):
    return rolled_back(room, World.SANDBOX)


@case("ml.promotion.roll_back_real")
def _(room):
    return rolled_back(room, World.REAL)


@case("ml.modelversion.roll_back_to")
def _(room):
    versions = [room.build.version(number) for number in (1, 2, 3)]
    for version in versions:
        ml.promote(version=version, user=None, reason="first", now=room.now)
    room.monkeypatch.setattr(champion, "_check_bundle", lambda version: None)
    room.do(ModelVersion, "roll_back_to", versions[0], reason="worse", seen="")
    return versions[0]


@case("ml.servedworld.choose")
def _(room):
    room.do(ServedWorld, "choose", world="real")
    return ServedWorld.objects.get()


def with_history(room) -> None:
    split = workspaces.read_params()["split"] | {"least_rows": 1, "warm_up_days": 30}
    params = workspaces.read_params() | {"split": split}
    for place in (workspaces, ml):
        room.monkeypatch.setattr(place, "read_params", lambda: params)
    season = SeasonFactory(competition=CompetitionFactory(is_simulated=True))
    for month in (3, 6, 8):
        FinishedMatchFactory(season=season, kickoff_at=datetime(2024, month, 9, 15, tzinfo=UTC))


@case("ml.pipelinerun.run_pipeline")
def _(room):
    with_history(room)
    for _click in range(2):
        room.do(PipelineRun, "run_pipeline", world="sandbox", profile="smoke", as_of_date="")
    return PipelineRun.objects.get()


@case("ml.pipelinerun.back_test_champion")
def _(room):
    with_history(room)
    version = room.build.version(1, bundle=bundles.with_manifest(workspaces.read_params()))
    room.build.promote(version)
    for _click in range(2):
        room.do(PipelineRun, "back_test_champion", world="sandbox")
    return PipelineRun.objects.get()


@case("ml.pipelinerun.run_again")
def _(room):
    with_history(room)
    earlier = room.build.run(status="succeeded", as_of=datetime(2024, 9, 1, tzinfo=UTC))
    form = {"world": "sandbox", "profile": "smoke", "as_of_date": "2024-09-01"}
    room.do(PipelineRun, "run_again", earlier, **form)
    return PipelineRun.objects.latest("pk")


@case("ml.pipelinerun.cancel_run")
def _(room):
    run = room.build.run(status="queued")
    for _click in range(2):
        room.do(PipelineRun, "cancel_run", run)
    return run


@case("ml.pipelinerun.describe_run")
def _(room):
    run = room.build.run(status="succeeded")
    room.do(PipelineRun, "describe_run", run, notes="after the transfer window", tags="summer")
    return run


@case("ml.pipelinerun.retry_run")
def _(room):
    lock = yaml.safe_dump({"stages": {name: {} for name in list(workspaces.read_stages())[:3]}})
    run = room.build.run(status="failed", dvc_lock=lock, finished_at=room.now)
    workspaces.folder_of(run).mkdir(parents=True, exist_ok=True)
    room.do(PipelineRun, "retry_run", run, stage=list(workspaces.read_stages())[2])
    return PipelineRun.objects.latest("pk")


@case("ml.policyrevision.change")
def _(room):
    address = reverse("admin:ml_policyrevision_add")
    form = room.browser.get(f"{address}?world=real").context["adminform"].form
    values = {name: value for name, value in form.initial.items() if value is not None}
    room.browser.post(address, values | {"promote__mode": "automatic", "reason": "it has proved itself"})
    return PolicyRevision.objects.get()
