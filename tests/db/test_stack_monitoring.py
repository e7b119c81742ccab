"""Prometheus and Alertmanager as parts of the stack: where they run, what they are told, and what they tell."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess

import pytest

from spai.stack import environment, monitoring
from spai.stack.environment import load
from spai.stack.ports import Claims
from spai.stack.processes import table

MAIL = {"EMAIL_URL": "smtp+tls://ann:p%40ss@mail.example:587", "SPAI_ALERT_EMAILS": "ann@example.org"}
HOOK = {"SPAI_ALERT_WEBHOOK_URL": "https://chat.example/hook"}


@pytest.fixture
def programs(tmp_path):
    """A PATH on which both programs are, by Debian's names."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("prometheus", "prometheus-alertmanager"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def begin(tmp_path):
    """Settles a stack with some variables."""

    def settled(**given):
        with Claims(tmp_path / "claims") as claims:
            return environment.complete(load({"SPAI_VAR_DIR": str(tmp_path / "var"), **given}), claims)

    return settled


def names(stack):
    return [process.name for process in table(stack)]


def test_both_run_where_they_are_installed_and_wanted(begin, programs, tmp_path):
    assert names(begin(PATH=programs))[-2:] == ["prometheus", "alertmanager"]
    assert not {"prometheus", "alertmanager"} & set(names(begin(PATH=programs, SPAI_PROMETHEUS="false")))
    assert monitoring.program(begin(PATH=str(tmp_path)), "prometheus") == ""


def test_both_listen_on_this_machine_alone_and_keep_a_bounded_history(begin, programs):
    stack = begin(PATH=programs)
    for name in monitoring.PROGRAMS:
        command = monitoring.command(stack, name)
        assert f"--web.listen-address=127.0.0.1:{stack.port(name)}" in command
        assert str(stack.var) in " ".join(command)
    assert "--cluster.listen-address=" in monitoring.command(stack, "alertmanager")
    assert any("retention.size" in option for option in monitoring.command(stack, "prometheus"))


def test_their_files_are_private_and_no_secret_stands_on_a_command_line(begin, programs):
    stack = begin(PATH=programs, **MAIL)
    monitoring.write_files(stack)
    files = [path for name in monitoring.PROGRAMS for path in monitoring.folder(stack, name).iterdir()]
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    commands = " ".join(" ".join(monitoring.command(stack, name)) for name in monitoring.PROGRAMS)
    assert stack.value("SPAI_METRICS_TOKEN") not in commands
    assert (stack.var / "prometheus" / "token").read_text() == stack.value("SPAI_METRICS_TOKEN")


def alertmanager(stack):
    monitoring.write_files(stack)
    return json.loads((stack.var / "alertmanager" / "alertmanager.yml").read_text())


def test_alertmanager_tells_only_what_spai_cannot(begin, programs):
    told = alertmanager(begin(PATH=programs, **MAIL, **HOOK))
    assert told["route"]["receiver"] == "spai"
    assert told["route"]["routes"] == [{"receiver": "operator", "matchers": ['seen_by="prometheus"']}]
    nobody, operator = told["receivers"]
    assert nobody == {"name": "spai"}
    assert operator["webhook_configs"] == [{"url": HOOK["SPAI_ALERT_WEBHOOK_URL"]}]
    assert operator["email_configs"][0]["to"] == "ann@example.org"
    assert told["global"]["smtp_auth_password"] == "p@ss"


@pytest.mark.parametrize("given", [{}, MAIL, HOOK, MAIL | HOOK], ids=["nothing", "mail", "webhook", "both"])
@pytest.mark.parametrize(
    ("process", "check"),
    [("prometheus", ["promtool", "check", "config"]), ("alertmanager", ["amtool", "check-config"])],
    ids=["prometheus", "alertmanager"],
)
def test_both_accept_their_configuration(begin, programs, process, check, given):
    if shutil.which(check[0]) is None:
        pytest.skip(f"{check[0]} is not installed")
    stack = begin(PATH=programs, **given)
    monitoring.write_files(stack)
    file = monitoring.folder(stack, process) / f"{process}.yml"
    done = subprocess.run([*check, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
