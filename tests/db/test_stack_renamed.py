"""What an earlier version named otherwise: its `var/` is taken over, its variables are refused with their new name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spai.stack import cli, environment, lifecycle, renamed, supervision
from spai.stack.environment import load, read_env_file
from spai.stack.ports import Claims, free_port

DATABASES = {"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c", "REDIS_URL": "redis://127.0.0.1:1/0", "SECRET_KEY": "s"}


@pytest.fixture
def old_stack(tmp_path, monkeypatch):
    """A settled stack whose `stack.env` was written by the version before."""
    monkeypatch.setattr(environment, "FIRST_PORT", free_port())
    with Claims(tmp_path / "claims") as claims:
        stack = environment.complete(load({"SPAI_VAR_DIR": str(tmp_path)}), claims)
    text = stack.env_file.read_text()
    assert "SPAI_ADMIN_URL" in text
    stack.env_file.write_text(text.replace("SPAI_ADMIN_URL", "SPAI_OFFICE_URL"))
    return stack


def read_settings(**variables: str) -> subprocess.CompletedProcess[str]:
    code = "from spai.settings import *; print(SPAI_ADMIN_URL)"
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True, check=False
    )


def test_ports_and_secrets_are_kept_and_written_under_the_names_of_today(old_stack):
    stack = load({"SPAI_VAR_DIR": str(old_stack.var)})
    assert stack.address("admin") == old_stack.address("admin")
    with Claims(stack.var / "claims") as claims:
        settled = environment.complete(stack, claims)
    assert settled.own == old_stack.own == read_env_file(stack.env_file)


def test_settings_read_the_file_of_the_version_before(old_stack):
    done = read_settings(**DATABASES, SPAI_VAR_DIR=str(old_stack.var))
    assert done.stdout.strip() == old_stack.address("admin"), done.stderr


@pytest.mark.parametrize(
    ("old", "new"), [("SPAI_FACE", "SPAI_ROLE and its value `office`"), ("SPAI_OFFICE_URL", "SPAI_ADMIN_URL.")]
)
def test_a_variable_under_its_old_name_is_refused_with_the_new_one(old_stack, old, new, monkeypatch, capsys):
    done = read_settings(**DATABASES, SPAI_VAR_DIR=str(old_stack.var), **{old: "office"})
    expected = f"{old} is now called {new}"
    assert done.returncode
    assert expected in done.stderr
    monkeypatch.setattr(environment.os, "environ", {"SPAI_VAR_DIR": str(old_stack.var), "SPAI_ENV_FILE": "", old: "x"})
    assert cli.main(["up"]) == cli.main(["restart"]) == 1
    assert capsys.readouterr().err.count(expected) == 2


def test_logs_go_on_under_the_new_name_and_none_is_overwritten(tmp_path):
    for name in ("office.log", "office.log.1", "watch.log", "monitor.log", "web.log"):
        (tmp_path / name).write_text(name)
    run = tmp_path / "run"
    run.mkdir()
    (run / "watched-by").write_text("1")
    renamed.convert_files(tmp_path, run)
    assert list(run.iterdir()) == []
    found = {path.name: path.read_text() for path in tmp_path.glob("*.log*")}
    assert found == {
        "admin.log": "office.log",
        "admin.log.1": "office.log.1",
        "watch.log": "watch.log",
        "monitor.log": "monitor.log",
        "web.log": "web.log",
    }


def test_a_stack_that_the_version_before_runs_is_restarted(old_stack, monkeypatch, capsys):
    done = []
    monkeypatch.setattr(lifecycle.environment, "load", lambda: old_stack)
    monkeypatch.setattr(supervision.Supervisor, "is_running", lambda supervisor: True)
    monkeypatch.setattr(supervision.Supervisor, "states", lambda supervisor: {"web": {}, "office": {}, "watch": {}})
    monkeypatch.setattr(lifecycle, "adopt", lambda stack, report: done.append("adopted"))
    monkeypatch.setattr(lifecycle, "end", lambda stack, report: done.append("ended"))
    monkeypatch.setattr(lifecycle, "begin", lambda stack, report: done.append("begun"))
    assert cli.main(["up"]) == 0
    assert done == ["ended", "begun"]
    assert "An earlier version started the stack that runs" in capsys.readouterr().out
    assert cli.main(["restart", "web"]) == 1
    assert "`make restart`" in capsys.readouterr().err
