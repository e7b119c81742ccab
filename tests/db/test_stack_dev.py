"""`make dev`: one process that reloads, on the servers that there are or on its own."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from spai.stack import dev, temporary
from spai.stack.environment import load
from tests.subprocesses import child_process

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"


def test_servers_that_answer_are_used():
    assert dev.missing_servers(load(dict(os.environ))) == {}


def test_without_a_stack_both_servers_are_missing(tmp_path):
    assert set(dev.missing_servers(load({"SPAI_VAR_DIR": str(tmp_path)}))) == {"postgres", "redis"}


def test_a_server_that_the_operator_names_and_that_does_not_answer_is_not_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SPAI_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    assert dev.main() == 1
    assert capsys.readouterr().out.startswith("DATABASE_URL names a server that cannot be used")


def test_the_push_process_is_not_served(monkeypatch, capsys):
    monkeypatch.setenv("SPAI_ROLE", "push")
    assert dev.main() == 1
    assert "serves web or admin" in capsys.readouterr().out


@pytest.mark.slow
def test_without_a_stack_it_serves_pages_from_servers_of_its_own_and_ends_them(tmp_path):
    environment = {**temporary.without_stack(os.environ), "SPAI_ENV_FILE": "", "SPAI_VAR_DIR": str(tmp_path / "var")}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "spai.stack.dev"]
    with child_process(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            address = ""
            for line in process.stdout:
                if "http://127.0.0.1:" in line and not address:
                    address = line.split("web: ")[1].split(" ")[0]
                if line.startswith("Quit the server"):
                    break
            with urllib.request.urlopen(f"{address}about/") as page:
                assert page.status == 200
        finally:
            process.terminate()
            # What it still writes must not fill the pipe while it ends.
            process.stdout.read()
        assert process.wait() == 0
    assert not list(tmp_path.glob("spai-dev-*"))
