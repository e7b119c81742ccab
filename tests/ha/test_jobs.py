"""Prediction jobs whose workers are killed, with the broker of three nodes."""

from __future__ import annotations

import json
import sys

import pytest

pytestmark = [pytest.mark.ha, pytest.mark.timeout(7200), pytest.mark.enable_socket]


def test_jobs_whose_workers_are_killed_are_done_once(cluster, tmp_path):
    file = tmp_path / "measures.json"
    words = [sys.executable, "-m", "benchmarks.jobs", "--broker", cluster.another_broker(), "--json", str(file)]
    cluster.run(words)
    measures = json.loads(file.read_text())["measures"]
    counted = {each["name"]: each for each in measures if each["target"] and "≤" not in each["target"]}
    assert len(counted) == 9
    assert {name: each for name, each in counted.items() if f"{each['value']:,.0f}" != each["target"]} == {}
