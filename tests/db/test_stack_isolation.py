"""Tests, benchmarks and the stacks that they start beside a stack in use: nothing of that one reaches them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from spai.stack import environment, temporary

ROOT = Path(__file__).resolve().parents[2]
PLANTED = "of-a-live-stack"
# What a stack writes down for itself, and what people add: each with a value that settings would take.
STACK_ENV = {
    "SECRET_KEY": PLANTED * 10,
    "DATABASE_URL": f"postgresql://{PLANTED}:x@127.0.0.1:1/x",
    "REDIS_URL": f"redis://:{PLANTED}@127.0.0.1:1/0",
    "CELERY_BROKER_URL": f"redis://:{PLANTED}@127.0.0.1:1/1",
    "MLFLOW_TRACKING_URI": f"http://{PLANTED}.example",
    "SPAI_WEB_URL": f"http://{PLANTED}.example",
    "SPAI_ADMIN_URL": f"http://{PLANTED}.example",
    "SPAI_PUSH_URL": f"http://{PLANTED}.example",
    "SPAI_SANDBOX_URL": f"http://{PLANTED}.example",
    "SPAI_DVC_REMOTE": f"s3://{PLANTED}/dvc",
    "SPAI_SNAPSHOTS": f"s3://{PLANTED}/snapshots",
    "SPAI_S3_ENDPOINT": f"http://{PLANTED}.example",
    "SPAI_CONTACT": f"{PLANTED}@example.org",
    "SPAI_REVISION": PLANTED,
    "BROWSER_WS_URL": f"ws://{PLANTED}.example",
    "ALLOWED_HOSTS": f"{PLANTED}.example",
    "MLFLOW_TRACKING_PASSWORD": PLANTED,
    "AWS_SECRET_ACCESS_KEY": PLANTED,
}
SEEN = """
import json, os, pathlib
from django.conf import settings
from tests.faults.test_stack import Running

def test_seen():
    stack = Running(pathlib.Path("stack")).stack
    seen = {name: str(getattr(settings, name)) for name in dir(settings) if name.isupper()}
    seen_values = {"settings": seen, "environment": dict(os.environ), "stack": [dict(stack.own), dict(stack.overrides)]}
    pathlib.Path("seen_values.json").write_text(json.dumps(seen_values))
"""


def names_of_settings() -> set[str]:
    code = (ROOT / "spai" / "settings.py").read_text()
    return set(re.findall(r'(?:env\.\w+|one_of|required)\("([A-Z_0-9]+)"', code))


def test_every_variable_of_settings_and_of_the_stack_is_taken_out(tmp_path):
    stack = environment.load({"SPAI_VAR_DIR": str(tmp_path)})
    written = {*names_of_settings(), *environment.ADDRESSES.values(), *stack.process_environment()}
    written |= {"MLFLOW_BACKEND_STORE_URI", "SPAI_STACK", "SPAI_PROCESS", "AWS_ACCESS_KEY_ID", "PGPASSWORD", *STACK_ENV}
    assert len(written) > 40
    kept = set(temporary.without_stack(dict.fromkeys(written, "x")))
    assert kept <= {*temporary.OF_THE_MACHINE, "PATH", "PYTHONUNBUFFERED"}


def test_this_run_has_files_servers_and_a_key_of_its_own():
    assert not settings.SPAI_VAR_DIR.is_relative_to(ROOT)
    assert (settings.MLFLOW_TRACKING_URI, settings.SPAI_DVC_REMOTE, settings.SPAI_SNAPSHOTS) == ("", "", "")
    assert settings.CELERY_BROKER_URL == settings.REDIS_URL
    assert os.environ["SPAI_ENV_FILE"] == ""


@pytest.mark.slow
def test_what_is_planted_reaches_neither_tests_nor_the_stacks_that_they_start(tmp_path):
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", "static")
    for name in ("spai", "apps", "tests"):
        shutil.copytree(ROOT / name, checkout / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    (checkout / "tests" / "test_seen.py").write_text(SEEN)
    (checkout / "var").mkdir()
    for place in (".env", "var/stack.env"):
        (checkout / place).write_text("".join(f"{name}='{value}'\n" for name, value in STACK_ENV.items()))
    # As from a shell that knows nothing of this run, and has read what the stack wrote.
    given = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    given = temporary.without_stack(given) | STACK_ENV
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_seen.py"]
    done = subprocess.run(command, cwd=checkout, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seen_values = json.loads((checkout / "seen_values.json").read_text())
    assert set(seen_values) == {"settings", "environment", "stack"}
    assert PLANTED not in json.dumps(seen_values)
