"""Settings: an invalid value stops the start with an error that names its variable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "SECRET_KEY": "s",
    "DATABASE_URL": "postgresql://ada@127.0.0.1/spai",
    "REDIS_URL": "redis://127.0.0.1/0",
    "SPAI_ENV_FILE": "",
}


def start(folder: Path, *names: str, **environment: str) -> str:
    """Return some settings as a process reads them, or the error with which it ends."""
    done = subprocess.run(
        [sys.executable, "-c", f"import spai.settings as s; print(*(getattr(s, name) for name in {names}))"],
        cwd=ROOT,
        env={**SETTINGS, "SPAI_VAR_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stderr or done.stdout).rstrip("\n").rpartition("\n")[2]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SPAI_THREADS", "many", "SPAI_THREADS is 'many'; it must be a number"),
        ("SPAI_DRAIN_SECONDS", "soon", "SPAI_DRAIN_SECONDS is 'soon'; it must be a number"),
        ("SPAI_PROXIES", "-1", "SPAI_PROXIES is -1; it must be 0 or more"),
        ("SPAI_SANDBOX", "ture", "SPAI_SANDBOX is 'ture'; it must be true or false"),
        ("SPAI_ADMIN_URL", "http://localhost:99999", "SPAI_ADMIN_URL must be an http address"),
        ("SPAI_ALERT_WEBHOOK_URL", "https://", "SPAI_ALERT_WEBHOOK_URL must be an http address"),
        ("SPAI_ALERT_WEBHOOK_SECRET", "whsec_abc", "SPAI_ALERT_WEBHOOK_SECRET must be whsec_ and bytes in Base64"),
        ("SPAI_CORS_ORIGINS", "https://[::1", "SPAI_CORS_ORIGINS contains 'https://[::1'"),
    ],
)
def test_an_invalid_value_stops_the_start_with_an_error_that_names_it(tmp_path, name, value, said):
    assert f"ImproperlyConfigured: {said}" in start(tmp_path, **{name: value})


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_pages_of_this_machine_may_be_opened_under_both_of_its_names(tmp_path, name):
    origins = start(tmp_path, "SPAI_PAGE_ORIGINS", SPAI_WEB_URL=f"http://{name}:80", SPAI_ADMIN_URL="https://a.org")
    assert origins == "['http://127.0.0.1:80', 'http://localhost:80', 'https://a.org']"


def test_a_variable_may_have_the_value_of_another(tmp_path):
    given = {"SPAI_SANDBOX": "$ONE", "ONE": "no", "SPAI_THREADS": "$TWO", "TWO": "3"}
    assert start(tmp_path, "SPAI_SANDBOX", "SPAI_THREADS", **given) == "False 3"
