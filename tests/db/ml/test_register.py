"""The end of the pipeline: a version in a real MLflow store, its row with the served files, and a pyfunc of both."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from django.conf import settings as real_settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from apps.matches.models import World
from apps.ml import registry, selectors, services
from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import (
    card,
    comparison,
    files,
)
from apps.ml.services import registration
from tests.pure.pipeline.small_world import AS_OF, every_stage
from tests.shared import made_once

# MLflow and what it stands on warn of their own old habits, at import and in use.
pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]

OUTPUTS = ["p_home", "p_draw", "p_away", "home_expected_goals", "away_expected_goals"]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A workspace in which all stages before the last have run; the last one writes into it."""
    built = made_once("built", tmp_path_factory, every_stage)
    return Path(shutil.copytree(built, tmp_path_factory.mktemp("register") / "built"))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    """Address of an MLflow store of this module; making its tables takes most of the time."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture(autouse=True)
def _mlflow(store, settings, monkeypatch):
    settings.MLFLOW_TRACKING_URI = store
    # Without a server, artifacts go where the process stands.
    monkeypatch.chdir(Path(store.removeprefix("sqlite:///")).parent)


def register(root: Path) -> str:
    said = StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call_command("register_model", root=root, stdout=said)
    return said.getvalue()


def plain() -> ModelVersion:
    """The version that may be served; the one that looks at prices is registered beside it."""
    return ModelVersion.objects.get(inputs="no odds")


def client():
    import mlflow

    mlflow.set_tracking_uri(real_settings.MLFLOW_TRACKING_URI)
    return mlflow.MlflowClient()


def test_a_version_is_registered_with_its_files_and_its_origin(built):
    register(built)
    version = plain()
    metrics = files.read_json(built / files.METRICS)
    assert (version.world, version.estimator, version.profile) == ("sandbox", metrics["best"], "smoke")
    assert (version.as_of, version.data_snapshot, version.metrics) == (AS_OF, 7, metrics)
    assert version.data_sha256 == files.sha256(*(built / path for path in files.RAW))
    assert version.rows > 1000
    assert version.bundle_sha256 == hashlib.sha256(bytes(version.bundle)).hexdigest()
    assert [gate["name"] for gate in version.gates][-1] == "golden rows"
    assert version.gates[-1]["passed"] is True
    entry = client().get_model_version("spai-sandbox", str(version.number))
    run = client().get_run(version.mlflow_run_id)
    assert entry.tags["key"] == version.key
    # The store outlives a test: a version that an earlier one registered keeps the revision of that moment.
    assert run.data.tags["code_revision"]
    assert run.data.params["features.elo.base"] == "1500"
    best = metrics["models"][metrics["best"]]
    assert run.data.metrics[f"models.{metrics['best']}.log_loss"] == pytest.approx(best["log_loss"])
    kept = {entry.path for entry in client().list_artifacts(version.mlflow_run_id)}
    assert {
        "metrics.json", "breakdown.json", "explained.json", "betting.json", "report.html", "plots", "catalogue.json",
    } <= kept  # fmt: skip


def test_the_same_inputs_register_nothing_twice(built):
    first = register(built)
    before = plain()
    assert "registered" in first
    assert "was made from the same inputs already" in register(built)
    assert plain() == before
    assert files.read_json(built / files.REGISTERED) == {
        "id": before.pk, "world": "sandbox", "number": before.number, "key": before.key, "created": False,
    }  # fmt: skip


def test_a_row_that_was_lost_finds_its_version_in_the_registry_again(built):
    register(built)
    before = plain()
    ModelVersion.objects.all().delete()
    register(built)
    after = plain()
    assert (after.number, after.key, after.mlflow_run_id) == (before.number, before.key, before.mlflow_run_id)
    assert after.bundle_sha256 == before.bundle_sha256, "packed again, the same bytes"


def test_a_version_names_the_run_that_made_it(built, tmp_path):
    run = PipelineRun.objects.create(
        world="sandbox", as_of=AS_OF, profile="smoke", requested_by="ann", created_at=AS_OF
    )
    text = (built / files.PARAMS).read_text()
    try:
        files.write_text(built / files.PARAMS, f"{text}run: {{id: {run.pk}}}\n")
        register(built)
    finally:
        files.write_text(built / files.PARAMS, text)
    assert plain().pipeline_run == run


def test_other_parameters_make_another_version(built):
    register(built)
    text = (built / files.PARAMS).read_text()
    try:
        files.write_text(built / files.PARAMS, text.replace("hours: 1", "hours: 2"))
        register(built)
    finally:
        files.write_text(built / files.PARAMS, text)
    assert ModelVersion.objects.filter(inputs="no odds").count() == 2


def test_without_an_mlflow_server_the_command_says_how_to_get_one(built, settings):
    settings.MLFLOW_TRACKING_URI = ""
    with pytest.raises(CommandError, match="stack up"):
        register(built)


def test_the_bundle_of_the_row_is_the_artifact_in_mlflow(built):
    import mlflow

    register(built)
    version = plain()
    folder = mlflow.artifacts.download_artifacts(f"models:/spai-sandbox/{version.number}")
    (artifact,) = Path(folder).rglob("bundle.zip")
    assert artifact.read_bytes() == bytes(version.bundle)
    pickles = [path.name for path in Path(folder).rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    assert pickles == []


def test_the_registered_pyfunc_forecasts_as_the_served_bundle_does(built, tmp_path):
    import mlflow

    register(built)
    version = plain()
    bundle = bundles.unpack(bytes(version.bundle), tmp_path / "bundle", sha256=version.bundle_sha256)
    asked = pd.read_parquet(built / files.FEATURES)[list(bundle.manifest.names)].tail(20).astype(np.float64)
    model = mlflow.pyfunc.load_model(f"models:/spai-sandbox/{version.number}")
    got = model.predict({"features": asked.to_numpy()})
    expected = bundle.forecast(asked.to_numpy())
    assert list(got.columns) == OUTPUTS
    np.testing.assert_allclose(got.to_numpy(), np.column_stack([expected.p, expected.goals]), rtol=0, atol=1e-12)
    np.testing.assert_allclose(got[OUTPUTS[:3]].sum(axis=1), 1.0, atol=1e-9)
    schema = model.metadata.signature
    assert schema.inputs.input_names() == ["features"]
    assert model.metadata.metadata["features"] == list(bundle.manifest.names)
    assert schema.outputs.input_names() == OUTPUTS


def test_the_registered_pyfunc_refuses_what_has_not_the_shape_of_its_features(built):
    import mlflow

    register(built)
    model = mlflow.pyfunc.load_model(f"models:/spai-sandbox/{plain().number}")
    asked = pd.read_parquet(built / files.FEATURES)[list(model.metadata.metadata["features"])].tail(2)
    for wrong in (asked, asked.iloc[:, ::-1], {"features": asked.to_numpy(dtype=np.float64)[:, 1:]}):
        with pytest.raises(mlflow.exceptions.MlflowException):
            model.predict(wrong)


def test_a_missing_feature_may_be_null_in_json(built):
    import mlflow
    from mlflow.pyfunc.scoring_server import parse_tf_serving_input

    register(built)
    model = mlflow.pyfunc.load_model(f"models:/spai-sandbox/{plain().number}")
    row = pd.read_parquet(built / files.FEATURES)[list(model.metadata.metadata["features"])].tail(1)
    sent = json.loads(row.to_json(orient="values"))
    got = model.predict(parse_tf_serving_input({"inputs": {"features": sent}}, model.metadata.get_input_schema()))
    expected = model.predict({"features": row.to_numpy(dtype=np.float64)})
    np.testing.assert_allclose(got.to_numpy(), expected.to_numpy(), rtol=0, atol=1e-6)


def test_aliases_are_set_moved_and_taken_away(built):
    register(built)
    number = plain().number
    for _ in range(2):
        registry.set_aliases(world="sandbox", aliases={"champion": number, "challenger": number, "smoke": None})
    assert int(client().get_model_version_by_alias("spai-sandbox", "champion").version) == number
    registry.set_aliases(world="sandbox", aliases={"champion": number, "challenger": None})
    left = dict(client().get_registered_model("spai-sandbox").aliases)
    assert "challenger" not in left
    assert int(left["champion"]) == number
    with pytest.raises(registry.RegistryError, match="aliases of spai-sandbox are not set"):
        registry.set_aliases(world="sandbox", aliases={"champion": 9999})


def test_the_origin_stands_on_the_run_on_the_version_and_in_the_served_files(built, tmp_path):
    register(built)
    version = plain()
    catalogue = files.read_catalogue(built, with_prices=True)
    canonical = json.dumps(catalogue, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert version.catalogue_id == hashlib.sha256(canonical.encode()).hexdigest()
    assert version.catalogue.features == catalogue
    assert set(version.columns) <= {row["name"] for row in catalogue if row["inputs"] == "no odds"}
    entry = client().get_model_version("spai-sandbox", str(version.number))
    run = client().get_run(version.mlflow_run_id)
    expected = {
        "data_sha256": version.data_sha256,
        "params_sha256": version.params_sha256,
        "catalogue_sha256": version.catalogue_id,
        "bundle_sha256": version.bundle_sha256,
        "data_snapshot": "7",
        "rows": str(version.rows),
        "trained_from": version.trained_from.isoformat(),
        "trained_to": version.trained_to.isoformat(),
        "as_of": AS_OF.isoformat(),
        "profile": "smoke",
    }
    for tags in (entry.tags, run.data.tags):
        assert {name: tags[name] for name in expected} == expected
        assert {"code_revision", "sources_sha256", "key"} <= tags.keys()
    manifest = bundles.unpack(bytes(version.bundle), tmp_path / "bundle").manifest
    hashes = (manifest.data_sha256, manifest.params_sha256, manifest.catalogue_sha256)
    assert hashes == (version.data_sha256, version.params_sha256, version.catalogue_id)


def test_a_version_keeps_its_forecasts_and_its_report(built):
    register(built)
    evaluation_artifacts = plain().evaluation_artifacts
    assert bytes(evaluation_artifacts.forecasts) == comparison.stored_forecasts(built, plain().estimator)
    assert evaluation_artifacts.forecasts_sha256 == hashlib.sha256(bytes(evaluation_artifacts.forecasts)).hexdigest()
    assert gzip.decompress(bytes(evaluation_artifacts.report)) == (built / files.REPORT).read_bytes()


def test_the_model_card_is_an_artifact_and_the_description_of_the_version(built):
    import mlflow

    register(built)
    version = plain()
    text = card.markdown(selectors.card_facts(version))
    entry = client().get_model_version("spai-sandbox", str(version.number))
    assert entry.description == card.shortened(text, 5000, "the artifact model_card.md of the run")
    kept = mlflow.artifacts.load_text(f"runs:/{version.mlflow_run_id}/model_card.md")
    assert kept == text
    registered = registry.RegisteredVersion(version.number, version.mlflow_run_id)
    assert registry.describe(world="sandbox", registered=registered, card=text) is False
    assert registry.describe(world="sandbox", registered=registered, card="# Another") is True
    assert client().get_model_version("spai-sandbox", str(version.number)).description == "# Another"


def test_the_mirror_sets_what_the_database_says(built, now):
    register(built)
    version = plain()
    # Whether a small world passes its gates is not what this is about.
    ModelVersion.objects.update(gates=[])
    services.promote_first_champion(world=World.SANDBOX, now=now)
    expected = {
        "smoke": version.number,
        "candidate": None,
        "challenger": None,
        "champion": version.number,
        "labelled": ModelVersion.objects.exclude(pk=version.pk).get().number,
    }
    assert services.mirror_aliases() == {"sandbox": expected} == services.mirror_aliases()
    named = dict(client().get_registered_model("spai-sandbox").aliases)
    kept = {alias: number for alias, number in expected.items() if number is not None}
    assert {alias: int(number) for alias, number in named.items()} == kept


def test_the_best_model_that_looks_at_prices_is_registered_beside_and_labelled(built, tmp_path, now):
    register(built)
    metrics = files.read_json(built / files.METRICS)
    labelled = ModelVersion.objects.exclude(inputs="no odds").get()
    best = min(("price_rating", "market_aware"), key=lambda name: metrics["models"][name]["log_loss"])
    assert (labelled.estimator, labelled.inputs) == (best, metrics["inputs"][best])
    assert labelled.gates[0]["value"] == pytest.approx(
        metrics["models"]["base_rates"]["log_loss"] - metrics["models"][best]["log_loss"]
    )
    assert labelled.gates[-1] == {**labelled.gates[-1], "name": "golden rows", "passed": True}
    bundle = bundles.unpack(bytes(labelled.bundle), tmp_path / "bundle", sha256=labelled.bundle_sha256)
    assert any(name.startswith("odds_") for name in bundle.manifest.names)
    assert labelled.number < plain().number
    assert client().get_model_version("spai-sandbox", str(labelled.number)).tags["inputs"] == labelled.inputs
    ModelVersion.objects.update(gates=[])
    assert services.promote_first_champion(world=World.SANDBOX, now=now).version == plain()
    made = services.compare(version=labelled, now=now)
    assert made.verdict == "candidate"
    assert "schema: the feature state lacks" in made.reason


def test_a_second_version_is_compared_with_the_champion_by_what_both_keep(built, tmp_path, now):
    register(built)
    champion = plain()
    ModelVersion.objects.update(gates=[])
    services.promote_first_champion(world=World.SANDBOX, now=now)
    root = shutil.copytree(built, tmp_path / "second")
    params = files.read_params(root)
    params["gates"]["golden_rows"] = 11
    files.write_text(root / files.PARAMS, yaml.safe_dump(params, sort_keys=False))
    register(root)
    candidate = ModelVersion.objects.exclude(pk=champion.pk).get(inputs="no odds")
    (made,) = services.compare_due(now=now)
    # The same model with other golden rows: 0 apart on every tested match.
    assert (made.candidate, made.champion, made.verdict) == (candidate, champion, "challenger")
    assert made.n == files.read_json(built / files.METRICS)["test"]["n"]
    lines = {line["name"]: line for line in made.criteria}
    assert lines["log loss"]["difference"] == 0.0
    assert lines["golden rows"]["reason"] == "a loaded copy gives the same forecast for 11 kept matches"
    services.mirror_aliases()
    named = dict(client().get_registered_model("spai-sandbox").aliases)
    named.pop("labelled")
    assert {alias: int(number) for alias, number in named.items()} == {
        "smoke": candidate.number,
        "candidate": candidate.number,
        "challenger": candidate.number,
        "champion": champion.number,
    }
    entry = client().get_model_version("spai-sandbox", str(candidate.number))
    assert f"Against model {champion.number}" in entry.description


def test_golden_rows_are_spread_over_the_history_and_hold_the_columns_of_both_files(tmp_path):
    for path, first in ((files.FEATURES, 0.0), (files.PRICES, 1000.0)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        name = "elo_diff" if path == files.FEATURES else "price_diff"
        pd.DataFrame({"match_id": range(100), name: first + np.arange(100.0)}).to_parquet(tmp_path / path)
    five = registration.golden_rows(tmp_path, 5)
    assert five["elo_diff"].tolist() == [0.0, 25.0, 50.0, 74.0, 99.0]
    assert registration.golden_rows(tmp_path, 2).to_numpy().tolist() == [[0.0, 1000.0], [99.0, 1099.0]]
    assert len(registration.golden_rows(tmp_path, 200)) == 100


def test_nested_numbers_get_dotted_names_and_tables_stay_in_their_files():
    nested = {"a": {"b": 1, "c": {"d": 2.5}}, "rows": [{"x": 1}], "windows": [3, 5], "name": "elo"}
    assert registry.flat(nested) == {"a.b": 1, "a.c.d": 2.5, "windows": [3, 5], "name": "elo"}


@pytest.mark.slow
def test_mlflow_models_serve_answers_with_the_same_forecast(built, tmp_path, store):
    register(built)
    version = plain()
    bundle = bundles.unpack(bytes(version.bundle), tmp_path / "bundle")
    asked = pd.read_parquet(built / files.FEATURES)[list(bundle.manifest.names)].tail(3).astype(np.float64)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/spai-sandbox/{version.number}"]
    command += ["-h", "127.0.0.1", "-p", str(port), "--env-manager", "local", "--workers", "1"]
    # Only the code that travels with the model is there: the checkout is not on the path.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"MLFLOW_TRACKING_URI": store, "PYTHONWARNINGS": "ignore"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    log = tmp_path / "serve.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        body = asked.to_json(orient="split", index=False)
        answer = _post(f"http://127.0.0.1:{port}/invocations", f'{{"dataframe_split": {body}}}', server, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    got = pd.DataFrame(answer["predictions"])[OUTPUTS].to_numpy()
    expected = bundle.forecast(asked.to_numpy())
    np.testing.assert_allclose(got, np.column_stack([expected.p, expected.goals]), rtol=0, atol=1e-6)


def _post(address: str, body: str, server: subprocess.Popen, log: Path) -> dict:
    """Ask until the server is up."""
    request = urllib.request.Request(address, body.encode(), {"Content-Type": "application/json"})
    end = time.monotonic() + 600
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=300) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            pytest.fail(error.read().decode())
        except OSError:
            time.sleep(0.3)
    pytest.fail(log.read_text()[-3000:])


def test_a_password_in_the_address_of_the_registry_is_not_told(settings, monkeypatch):
    settings.MLFLOW_TRACKING_URI = "http://ann:secret@127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    # MLflow keeps the address in the environment too; this puts back what was there.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settings.MLFLOW_TRACKING_URI)
    with pytest.raises(registry.RegistryError, match="aliases of spai-real are not set") as raised:
        registry.set_aliases(world="real", aliases={"champion": 1})
    assert "secret" not in str(raised.value)


def test_a_registration_whose_connection_was_lost_is_repeated_and_says_why(transactional_db, monkeypatch, tmp_path):
    calls = []

    def lost_once(root, *, now):
        calls.append(root)
        if len(calls) == 1:
            connection.close()
            raise OperationalError("server closed the connection unexpectedly")
        return []

    monkeypatch.setattr(registration, "register", lost_once)
    said = StringIO()
    call_command("register_model", root=tmp_path, stdout=said)
    assert calls == [tmp_path, tmp_path]
    assert "was lost (server closed the connection unexpectedly)" in said.getvalue()
