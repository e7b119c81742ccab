"""What is deleted of forecasts, runs and versions, and what stays whatever its age."""

from __future__ import annotations

import os
import sys
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.matches.locks import Lock
from apps.matches.models import RetentionPeriod, World
from apps.matches.services import Deletion, Retention, as_retention
from apps.ml import registry, selectors, services, serving
from apps.ml.models import (
    EvaluationArtifacts,
    FeatureSnapshot,
    LedgerDay,
    ModelVersion,
    PipelineRun,
    Prediction,
    SeasonForecast,
    ShadowForecast,
)
from apps.ml.services import retention, workspaces
from apps.ml.services.processes import dvc
from tests.database import locked_elsewhere
from tests.web.conftest import Builder

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def build(now):
    return Builder(now)


@pytest.fixture
def version(build):
    return old_version(build, 1)


def old_version(build: Builder, number: int, **fields) -> ModelVersion:
    return build.version(number, created_at=build.now - 10 * DAY, **fields)


@pytest.fixture
def match(build, now):
    """A match that was played eight days ago."""
    return build.match(kickoff_at=now - 8 * DAY, goals=(2, 1))


@pytest.fixture
def forecast(build, match, version):
    """A function that publishes a forecast so many hours before the kick-off."""
    snapshots = iter(range(100))

    def make(hours: float, **fields) -> Prediction:
        given = {"version": version, "data_snapshot": next(snapshots), **fields}
        return build.prediction(match, before_kickoff=timedelta(hours=hours), **given)

    return make


def kept() -> set[int]:
    return set(Prediction.objects.values_list("pk", flat=True))


def deleted(now, kind: str = "sandbox-forecasts") -> Deletion:
    world = World.SANDBOX if kind.startswith("sandbox") else World.REAL
    return retention.delete_forecasts(Retention(now), kind, world)


# ── Forecasts ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_forecast_that_was_replaced_before_kick_off_goes_and_its_proof_stays(forecast, now):
    first, second, last = forecast(30), forecast(20), forecast(2)
    services.close_due(now=now)
    before = selectors.inclusion_proof(first.pk)
    assert deleted(now) == Deletion(2)
    assert kept() == {last.pk}
    assert selectors.inclusion_proof(first.pk) == before
    assert selectors.inclusion_proof(second.pk) is not None
    assert services.close_due(now=now + DAY).missing == {}


def test_leaves_of_the_sandbox_go_and_the_days_stay(forecast, now):
    first, last = forecast(30), forecast(2)
    services.close_due(now=now)
    days = list(LedgerDay.objects.values("day", "root", "previous", "hash"))
    assert retention.delete_sandbox_leaves(Retention(now)) == Deletion()
    assert retention.delete_sandbox_leaves(Retention(now + 10 * DAY)) == Deletion(2)
    assert [selectors.inclusion_proof(each.pk) for each in (first, last)] == [None, None]
    assert list(LedgerDay.objects.values("day", "root", "previous", "hash")) == days
    assert services.close_due(now=now + DAY).missing == {}


def test_no_leaf_of_the_real_world_and_none_of_yesterday_goes(forecast, now):
    forecast(2)
    services.close_due(now=now)
    for change in ("world = 'real'", f"world = 'sandbox', day = '{(now - DAY).date()}'"):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("DELETE FROM ml_ledgerday WHERE forecasts = 0")
            cursor.execute(f"UPDATE ml_ledgerday SET {change}")
            cursor.execute("SET LOCAL session_replication_role = origin")
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), as_retention():
            connection.cursor().execute("DELETE FROM ml_ledgerleaf")
    assert retention.delete_sandbox_leaves(Retention(now)) == Deletion()


def shadow_of(prediction: Prediction, version: ModelVersion) -> ShadowForecast:
    """Store a shadow as if the match had not kicked off."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        made = ShadowForecast.objects.create(
            prediction=prediction, version=version, p_home=0.5, p_draw=0.3, p_away=0.2, made_at=prediction.published_at
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    return made


def test_shadows_go_with_the_forecast_that_was_replaced_and_not_before(forecast, build, now):
    other = old_version(build, 2)
    replaced, graded = forecast(9), forecast(2)
    shadows = [shadow_of(each, other) for each in (replaced, graded)]
    build.score(graded)
    assert deleted(now) == Deletion()
    assert ShadowForecast.objects.count() == 2
    services.close_due(now=now)
    assert deleted(now) == Deletion(2)
    assert list(ShadowForecast.objects.all()) == shadows[1:]
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), as_retention():
        ShadowForecast.objects.filter(pk=shadows[1].pk)._raw_delete("default")


def test_the_graded_forecast_and_the_last_of_every_version_stay(forecast, build, match, now):
    other = old_version(build, 2)
    replaced, last = forecast(9, version=other), forecast(8, version=other)
    graded = forecast(2)
    build.score(graded)
    services.close_due(now=now)
    assert deleted(now) == Deletion(1)
    assert kept() == {last.pk, graded.pk}
    assert selectors.latest_predictions([match.pk])[match.pk] == graded
    assert replaced.pk not in kept()


def test_a_forecast_with_a_score_of_an_earlier_kick_off_stays(forecast, build, now):
    scored = forecast(5)
    build.score(scored)
    forecast(2)
    services.close_due(now=now)
    assert deleted(now) == Deletion()


def test_a_forecast_that_came_after_an_earlier_kick_off_replaces_none(forecast, match, now):
    valid = forecast(3)
    void = forecast(1)
    services.close_due(now=now)
    type(match).objects.filter(pk=match.pk).update(kickoff_at=match.kickoff_at - timedelta(hours=2))
    assert deleted(now) == Deletion()
    assert kept() == {valid.pk, void.pk}


def test_a_forecast_whose_day_is_not_closed_stays(forecast, now):
    forecast(30)
    forecast(2)
    assert deleted(now) == Deletion()


def test_forecasts_of_a_match_that_was_played_lately_or_is_of_the_other_world_stay(forecast, now):
    forecast(30)
    forecast(2)
    services.close_due(now=now)
    RetentionPeriod.objects.create(kind="sandbox-forecasts", days=9)
    assert deleted(now) == Deletion()
    assert deleted(now, "forecasts") == Deletion()


@pytest.mark.parametrize("what", ["graded", "last", "young", "open day"])
def test_postgresql_refuses_every_other_forecast_even_to_the_role(forecast, build, match, now, what):
    going, last = forecast(30), forecast(2)
    if what != "open day":
        services.close_due(now=now)
    if what == "graded":
        build.score(going)
    if what == "young":
        type(match).objects.filter(pk=match.pk).update(kickoff_at=now - timedelta(hours=5), known_at=now)
    wanted = last if what == "last" else going
    with pytest.raises(IntegrityError, match="append-only: DELETE refused"), as_retention():
        Prediction.objects.filter(pk=wanted.pk)._raw_delete("default")


def test_scores_promotions_and_the_ledger_are_not_the_roles_to_delete(forecast, build, version, now):
    build.score(forecast(2))
    build.promote(version)
    services.close_due(now=now)
    for table in ("ml_score", "ml_promotion", "ml_ledgerday", "ml_comparison", "ml_modelversion"):
        with pytest.raises(Exception, match=r"permission denied|append-only"), transaction.atomic(), as_retention():
            connection.cursor().execute(f"DELETE FROM {table}")


def test_of_old_season_forecasts_the_latest_of_each_season_stays(build, version, now):
    season, other = build.season(), build.season("Second League")
    for days in (9, 8, 1):
        build.season_end(season, version, ["A", "B"], as_of=now - days * DAY, data_snapshot=days)
    build.season_end(other, version, ["A", "B"], as_of=now - 9 * DAY)
    run = Retention(now)
    assert retention.delete_season_forecasts(run, "sandbox-season-forecasts", World.SANDBOX) == Deletion(2)
    assert SeasonForecast.objects.filter(season=season).get().data_snapshot == 1
    assert SeasonForecast.objects.filter(season=other).count() == 1


# ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def folder(run: PipelineRun, content: str) -> Path:
    """Make the workspace of a run by DVC: one output, of which the cache and the remote have a copy."""
    made = workspaces.folder_of(run)
    workspaces.configure(made)
    (made / "dvc.yaml").write_text(
        f"stages:\n  train:\n    cmd: {sys.executable} -c \"open('model','w').write('{content}')\"\n    outs: [model]\n"
    )
    return made


def ended(build, now, *, days: float, status: str = "succeeded", **fields) -> PipelineRun:
    return build.run(status=status, finished_at=now - days * DAY, **fields)


def test_workspaces_of_runs_that_ended_go_but_the_newest_and_those_of_runs_that_go_on(
    build, now, settings, monkeypatch
):
    cleaned = []
    monkeypatch.setattr(
        retention, "_clean_cache", lambda kept: cleaned.append({path.name for path in kept}) or Deletion()
    )
    runs = [
        ended(build, now, days=days, status=status)
        for days, status in ((9, "failed"), (8, "succeeded"), (2, "unchanged"), (2, "succeeded"))
    ]
    runs += [build.run(status=status) for status in ("running", "interrupted")]
    for run in runs:
        workspaces.folder_of(run).mkdir(parents=True)
        (workspaces.folder_of(run) / "file").write_bytes(b"x" * 10_000)
    dry = retention.delete_workspaces(Retention(now, is_dry=True))
    assert (dry.files, cleaned) == (2, [])
    done = retention.delete_workspaces(Retention(now))
    assert (done.files, done.bytes >= 20_000) == (2, True)
    left = {int(path.name) for path in (settings.SPAI_VAR_DIR / "runs").iterdir()}
    assert left == {run.pk for run in runs[2:]}
    assert cleaned == [{str(pk) for pk in left}]
    assert retention.delete_workspaces(Retention(now)) == Deletion()


def test_the_workspace_of_a_run_whose_row_went_first_goes_too(build, now, settings, monkeypatch):
    monkeypatch.setattr(retention, "_clean_cache", lambda kept: Deletion())
    # The folder is kept for ever, and the row for 90 days; then the folder is to go after a day.
    period = RetentionPeriod.objects.create(kind="workspaces", days=0, newest=0)
    RetentionPeriod.objects.create(kind="runs", newest=0)
    for days in (100, 0):
        place = workspaces.folder_of(ended(build, now, days=days))
        place.mkdir(parents=True)
        os.utime(place, ((now - days * DAY).timestamp(),) * 2)
    gone, left = PipelineRun.objects.order_by("pk").values_list("pk", flat=True)
    retention.delete_workspaces(Retention(now))
    retention.delete_runs(Retention(now))
    RetentionPeriod.objects.filter(pk=period.pk).update(days=1)
    assert retention.delete_workspaces(Retention(now)).files == 1
    assert [path.name for path in (settings.SPAI_VAR_DIR / "runs").iterdir()] == [str(left)] != [str(gone)]


def test_nothing_is_deleted_while_a_run_is_executed(build, now):
    for _ in range(3):
        workspaces.folder_of(ended(build, now, days=9)).mkdir(parents=True)
    with locked_elsewhere(Lock.RUN), pytest.raises(retention.RunsBusyError):
        retention.delete_workspaces(Retention(now))


def test_workspaces_stay_when_dvc_cannot_clean_its_cache(build, now, monkeypatch):
    run = ended(build, now, days=9)
    RetentionPeriod.objects.create(kind="workspaces", newest=0)
    workspaces.folder_of(run).mkdir(parents=True)
    monkeypatch.setattr(retention, "dvc", lambda *_: (sys.executable, "-c", "raise SystemExit('no space left')"))
    with pytest.raises(retention.CacheNotCleanedError, match="no space left"):
        retention.delete_workspaces(Retention(now))
    assert workspaces.folder_of(run).exists()


@pytest.mark.slow
def test_dvc_keeps_what_a_kept_workspace_uses_in_cache_and_remote(build, now, settings):
    old, young = ended(build, now, days=9), ended(build, now, days=9)
    RetentionPeriod.objects.create(kind="workspaces", newest=1)
    for run in (old, young):
        made = folder(run, f"model of run {run.pk}")
        for command in (("repro",), ("push",)):
            done = retention.subprocess.run(
                dvc(*command), cwd=made, env=workspaces.environment(), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr

    def stored(place: str) -> set[str]:
        files = (settings.SPAI_VAR_DIR / place / "files").rglob("*")
        return {path.read_text() for path in files if path.is_file()}

    both = {f"model of run {run.pk}" for run in (old, young)}
    assert stored("dvc-cache") == stored("dvc-remote") == both
    done = retention.delete_workspaces(Retention(now))
    assert stored("dvc-cache") == stored("dvc-remote") == {f"model of run {young.pk}"}
    assert done.files >= 2
    assert not workspaces.folder_of(old).exists()
    assert (workspaces.folder_of(young) / "model").read_text() == f"model of run {young.pk}"


def test_rows_of_runs_go_but_the_newest_and_those_that_made_a_version(build, now):
    made = ended(build, now, days=300)
    build.version(1, pipeline_run=made)
    old = ended(build, now, days=200, status="failed")
    young = ended(build, now, days=2)
    waiting = build.run(status="queued")
    RetentionPeriod.objects.create(kind="runs", newest=1)
    assert retention.delete_runs(Retention(now)) == Deletion(1)
    assert set(PipelineRun.objects.all()) == {made, young, waiting}
    assert not PipelineRun.objects.filter(pk=old.pk).exists()


# ── Versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def forgotten(monkeypatch) -> list[int]:
    """Numbers of the versions that MLflow was told to delete."""
    numbers: list[int] = []
    monkeypatch.setattr(registry, "delete", lambda *, world, number, run_id: numbers.append(number))
    return numbers


def with_files(version: ModelVersion) -> ModelVersion:
    EvaluationArtifacts.objects.create(
        version=version, forecasts=b"f", forecasts_sha256="6" * 64, report=b"r", created_at=version.created_at
    )
    FeatureSnapshot.objects.create(
        world=version.world,
        version=version,
        data_snapshot=1,
        state=b"s",
        state_sha256="7" * 64,
        created_at=version.created_at,
    )
    return version


def test_versions_that_nothing_refers_to_lose_their_files_and_keep_their_row(build, forecast, forgotten, now):
    RetentionPeriod.objects.create(kind="model-files", newest=1)
    refused = [{"name": "calibrated", "passed": False, "value": 1, "bound": 0, "reason": "no"}]
    refused_ones = (6, 7)
    # 1 forecasts (it is that of `forecast`), 2 is champion, 3 was compared with it, 7 is the newest refused one.
    forecast(2)
    versions = {n: with_files(old_version(build, n, gates=refused * (n in refused_ones))) for n in range(2, 10)}
    build.promote(versions[2])
    build.comparison(versions[3], versions[2])
    done = retention.delete_model_files(Retention(now))
    gone = set(ModelVersion.objects.filter(files_deleted_at__isnull=False).values_list("number", flat=True))
    assert (done, sorted(forgotten), gone) == (Deletion(len(gone)), sorted(gone), gone)
    # 8 is the newest candidate but 9, which is the newest of all.
    assert gone == {4, 5, 6, 7, 8}
    for number, row in versions.items():
        row.refresh_from_db()
        assert bool(bytes(row.bundle)) == (number not in gone)
        assert EvaluationArtifacts.objects.filter(version=row).exists() == (number not in gone)
        assert row.metrics
    assert retention.delete_model_files(Retention(now)) == Deletion()


def test_a_deletion_that_was_cut_short_is_finished_by_the_next_run(build, forgotten, now, monkeypatch):
    RetentionPeriod.objects.create(kind="model-files", newest=0)
    version, newest = with_files(old_version(build, 1)), old_version(build, 2)

    def unreachable(**_):
        raise registry.RegistryError("MLflow cannot be reached")

    monkeypatch.setattr(registry, "delete", unreachable)
    with pytest.raises(registry.RegistryError):
        retention.delete_model_files(Retention(now))
    version.refresh_from_db()
    assert (version.files_deleted_at, bytes(version.bundle)) == (now, b"zip")
    monkeypatch.setattr(registry, "delete", lambda **_: None)
    assert retention.delete_model_files(Retention(now)) == Deletion(1)
    version.refresh_from_db()
    assert bytes(version.bundle) == b""
    assert bytes(ModelVersion.objects.get(pk=newest.pk).bundle) == b"zip"


def test_a_version_without_files_cannot_serve_be_compared_or_have_an_alias(build, now):
    version = build.version(1)
    stale = ModelVersion.objects.get(pk=version.pk)
    ModelVersion.objects.filter(pk=version.pk).update(files_deleted_at=now, bundle=b"")
    version.refresh_from_db()
    with pytest.raises(services.PromotionRefusedError, match="lost its files to retention"):
        services.promote(version=stale, user=None, reason="a page that was opened before", now=now)
    assert services.promote_first_champion(world=World.SANDBOX, now=now) is None
    assert "lost its files" in services.why_not_compared(version)
    assert set(selectors.aliases(World.SANDBOX).values()) == {None}
    with pytest.raises(serving.NotServedError, match="were deleted"):
        serving.version(version, now=now)


def test_what_lost_its_files_can_be_made_again_from_the_same_inputs(build, now):
    first = build.version(1)
    ModelVersion.objects.filter(pk=first.pk).update(files_deleted_at=now, bundle=b"")
    again = build.version(2, key=first.key)
    assert again.key == first.key
    with pytest.raises(IntegrityError), transaction.atomic():
        build.version(3, key=first.key)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow_loses_files_run_and_version_and_a_second_time_does_no_harm(tmp_path, settings, monkeypatch):
    import mlflow

    settings.MLFLOW_TRACKING_URI = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.html").write_text("report")
    given = {"params": {}, "metrics": {"best": "elo", "as_of": "2026-11-23"}, "tags": {}, "names": ["elo_home"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, kept_one = (
            registry.register(world="sandbox", key=key, bundle=b"zip" * 1000, files=[tmp_path / "report.html"], **given)
            for key in ("one", "two")
        )
    client = mlflow.MlflowClient()

    def bundles() -> list[Path]:
        return list((tmp_path / "mlruns").rglob("bundle.zip"))

    assert len(bundles()) == 2
    for _ in range(2):
        registry.delete(world="sandbox", number=made.number, run_id=made.run_id)
    assert len(bundles()) == 1
    assert client.get_run(made.run_id).info.lifecycle_stage == "deleted"
    assert [int(each.version) for each in client.search_model_versions("name='spai-sandbox'")] == [kept_one.number]


def test_feature_states_and_copies_of_versions_that_are_not_champion_go(build, now, settings):
    champion, other = (with_files(old_version(build, n, bundle_sha256=str(n) * 64)) for n in (1, 2))
    build.promote(champion)
    bundles = settings.SPAI_VAR_DIR / "bundles"
    for version in (champion, other):
        made = bundles / version.bundle_sha256
        made.mkdir(parents=True)
        os.utime(made, (0, (now - 9 * DAY).timestamp()))
    assert retention.delete_feature_states(Retention(now)) == Deletion(1)
    assert FeatureSnapshot.objects.get().version == champion
    assert retention.delete_model_copies(Retention(now)).files == 1
    assert [path.name for path in bundles.iterdir()] == [champion.bundle_sha256]
