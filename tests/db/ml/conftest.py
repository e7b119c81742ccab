"""A small simulated world in the database, and real model versions trained on it."""

from __future__ import annotations

import gzip
import hashlib
import io
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from django.conf import settings
from django.utils import timezone

from apps.matches.ingest import IngestReport, ingest
from apps.matches.models import World as WorldName
from apps.ml import dataset, selectors, serving
from apps.ml.forecasting import estimators
from apps.ml.forecasting.estimators import Calibrated, Calibration, Intervals, calibration
from apps.ml.forecasting.features import FeatureState, catalogue
from apps.ml.forecasting.features.catalogue import Feature
from apps.ml.models import EvaluationArtifacts, ModelVersion
from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import featurize
from apps.ml.serving import loaded_models
from apps.scraping.sandbox.world import SimulatedWorld
from tests.database import rows_of, write_again

PARAMS = yaml.safe_load((settings.BASE_DIR / "apps" / "ml" / "params.yaml").read_text())
ALL_FEATURES = PARAMS["features"]
PARAMS["features"] = {family: PARAMS["features"][family] for family in ("base_rates", "elo")}


@pytest.fixture(autouse=True)
def _nothing_loaded(tmp_path, settings):
    settings.SPAI_VAR_DIR = tmp_path
    serving.forget()
    yield
    serving.forget()


@dataclass
class Scene:
    """A world at a moment, and what its ingest wrote."""

    now: datetime
    world: SimulatedWorld
    report: IngestReport | None = None
    rows: dict[str, bytes] = field(default_factory=dict)


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    return []


@pytest.fixture
def scene(scenes) -> Scene:
    """The latest scene, or a new one when it is no longer now: tests read the clock of the machine too.

    It is never at a whole minute, when the world's results become known: what is known at an instant counts after it.
    """
    now = timezone.now().replace(microsecond=0)
    if now.second == 0:
        now -= timedelta(seconds=1)
    if not scenes or now - scenes[-1].now > timedelta(seconds=15):
        scenes[:] = [Scene(now, SimulatedWorld(seed=11, anchor_at=now - timedelta(hours=1, seconds=30)))]
    return scenes[-1]


@pytest.fixture
def now(scene):
    return scene.now


@pytest.fixture
def world(scene):
    """A simulated world whose dense season began an hour ago; the next kick-off is half a minute after `now`."""
    return scene.world


@pytest.fixture
def stored(db, scene):
    """The latest past season, the results of the last hour and the coming fixtures, in the database."""
    if any(rows_of("matches").values()):
        return stored_by_ingest(scene)
    if scene.report is None:
        scene.report = stored_by_ingest(scene)
        scene.rows = rows_of("matches")
    else:
        write_again(scene.rows)
    return scene.report


def stored_by_ingest(scene: Scene) -> IngestReport:
    since = scene.now - timedelta(days=230)
    return ingest(scene.world.records(scene.now, since=since), source="sandbox", now=scene.now)


@pytest.fixture
def give_intervals(now, monkeypatch):
    """A function that puts intervals of 0.2 in log-odds around what the loaded champion of the sandbox forecasts."""

    def give() -> None:
        served = serving.current(WorldName.SANDBOX, now=now)
        around = Intervals(0.8, ((0.0,) * 7,) * 3, ((-0.2, 0.2),) * 3, 500)
        plain = Calibration("none", (1.0,) * 3, (0.0,) * 3, 500, {})
        monkeypatch.setattr(calibration, "KNOWN", ("elo_diff",) * 6)
        bundle = replace(served.bundle, estimator=Calibrated(served.bundle.estimator, plain, around))
        monkeypatch.setitem(loaded_models.champions, WorldName.SANDBOX, replace(served, bundle=bundle))

    return give


@pytest.fixture
def no_real_policy(monkeypatch):
    """A function from whose call on the policy of the real world cannot be read."""
    policy_of = selectors.policy

    def policy(world):
        if world == WorldName.REAL:
            raise ValueError("no such policy")
        return policy_of(world)

    return lambda: monkeypatch.setattr(selectors, "policy", policy)


@pytest.fixture
def make_version(stored, now, tmp_path):
    """A function that trains a version on the stored matches and registers it without MLflow."""

    def make(
        number: int = 1,
        *,
        estimator: str = "elo_logit",
        broken: bool = False,
        passed: bool = True,
        until: datetime | None = None,
        profile: str = "smoke",
        inputs: str = "no odds",
        home: float | None = None,
        without: tuple[str, ...] = (),
        more: tuple[str, ...] = (),
    ) -> ModelVersion:
        finished = dataset.results_between(WorldName.SANDBOX, after=None, before=until or now)
        described = finished.assign(as_of=finished["kickoff_at"] - timedelta(minutes=1))
        state, described_by, prices = FeatureState.new(PARAMS["features"]), catalogue(PARAMS["features"]), b""
        rows, names = state.fold(finished, described), state.names
        if estimators.REGISTRY[estimator].uses_market:
            odds = dataset.prices_of(finished["match_id"])
            priced, priced_names, price_state = featurize.priced(
                finished, described, odds, PARAMS | {"features": ALL_FEATURES}
            )
            rows, names, prices = np.column_stack((rows, priced)), names + priced_names, price_state.to_bytes()
            described_by = [*state.catalogue, *price_state.catalogue, *featurize.LINE]
        rows, described_by = by_other_code(rows, described_by, without, more)
        names = tuple(feature.name for feature in described_by)
        outcome = np.where(
            finished["home_goals"] > finished["away_goals"],
            0,
            np.where(finished["home_goals"] == finished["away_goals"], 1, 2),
        )
        section = PARAMS["train"]["smoke"].get(estimator, {})
        if "without" in section:  # the columns of the other ratings are not made here
            elo = PARAMS["train"]["smoke"]["elo_logit"]
            section = section | {"without": elo, "earlier": elo | {"columns": [*elo["columns"], "price_diff"]}}
        model = estimators.create(estimator, section, seed=number)
        model.fit(bundles.as_trained(rows), outcome, names=names)
        folder = Path(tmp_path) / f"model-{number}"
        model.save(folder)
        manifest = bundles.Manifest(
            world="sandbox",
            estimator=estimator,
            inputs="no odds",
            profile="smoke",
            as_of=now,
            data_snapshot=stored.ingest_id,
            rows=len(finished),
            trained_from=finished["kickoff_at"].min().date(),
            trained_to=finished["kickoff_at"].max().date(),
            names=names,
            params=PARAMS,
            sources_sha256="0" * 64,
        )
        content = bundles.pack(
            manifest=manifest,
            model=folder,
            state=state.to_bytes(),
            catalogue=[{"name": feature.name, "family": feature.family} for feature in described_by],
            golden=rows[-5:],
            price_state=prices,
        )
        digest = hashlib.sha256(content).hexdigest()
        version = ModelVersion.objects.create(
            world="sandbox",
            number=number,
            mlflow_run_id=f"run{number}",
            estimator=estimator,
            inputs=inputs,
            profile=profile,
            key=f"{number:064d}",
            data_sha256="0" * 64,
            params_sha256="0" * 64,
            code_revision="test",
            data_snapshot=stored.ingest_id,
            as_of=now,
            rows=len(finished),
            trained_from=manifest.trained_from,
            trained_to=manifest.trained_to,
            metrics={},
            gates=[{"name": "log loss", "passed": passed, "value": 1.0, "bound": 1.1, "reason": "below base rates"}],
            bundle=content[:-100] if broken else content,
            bundle_sha256=digest,
            created_at=now,
        )
        if home is not None:
            kept = kept_forecasts(home)
            EvaluationArtifacts.objects.create(
                version=version,
                forecasts=kept,
                forecasts_sha256=hashlib.sha256(kept).hexdigest(),
                report=gzip.compress(b"<h1>Report</h1>", mtime=0),
                created_at=now,
            )
        return version

    return make


def by_other_code(
    rows: np.ndarray, described_by: list[Feature], without: tuple[str, ...], more: tuple[str, ...]
) -> tuple[np.ndarray, list[Feature]]:
    """The features as code makes them that has not all of them, or more."""
    kept = [place for place, feature in enumerate(described_by) if feature.name not in without]
    added = [replace(described_by[0], name=name) for name in more]
    rows = np.column_stack((rows[:, kept], np.zeros((len(rows), len(added)))))
    return rows, [described_by[place] for place in kept] + added


def kept_forecasts(home: float, n: int = 600) -> bytes:
    """Forecasts of `n` matches, three in five of them home wins, that all call a home win `home`."""
    number = np.arange(n)
    frame = pd.DataFrame(
        {
            "match_id": number + 1,
            "as_of": pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(number, unit="h"),
            "competition": "league",
            "outcome": np.where(number % 5 < 3, 0, np.where(number % 5 == 3, 1, 2)),
            "fold": 0,
            "p_home": home,
            "p_draw": (1.0 - home) / 2.0,
            "p_away": (1.0 - home) / 2.0,
        }
    )
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()
