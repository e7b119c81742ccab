"""DVC's remote, MLflow's files and raw pages in an object storage."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile

import boto3
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from apps.ml import registry
from apps.ml.services import workspaces
from apps.ml.services.processes import dvc
from spai.settings import snapshot_storage
from spai.stack import environment, health, processes
from spai.stack.ports import Claims
from tests.services.conftest import started

pytestmark = pytest.mark.services


def keys_in(name: str, prefix: str, endpoint: str) -> list[str]:
    """The keys of a bucket under a prefix."""
    listed = boto3.client("s3", endpoint_url=endpoint).list_objects_v2(Bucket=name, Prefix=prefix)
    return [each["Key"] for each in listed.get("Contents", [])]


def test_what_a_run_made_is_pushed_to_a_bucket_and_pulled_by_another_machine(bucket, tmp_path, settings):
    name, variables = bucket
    settings.SPAI_DVC_REMOTE, settings.SPAI_S3_ENDPOINT = f"s3://{name}/dvc", variables["SPAI_S3_ENDPOINT"]

    def run(machine: str, *arguments: str) -> None:
        settings.SPAI_VAR_DIR = tmp_path / machine / "var"
        folder = tmp_path / machine / "run"
        workspaces.configure(folder)
        done = subprocess.run(dvc(*arguments), cwd=folder, env=workspaces.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    (tmp_path / "one" / "run").mkdir(parents=True)
    (tmp_path / "one" / "run" / "model.ubj").write_bytes(b"a model" * 1000)
    run("one", "add", "model.ubj")
    run("one", "push", "--run-cache")
    assert len(keys_in(name, "dvc/", variables["SPAI_S3_ENDPOINT"])) == 1
    (tmp_path / "two" / "run").mkdir(parents=True)
    shutil.copy(tmp_path / "one" / "run" / "model.ubj.dvc", tmp_path / "two" / "run")
    run("two", "pull")
    assert (tmp_path / "two" / "run" / "model.ubj").read_bytes() == b"a model" * 1000


@pytest.mark.filterwarnings("ignore")  # MLflow warns when it is imported
def test_a_version_is_registered_by_an_mlflow_whose_files_are_in_a_bucket(bucket, tmp_path, settings):
    name, variables = bucket
    given = {"SPAI_VAR_DIR": str(tmp_path / "var"), "SPAI_MLFLOW_ARTIFACTS": f"s3://{name}/mlflow", **variables}
    with Claims() as claims:
        stack = environment.complete(environment.load(given), claims)
    process = processes.mlflow(stack)
    plain = [part for part in process.command if part not in ("--app-name", "basic-auth")]
    more = process.environment | {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/mlflow.db"}

    def answers() -> bool:
        try:
            return bool(process.alive())
        except health.Unhealthy:
            return False

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        bundle.writestr("manifest.json", "{}")
    (tmp_path / "report.html").write_text("a report")
    settings.MLFLOW_TRACKING_URI = f"http://127.0.0.1:{process.port}"
    with started(plain, answers, tmp_path / "log", **more):
        made = registry.register(
            world="sandbox",
            key="k",
            bundle=content.getvalue(),
            names=["x"],
            params={},
            metrics={"best": "xgboost", "as_of": "2026-11-29", "log_loss": 1.0},
            tags={},
            files=[tmp_path / "report.html"],
        )
        stored = keys_in(name, "mlflow/", variables["SPAI_S3_ENDPOINT"])
        (place,) = (key for key in stored if key.endswith("bundle.zip"))
        found = boto3.client("s3", endpoint_url=variables["SPAI_S3_ENDPOINT"]).get_object(Bucket=name, Key=place)
        assert found["Body"].read() == content.getvalue()
        assert any(key.endswith("report.html") for key in stored)
        registry.delete(world="sandbox", number=made.number, run_id=made.run_id)
    assert keys_in(name, "mlflow/", variables["SPAI_S3_ENDPOINT"]) == []
    assert not (tmp_path / "var" / "mlflow").exists()


def test_raw_pages_are_in_a_bucket(bucket, monkeypatch):
    name, variables = bucket
    monkeypatch.setattr("spai.settings.SPAI_S3_ENDPOINT", variables["SPAI_S3_ENDPOINT"])
    pages = storages.create_storage(snapshot_storage(f"s3://{name}/pages"))
    pages.save("ab/cd", ContentFile(b"a page"))
    assert keys_in(name, "pages/", variables["SPAI_S3_ENDPOINT"]) == ["pages/ab/cd"]
    with pages.open("ab/cd") as page:
        assert page.read() == b"a page"
    assert os.environ["AWS_ACCESS_KEY_ID"] == "key"
