"""A release replaces processes in turn while readers, jobs and sockets go on, and none of them notices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spai.stack import temporary

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, dict[str, object]]:
    """What the benchmark of releases measured with one restart of each process."""
    file = tmp_path_factory.mktemp("releases") / "measures.json"
    environment = temporary.without_stack(os.environ) | {"SPAI_ENV_FILE": ""}
    command = [sys.executable, "-m", "benchmarks.releases", "--rounds", "1", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    return {measure["name"].strip(): measure for measure in json.loads(file.read_text())["measures"]}


def test_no_request_fails_and_no_job_and_no_event_is_lost(measured):
    wanted = {name: measure for name, measure in measured.items() if measure["target"]}
    assert len(wanted) == 6
    missed = {name: measure for name, measure in wanted.items() if str(int(measure["value"])) != measure["target"]}
    assert missed == {}


def test_there_was_something_to_lose(measured):
    for begin in ("2 restarts of two web processes", "2 restarts of two workers", "2 restarts of two push processes"):
        assert next(measure["value"] for name, measure in measured.items() if name.startswith(begin)) > 10
    # Each client of a process that ended connected again.
    assert measured["connections made"]["value"] >= 2 * measured["clients"]["value"]
