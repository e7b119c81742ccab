"""The encrypted example is the plain one, and holds what the values files ask for."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml

from tests.pure.chart.manifests import CHART, NAMES, references

EXAMPLE = CHART / "secrets" / "example.yaml"
KEY = CHART / "secrets" / "test-key.txt"
WITH_AGE = pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed")


@WITH_AGE
def test_the_test_key_decrypts_the_example():
    decrypt = ["age", "--decrypt", "--identity", KEY, f"{EXAMPLE}.age"]
    assert subprocess.run(decrypt, check=True, capture_output=True).stdout == EXAMPLE.read_bytes()


@WITH_AGE
def test_another_key_does_not(tmp_path):
    other = tmp_path / "key.txt"
    subprocess.run(["age-keygen", "--output", other], check=True, capture_output=True)
    decrypt = ["age", "--decrypt", "--identity", other, f"{EXAMPLE}.age"]
    assert subprocess.run(decrypt, capture_output=True).returncode != 0


def test_the_example_has_placeholders_and_no_secret():
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    assert content["kind"] == "Secret"
    given = [key for key, value in content["stringData"].items() if "CHANGE-ME" not in value]
    assert given == ["MLFLOW_TRACKING_USERNAME"]


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_the_secret_that_the_manifests_ask_for(name):
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    asked = list(references(name))
    assert {each["name"] for each in asked} == {content["metadata"]["name"]}
    assert {each["key"] for each in asked} <= set(content["stringData"])
