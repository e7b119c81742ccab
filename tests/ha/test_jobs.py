"""Prediction jobs whose workers are killed, with the Redis of three nodes as their broker."""

from __future__ import annotations

import json
import sys

import pytest

pytestmark = [pytest.mark.ha, pytest.mark.timeout(7200), pytest.mark.enable_socket]


def test_jobs_whose_workers_are_killed_are_done_once_over_sentinel(cluster, tmp_path):
    file = tmp_path / "measures.json"
    # Another database of the same servers: the workers of the nodes take nothing from it.
    broker = cluster.environment["REDIS_URL"].replace("/spai/0", "/spai/1")
    cluster.run([sys.executable, "-m", "benchmarks.jobs", "--broker", broker, "--json", str(file)])
    measures = json.loads(file.read_text())["measures"]
    counted = {each["name"]: each for each in measures if each["target"] and "≤" not in each["target"]}
    assert len(counted) == 9
    assert {name: each for name, each in counted.items() if f"{each['value']:,.0f}" != each["target"]} == {}
