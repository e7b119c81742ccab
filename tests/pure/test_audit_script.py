"""`make audit` finds a secret that the history ever had, and does not fail because a service is away."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

PATH = Path(__file__).resolve().parents[2] / "requirements" / "audit.py"
KEY = "AKIA" + "IOSFODNN7QYUIOPZ"
"""In the form of a key of Amazon's; written in two parts, lest the scan of this repository finds it."""


@pytest.fixture
def audit(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("audit", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BASE", tmp_path)
    monkeypatch.setattr(module, "BASELINE", tmp_path / "secrets.json")
    (tmp_path / "secrets.json").write_text('{"results": {}}')
    return module


@pytest.fixture
def commit(tmp_path):
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--quiet")

    def make(text: str) -> None:
        (tmp_path / "conf.py").write_text(text)
        git("add", "conf.py")
        git("commit", "--quiet", "--message", "a change")

    return make


def test_a_secret_that_was_removed_again_is_found(audit, commit):
    commit(f'where = "{KEY}"\n')
    commit("where = None\n")
    assert audit.secrets() == f'conf.py: where = "{KEY}"'


def test_what_a_person_has_looked_at_is_found_no_more(audit, commit):
    commit(f'where = "{KEY}"\n')
    assert audit.secrets(renew=True) == ""
    assert audit.secrets() == ""
    commit(f'where = "{KEY}"\nother = "{KEY[:-1]}A"\n')
    assert "other" in audit.secrets()


def test_a_history_without_secrets_has_none(audit, commit):
    commit('checksum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"\n')
    assert audit.secrets() == ""


@pytest.mark.parametrize(
    ("status", "out", "error", "expected"),
    [
        (0, "", "No known vulnerabilities found", ""),
        (1, "Name Version ID\ndjango 5.2.0 PYSEC-1", "Found 1 known vulnerability", "PYSEC-1"),
        (1, "", "requests.exceptions.ConnectionError: HTTPSConnectionPool: Max retries exceeded", ""),
        (1, "", "ERROR: the requirements file is malformed", "malformed"),
    ],
)
def test_advisories_that_cannot_be_read_are_skipped_and_all_else_fails(
    audit, monkeypatch, status, out, error, expected
):
    done = SimpleNamespace(returncode=status, stdout=out, stderr=error)
    monkeypatch.setattr(audit.subprocess, "run", lambda *arguments, **options: done)
    found = audit.advisories()
    assert (expected in found) if expected else found == ""
