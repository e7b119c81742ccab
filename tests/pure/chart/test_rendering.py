"""The golden manifests are what Helm makes of the chart, valid for Kubernetes, and wrong values are refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from typing import Any

import jsonschema
import kubernetes_validate
import orjson
import pytest
import yaml
from kubernetes_validate import utils

from tests.pure.chart.manifests import CHART, GOLDEN, NAMES, VALUES, documents

HELM = os.environ.get("HELM") or shutil.which("helm") or ""
WITH_HELM = pytest.mark.skipif(not HELM, reason="helm is not installed, and HELM does not name it")
VERSIONS = ("1.31", kubernetes_validate.latest_version())
CUSTOM = yaml.safe_load((GOLDEN.parent / "custom_resources.yaml").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _read_schemas_once(monkeypatch):
    """kubernetes_validate reads its megabyte of definitions again for each object."""
    monkeypatch.setattr(utils, "schema_contents", schema_contents)
    monkeypatch.setattr(utils, "all_versions", all_versions)


schema_contents, all_versions = lru_cache(utils.schema_contents), lru_cache(utils.all_versions)
each_name = pytest.mark.parametrize("name", NAMES)


@WITH_HELM
def test_the_golden_manifests_are_what_helm_makes_of_the_chart_now(tmp_path):
    subprocess.run([CHART / "render.sh", tmp_path], env={**os.environ, "HELM": HELM}, check=True)
    differing = [name for name in NAMES if (tmp_path / f"{name}.yaml").read_bytes() != golden(name)]
    assert differing == [], "helm/render.sh"


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.yaml").read_bytes()


@WITH_HELM
@each_name
def test_helm_finds_no_fault_in_the_chart(name):
    files = [part for values in VALUES[name] for part in ("-f", CHART / "values" / f"{values}.yaml")]
    subprocess.run([HELM, "lint", "--strict", CHART, *files], check=True, capture_output=True)


@WITH_HELM
@pytest.mark.parametrize(
    "change",
    [
        ["mlflow.enabled=false", "mlflow.address=https://mlflow.example.org"],
        ["ingress.enabled=false", "networkPolicy.enabled=false"],
        ["workers.ml.volume.size=", "pipeline.volume.size="],
        ["image.pullSecrets[0].name=registry", "pods.priorityClassName=high", "pods.nodeSelector.disk=ssd"],
        ["networkPolicy.extraEgress[0].to[0].ipBlock.cidr=192.0.2.1/32", "workers.jobs.autoscaling.enabled=false"],
    ],
    ids=" ".join,
)
def test_other_values_make_valid_manifests_too(change):
    files = [part for values in VALUES["ha"] for part in ("-f", CHART / "values" / f"{values}.yaml")]
    changes = [part for each in change for part in ("--set", each)]
    template = [HELM, "template", "other", CHART, "--kube-version", "1.31.0", *files, *changes]
    made = subprocess.run(template, check=True, capture_output=True).stdout
    for document in yaml.load_all(made, yaml.CSafeLoader):
        if document and document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, VERSIONS[0], strict=True)


@WITH_HELM
def test_web_and_admin_need_a_name_each():
    template = [HELM, "template", "spai", CHART, "--kube-version", "1.31.0", "-f", CHART / "values" / "ci.yaml"]
    refused = subprocess.run([*template, "--set", "hosts.admin=spai.example.org"], capture_output=True, text=True)
    assert (refused.returncode, "must be three names" in refused.stderr) == (1, True)


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Values over values, as Helm merges them."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def values_of(*names: str) -> dict[str, Any]:
    files = [CHART / "values.yaml", *(CHART / "values" / f"{name}.yaml" for name in names)]
    return merged(*(yaml.safe_load(file.read_text(encoding="utf-8")) for file in files))


def faults(values: dict[str, Any]) -> list[str]:
    schema = orjson.loads((CHART / "values.schema.json").read_bytes())
    jsonschema.Draft7Validator.check_schema(schema)
    return [error.json_path for error in jsonschema.Draft7Validator(schema).iter_errors(values)]


@each_name
def test_the_schema_accepts_each_values_file(name):
    assert faults(values_of(*VALUES[name])) == []


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"image": {"tag": "latest"}}, "$.image.tag"),
        ({"hosts": {"web": "https://spai.example.org"}}, "$.hosts.web"),
        ({"storage": {"snapshots": "/var/lib/spai/snapshots"}}, "$.storage.snapshots"),
        ({"env": {"SECRET_KEY": "in the open"}}, "$.env"),
        ({"env": {"SPAI_CONTCAT": "a typo"}}, "$.env"),
        ({"workers": {"ml": {"replicas": 2}}}, "$.workers.ml.replicas"),
        ({"workers": {"extra": {"image": "spai-worker"}}}, "$.workers"),
        ({"web": {"resources": {"requests": "many"}}}, "$.web.resources.requests"),
        ({"pods": {"userId": 0}}, "$.pods.userId"),
        ({"secrets": {"external": {"enabled": True}}}, "$.secrets.external.key"),
        ({"networkPolicy": {"redis": {"to": []}}}, "$.networkPolicy.redis.to"),
        ({"replicas": 3}, "$"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_schema_refuses_wrong_values(wrong, place):
    assert place in faults(merged(values_of("ci"), wrong))


def test_what_no_default_can_know_must_be_given():
    assert {"$.image.tag", "$.hosts.web", "$.storage.snapshots"} <= set(faults(values_of()))


# ── Kubernetes ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(version):
    distinct = {orjson.dumps(each): each for name in NAMES for each in documents(name)}
    for document in distinct.values():
        if document["kind"] in CUSTOM:
            jsonschema.validate(document["spec"], CUSTOM[document["kind"]]["spec"])
            assert document["apiVersion"] == CUSTOM[document["kind"]]["apiVersion"]
        else:
            kubernetes_validate.validate(document, version, strict=True)
