"""MLflow answers nothing of what it stores without a login, on none of its addresses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spai.stack import environment, processes
from spai.stack.environment import load
from spai.stack.ports import Claims

ROOT = Path(__file__).resolve().parents[2]

OPEN = {
    "GET /ajax-api/3.0/mlflow/server-info",
    "GET /api/3.0/mlflow/server-info",
    "GET /health",
    "GET /static-files/<path:path>",
}
"""Whether it is well and of which kind, and the files of its pages; SECURITY.md says so."""


@pytest.mark.slow
def test_every_address_of_mlflow_is_behind_a_login(tmp_path):
    with Claims(tmp_path / "claims") as claims:
        stack = environment.complete(load({"SPAI_VAR_DIR": str(tmp_path / "var")}), claims)
    configuration = tmp_path / "auth.ini"
    database = f"sqlite:///{tmp_path}/auth.db"
    configuration.write_text(re.sub(r"database_uri = .*", f"database_uri = {database}", processes.mlflow_auth(stack)))
    own = processes.mlflow(stack).environment | {
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/store.db",
        "MLFLOW_AUTH_CONFIG_PATH": str(configuration),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": str(tmp_path / "artifacts"),
        # What the server sets when it is started by uvicorn, as MLflow does it.
        "_MLFLOW_SGI_NAME": "uvicorn",
    }
    command = [sys.executable, "-W", "ignore", "-m", "tests.mlflow_routes"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["routes"] > 400
    assert set(found["open"]) == OPEN
