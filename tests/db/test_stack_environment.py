"""What the stack keeps of itself: secrets once, ports while they are free, addresses that the operator names."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from spai.stack import environment
from spai.stack.environment import ADDRESSES, load, read_env_file
from spai.stack.ports import Claims, free_port, port_is_free


def settle(stack):
    with Claims(stack.var / "claims") as claims:
        return environment.complete(stack, claims)


@pytest.fixture
def stack(tmp_path, monkeypatch):
    # Away from the ports that running stacks of this machine look for.
    monkeypatch.setattr(environment, "FIRST_PORT", free_port())
    return load({"SPAI_VAR_DIR": str(tmp_path)})


def ports(stack):
    return [stack.port(process) for process in ADDRESSES]


def test_the_first_start_writes_a_private_file_that_settings_can_read(stack):
    settled = settle(stack)
    assert stat.S_IMODE(settled.env_file.stat().st_mode) == 0o600
    assert read_env_file(settled.env_file) == settled.own
    assert len(settled.own["SECRET_KEY"]) >= 50
    assert urlsplit(settled.own["DATABASE_URL"]).path == "/spai"
    assert len(set(ports(settled))) == len(ADDRESSES)


def test_a_second_start_keeps_secrets_and_ports(stack):
    first = settle(stack)
    second = settle(load({"SPAI_VAR_DIR": str(stack.var)}))
    assert second.own == first.own
    assert second.maintenance == first.maintenance


def test_secrets_of_maintenance_lie_in_a_private_file_that_no_process_is_given(stack):
    settled = settle(stack)
    assert stat.S_IMODE(settled.maintenance_file.stat().st_mode) == 0o600
    assert read_env_file(settled.maintenance_file) == settled.maintenance
    secrets = set(settled.maintenance.values())
    assert len(secrets) == len(environment.SECRETS_OF_MAINTENANCE)
    given = " ".join(settled.process_environment().values())
    assert not [secret for secret in secrets if secret in given]
    assert urlsplit(settled.own["DATABASE_URL"]).username == "spai"
    assert urlsplit(settled.superuser_database).username == environment.SUPERUSER
    assert urlsplit(settled.mlflow_database).username == "mlflow"


def test_a_stack_of_an_earlier_version_gets_the_secrets_that_it_lacks(stack):
    first = settle(stack)
    lacking = {name: value for name, value in first.own.items() if not name.startswith(("MLFLOW_TRACKING_", "SPAI_M"))}
    first.env_file.write_text(environment.lines(lacking))
    first.maintenance_file.unlink()
    second = settle(load({"SPAI_VAR_DIR": str(stack.var)}))
    assert {name: second.own[name] for name in lacking if name != "MLFLOW_TRACKING_URI"}.items() <= lacking.items()
    assert {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "SPAI_METRICS_TOKEN"} <= set(second.own)
    assert set(second.maintenance) == set(first.maintenance)


def test_another_mlflow_server_is_not_shown_our_password(stack):
    own = settle(stack)
    password = own.own["MLFLOW_TRACKING_PASSWORD"]
    assert own.process_environment()["MLFLOW_TRACKING_PASSWORD"] == password
    named = {"SPAI_VAR_DIR": str(stack.var), "MLFLOW_TRACKING_URI": "https://mlflow.example"}
    given = load(named).process_environment()
    assert (given["MLFLOW_TRACKING_USERNAME"], given["MLFLOW_TRACKING_PASSWORD"]) == ("", "")
    theirs = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "theirs"}
    assert theirs.items() <= load(named | theirs).process_environment().items()

    def seen(**more):
        bare = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING")}
        code = "import os, spai.settings; print(os.environ.get('MLFLOW_TRACKING_PASSWORD'))"
        command = [sys.executable, "-c", code]
        return subprocess.check_output(command, env=bare | {"SPAI_VAR_DIR": str(stack.var)} | more, text=True).strip()

    assert seen() == seen(MLFLOW_TRACKING_URI=own.own["MLFLOW_TRACKING_URI"]) == password
    assert seen(MLFLOW_TRACKING_URI="https://mlflow.example") == "None"


def test_a_port_that_somebody_took_meanwhile_is_replaced_and_the_password_kept(stack):
    first = settle(stack)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first.port("postgres")))
        other.listen()
        second = settle(load({"SPAI_VAR_DIR": str(stack.var)}))
    assert second.port("postgres") not in ports(first)
    assert second.password("postgres") == first.password("postgres")
    assert {process for process in ADDRESSES if second.port(process) != first.port(process)} == {"postgres"}


def test_two_stacks_that_run_at_the_same_time_share_no_port(stack, tmp_path):
    first = settle(stack)
    with contextlib.ExitStack() as listening:
        for port in ports(first):
            taken = listening.enter_context(socket.socket())
            taken.bind(("127.0.0.1", port))
            taken.listen()
        second = settle(load({"SPAI_VAR_DIR": str(tmp_path / "second")}))
    assert set(ports(first)).isdisjoint(ports(second))


def test_a_port_that_another_start_was_promised_is_not_promised_again(stack, tmp_path):
    folder = tmp_path / "claims of all"
    with Claims(folder) as claims, Claims(folder) as others:
        first = environment.complete(stack, claims)
        second = environment.complete(load({"SPAI_VAR_DIR": str(tmp_path / "second")}), others)
    assert set(ports(first)).isdisjoint(ports(second))
    assert all(port_is_free(port) for port in ports(first))


def test_a_promise_lasts_as_long_as_a_process_that_inherited_it(tmp_path):
    with Claims(tmp_path) as claims, Claims(tmp_path) as others:
        assert claims.claim(5000)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=claims.descriptors):
            claims.__exit__(None, None, None)
            assert not others.claim(5000)
        assert others.claim(5000)


def test_an_address_in_the_environment_is_somebody_elses_server(stack):
    own = settle(stack)
    assert not own.is_external("postgres")
    elsewhere = load({"SPAI_VAR_DIR": str(stack.var), "DATABASE_URL": "postgresql://a:b@db.example/spai"})
    assert elsewhere.is_external("postgres")
    assert elsewhere.address("postgres") == "postgresql://a:b@db.example/spai"
    assert elsewhere.mlflow_database == "postgresql://a:b@db.example/spai_mlflow"
    assert not elsewhere.is_external("redis")
    # A shell that has read stack.env names our own server.
    assert not load({"SPAI_VAR_DIR": str(stack.var), **own.own}).is_external("postgres")


def test_the_address_that_the_world_sees_does_not_move_the_process(stack):
    settle(stack)
    behind_proxy = load({"SPAI_VAR_DIR": str(stack.var), "SPAI_WEB_URL": "https://spai.example"})
    assert behind_proxy.process_environment()["SPAI_WEB_URL"] == "https://spai.example"
    assert behind_proxy.port("web") == urlsplit(behind_proxy.own["SPAI_WEB_URL"]).port
    assert not behind_proxy.is_external("web")


def test_the_processes_have_our_secrets_and_no_telemetry(stack):
    own = settle(stack)
    values = own.process_environment()
    assert values["SECRET_KEY"] == own.own["SECRET_KEY"]
    assert values["SPAI_VAR_DIR"] == str(stack.var)
    assert values["GX_ANALYTICS_ENABLED"] == "false"
    assert values["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_cookies_of_two_stacks_on_one_machine_have_different_names(stack):
    def names(role, admin):
        values = {"SPAI_ROLE": role, "SPAI_ADMIN_URL": admin, "SPAI_VAR_DIR": str(stack.var), "SECRET_KEY": "s"}
        values |= {"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c", "REDIS_URL": "redis://127.0.0.1:1/0"}
        code = "from spai.settings import *; print(SESSION_COOKIE_NAME, CSRF_COOKIE_NAME)"
        return subprocess.check_output([sys.executable, "-c", code], env=os.environ | values, text=True).split()

    first = names("admin", "http://127.0.0.1:8001")
    assert len(set(first)) == 2
    assert names("web", "http://127.0.0.1:8001") == first
    assert not set(names("admin", "http://127.0.0.1:9001")) & set(first)
    assert names("admin", "https://admin.example.org") == ["spai_site_session", "spai_site_csrf"]


def test_a_relative_folder_lies_in_the_checkout():
    assert load({"SPAI_VAR_DIR": "elsewhere/var"}).var == environment.BASE / "elsewhere" / "var"
    assert load({}).var == environment.BASE / "var"


def test_an_env_file_may_have_comments_quotes_and_exports(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# A=1\nB=2\nexport C='three four'\nD=\"5\"\nnonsense\nE=a=b#c\n")
    assert read_env_file(file) == {"B": "2", "C": "three four", "D": "5", "E": "a=b#c"}
    assert read_env_file(tmp_path / "missing") == {}
