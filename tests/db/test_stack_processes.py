"""The launcher, the logs and the command line of the stack."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import psutil
import psycopg
import pytest

from spai.stack import cli, environment, guards, launch, lifecycle, logs, preparation, readiness, revision, summary
from spai.stack.environment import load
from spai.stack.errors import StackError
from spai.stack.ports import Claims
from spai.stack.report import Report
from spai.stack.supervision import LAUNCH
from tests.subprocesses import child_process

SLEEP = [sys.executable, "-c", "import time; time.sleep(100_000)"]
TIMEOUT = 300.0
"""Seconds after which what must end counts as stuck."""


@pytest.fixture
def stack(tmp_path, monkeypatch):
    monkeypatch.setenv("SPAI_VAR_DIR", str(tmp_path))
    return load({"SPAI_VAR_DIR": str(tmp_path)})


def marked(stack, process):
    return {**os.environ, "SPAI_STACK": str(stack.var), "SPAI_PROCESS": process}


def test_a_process_ends_what_its_last_run_left_and_nothing_else(stack, tmp_path):
    other = load({"SPAI_VAR_DIR": str(tmp_path / "other")})
    owners = [(stack, "web"), (stack, "push"), (other, "web")]
    sleepers = [subprocess.Popen(SLEEP, env=marked(owner, process)) for owner, process in owners]
    command = [sys.executable, "-P", str(LAUNCH), "web", "echo", "became the command"]
    done = subprocess.run(command, env=marked(stack, "web"), capture_output=True, text=True, check=True)
    assert done.stdout == "became the command\n"
    assert sleepers[0].wait(timeout=TIMEOUT) == -15
    assert [sleeper.poll() for sleeper in sleepers[1:]] == [None, None]
    launch.end([psutil.Process(sleeper.pid) for sleeper in sleepers[1:]])
    for sleeper in sleepers[1:]:
        sleeper.wait(timeout=TIMEOUT)


def test_a_process_that_does_not_want_to_end_is_killed(stack):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    code += "time.sleep(100_000)"
    with child_process([sys.executable, "-c", code], env=marked(stack, "web"), stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout.readline() == b"deaf\n"
        launch.end(launch.marked_processes(str(stack.var)), timeout=0.5)
        # Who waits for a child first takes its exit code; that it is gone is what counts.
        assert not psutil.pid_exists(deaf.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_process_dies_with_its_supervisor(stack):
    code = (
        "import subprocess, sys, time; "
        f"child = subprocess.Popen([sys.executable, '-P', {str(LAUNCH)!r}, 'web', *{SLEEP!r}]); "
        "print(child.pid, flush=True); time.sleep(100_000)"
    )
    with child_process([sys.executable, "-c", code], env=marked(stack, "web"), stdout=subprocess.PIPE) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        end = time.monotonic() + TIMEOUT
        while child.cmdline() != SLEEP and time.monotonic() < end:
            time.sleep(0.05)
        parent.kill()
    psutil.wait_procs([child], timeout=TIMEOUT)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


# ── Logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def follow(stack, process=None):
    """Return a stream of log lines, and the list that gets None whenever the stream waits."""
    waits = []
    return logs.lines(stack, process, follow=True, wait=waits.append), waits


def test_each_line_carries_the_name_of_its_process(stack):
    stack.logs.mkdir()
    (stack.logs / "web.log").write_text("one\ntwo\n")
    (stack.logs / "beat.log").write_text("tick\n")
    assert list(logs.lines(stack, None, follow=False)) == [
        "beat           | tick",
        "web            | one",
        "web            | two",
    ]
    assert list(logs.lines(stack, "beat", follow=False)) == ["beat           | tick"]


def test_following_shows_whole_new_lines_across_a_rotation(stack):
    stack.logs.mkdir()
    log = stack.logs / "web.log"
    log.write_text("old\n")
    stream, _ = follow(stack)
    assert next(stream).endswith("| old")
    with log.open("a") as file:
        file.write("new\nhal")
        file.flush()
        assert next(stream).endswith("| new")
        file.write("f\n")
    assert next(stream).endswith("| half")
    log.rename(stack.logs / "web.log.1")
    log.write_text("after the rotation\n")
    assert next(stream).endswith("| after the rotation")
    (stack.logs / "mlflow.log").write_text("late\n")
    assert next(stream) == "mlflow         | late"


# ── Words on the command line ────────────────────────────────────────────────────────────────────────────────────────
def test_a_stack_that_does_not_run_explains_how_to_start_it(stack, capsys):
    assert cli.main(["status"]) == 1
    assert "`make up` starts it" in capsys.readouterr().out
    assert cli.main(["status", "--json"]) == 1
    assert capsys.readouterr().out == "[]\n"
    assert cli.main(["down"]) == 0
    assert "was not running" in capsys.readouterr().out
    assert cli.main(["logs"]) == 1
    assert cli.main(["restart", "web"]) == 1
    assert "`make up`" in capsys.readouterr().err


def test_a_second_command_waits_for_nobody(stack, capsys):
    with guards.alone(stack):
        assert cli.main(["down"]) == 1
    output = capsys.readouterr().err
    assert f"Another command is already starting or stopping this stack (process {os.getpid()})" in output
    assert cli.main(["down"]) == 0


def test_an_unknown_word_is_refused_with_the_words_that_there_are(capsys):
    with pytest.raises(SystemExit):
        cli.main(["begin"])
    assert "restart" in capsys.readouterr().err


def test_the_first_password_is_shown_and_later_ones_only_named(stack, capsys):
    with Claims(stack.var / "claims") as claims:
        settled = environment.complete(stack, claims)
    report = Report(sys.stdout)
    settled.password_file.write_text("seen-once\n")
    summary.print_summary(settled, report, "seen-once")
    output = capsys.readouterr().out
    assert "seen-once" in output
    for process in ("web", "admin", "push", "sandbox", "mlflow"):
        assert settled.address(process) in output
    assert f"in MLflow: user spai, password MLFLOW_TRACKING_PASSWORD in {settled.env_file}" in output
    assert settled.own["MLFLOW_TRACKING_PASSWORD"] not in output
    summary.print_summary(settled, report, "")
    output = capsys.readouterr().out
    assert "seen-once" not in output
    assert str(settled.password_file) in output


def test_where_no_password_is_kept_the_command_that_creates_a_user_is_shown(stack, capsys):
    with Claims(stack.var / "claims") as claims:
        settled = environment.complete(stack, claims)
    summary.print_summary(settled, Report(sys.stdout), "")
    output = capsys.readouterr().out
    assert "manage.py createsuperuser" in output
    assert str(settled.password_file) not in output


def test_the_fingerprint_of_a_database_ignores_the_login():
    first = preparation.database_fingerprint("postgresql://a:b@db:5432/spai")
    others = ("db:5432/x", "db:5433/spai", "d:5432/spai")
    assert preparation.database_fingerprint("postgres://c:d@db:5432/spai?sslmode=require") == first
    assert len({first, *(preparation.database_fingerprint(f"postgresql://a:b@{other}") for other in others)}) == 4


def test_another_database_is_prepared_anew(stack, monkeypatch, capsys):
    def prepare(address):
        # Two databases that have seen as many migrations.
        chosen = load({"SPAI_VAR_DIR": str(stack.var), "DATABASE_URL": address})
        chosen.static.mkdir(parents=True, exist_ok=True)
        return preparation.prepare_site(chosen, Report(sys.stdout))

    from spai.stack import site

    prepared = []
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(preparation, "applied_migrations", lambda stack: 50)
    monkeypatch.setattr(preparation, "compile_kernels", lambda stack: None)
    monkeypatch.setattr(site, "migrate_as_owner", lambda stack: prepared.append("tables"))
    monkeypatch.setattr(site, "load_reference_data", lambda: "there")
    monkeypatch.setattr(site, "update_roles", lambda: "there")
    monkeypatch.setattr(site, "collect_static", lambda stack: "there")
    monkeypatch.setattr(site, "make_admin", lambda *given: "")
    for address in ("postgresql://a:b@127.0.0.1:1/one", "postgresql://a:b@127.0.0.1:1/one"):
        prepare(address)
    assert len(prepared) == 1
    prepare("postgresql://a:b@127.0.0.1:1/two")
    assert len(prepared) == 2


# ── Whom a start waits for ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def simulated(stack, monkeypatch):
    """A stack whose site is ready at once and whose other processes never are; its list records what was done."""
    from spai.stack import health, supervision
    from spai.stack.processes import SITE, Process

    done = []

    def process(name):
        def ready():
            done.append(f"checked {name}")
            if name not in (*SITE, "postgres", "redis"):
                raise health.Unhealthy(f"{name} does not answer")
            return "answers"

        return Process(name, name, [], ready, ready)

    class Simulated:
        def __init__(self, stack):
            self.stack = stack

        def start(self, name):
            done.append(f"started {name}")

        def states(self):
            return {name: {"statename": "RUNNING", "pid": 1, "start": 1} for name in names}

    names = ("postgres", "redis", "mlflow", *SITE, "worker-ml", "beat")
    processes = [process(name) for name in names]
    monkeypatch.setattr(readiness, "TIMEOUT", 0.2)
    monkeypatch.setattr(lifecycle, "Supervisor", Simulated)
    monkeypatch.setattr(supervision, "processes_of", lambda stack: processes)
    monkeypatch.setattr(lifecycle, "launch", lambda stack, processes, claims: Simulated(stack))
    for step in ("prepare_files", "start_servers"):
        monkeypatch.setattr(lifecycle, step, lambda *given: None)
    monkeypatch.setattr(lifecycle, "prepare_site", lambda stack, report: "")
    stack.run.mkdir(parents=True)
    return done


def test_a_start_waits_for_the_site_and_names_what_is_still_starting(stack, simulated, capsys):
    lifecycle.begin(stack, Report(sys.stdout))
    output = capsys.readouterr().out
    assert "Starting in the background: mlflow, worker-ml, beat; `make status` shows when each is ready" in output
    assert re.search(r"MLflow: .*\(not ready yet\)", output)
    assert not re.search(r"Site: .*\(not ready yet\)", output)
    last_answer = max(number for number, what in enumerate(simulated) if what.startswith("checked"))
    assert {"started mlflow", "started worker-ml", "started beat"} <= set(simulated[last_answer:])
    assert "started mlflow" not in simulated[:last_answer]


def test_a_second_start_of_a_running_stack_names_what_is_not_ready_and_why(stack, simulated, capsys, monkeypatch):
    monkeypatch.setattr(lifecycle.supervision, "configuration", lambda stack, processes: "")
    (stack.run / "supervisord.conf").write_text("")
    with Claims(stack.var / "claims") as claims:
        settled = environment.complete(stack, claims)
    lifecycle.adopt(settled, Report(sys.stdout))
    output = capsys.readouterr().out
    for name in ("mlflow", "worker-ml", "beat"):
        assert f"{name} is not ready: {name} does not answer; `make status` shows when it is" in output
    assert "web is not ready" not in output


def test_preparing_the_site_has_the_kernels_compiled_beside_it(stack, monkeypatch):
    from spai.stack import site

    started = []
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(preparation, "applied_migrations", lambda stack: 50)
    monkeypatch.setattr(preparation.subprocess, "Popen", lambda command, **how: started.append((command, how)))
    monkeypatch.setattr(site, "migrate_as_owner", lambda stack: started.append("tables"))
    monkeypatch.setattr(site, "load_reference_data", lambda: "there")
    monkeypatch.setattr(site, "update_roles", lambda: "there")
    monkeypatch.setattr(site, "collect_static", lambda stack: "there")
    monkeypatch.setattr(site, "make_admin", lambda *given: "")
    chosen = load({"SPAI_VAR_DIR": str(stack.var), "DATABASE_URL": "postgresql://a:b@127.0.0.1:1/one"})
    chosen.logs.mkdir(parents=True)
    preparation.prepare_site(chosen, Report(sys.stdout))
    (command, how), second = started
    assert command[1:] == ["-m", "apps.ml.pipeline.warm_up"]
    assert how["env"]["SPAI_STACK"] == str(chosen.var)
    assert second == "tables"


def test_a_process_that_was_switched_on_since_is_not_restarted_alone(stack, monkeypatch, capsys):
    monkeypatch.setattr(lifecycle.Supervisor, "is_running", lambda supervisor: True)
    monkeypatch.setattr(lifecycle.Supervisor, "states", lambda supervisor: {"web": {}, "monitor": {}})
    monkeypatch.setattr(lifecycle.Supervisor, "stop", lambda *given: None)
    monkeypatch.setattr(lifecycle.Supervisor, "start", lambda *given: None)
    with Claims(stack.var / "claims") as claims:
        environment.complete(stack, claims)
    assert cli.main(["restart", "sandbox"]) == 1
    assert "sandbox was switched on after the stack was started: `make restart`" in capsys.readouterr().err


def test_an_error_of_the_machine_is_a_plain_message(stack, monkeypatch, capsys):
    def fail(report):
        raise PermissionError(13, "Permission denied", "/var/log/web.log")

    monkeypatch.setattr(lifecycle, "down", fail)
    assert cli.main(["down"]) == 1
    assert "The command failed: Permission denied: /var/log/web.log" in capsys.readouterr().err


def test_a_database_that_an_operators_server_refuses_to_make_is_named(stack, monkeypatch):
    def fail(*given, **more):
        raise psycopg.OperationalError("no\n")

    monkeypatch.setattr(preparation.psycopg, "connect", fail)
    elsewhere = load({"SPAI_VAR_DIR": str(stack.var), "DATABASE_URL": "postgresql://a:b@db.example/spai"})
    message = r"(?s)The database spai_mlflow, which MLflow needs.*MLFLOW_TRACKING_URI"
    with pytest.raises(StackError, match=message):
        preparation.make_mlflow_database(elsewhere)


def test_a_sandbox_that_does_not_run_has_no_address(stack, capsys):
    with Claims(stack.var / "claims") as claims:
        settled = environment.complete(load({"SPAI_VAR_DIR": str(stack.var), "SPAI_SANDBOX": "false"}), claims)
    summary.print_summary(settled, Report(sys.stdout), "")
    assert "Sandbox:" not in capsys.readouterr().out


def test_the_end_of_a_log_is_part_of_a_failure(stack):
    from spai.stack.processes import Process

    stack.logs.mkdir()
    (stack.logs / "web.log").write_text("".join(f"line {number}\n" for number in range(50)))
    message = str(readiness.failure(stack, Process("web", "pages", [], str, str), "cannot be started"))
    assert "web (pages) cannot be started" in message
    assert "line 49" in message
    assert "line 10\n" not in message
    assert "make up" in message


def test_a_changed_file_changes_the_fingerprint(monkeypatch, tmp_path):
    for folder in revision.CODE:
        (tmp_path / folder).mkdir()
    (tmp_path / "manage.py").write_text("x")
    monkeypatch.setattr(revision, "BASE", tmp_path)
    first = revision.fingerprint()
    assert revision.fingerprint() == first
    (tmp_path / "apps" / "new.py").write_text("y")
    second = revision.fingerprint()
    assert second != first
    (tmp_path / "apps" / "notes.md").write_text("no code")
    assert revision.fingerprint() == second
    assert revision.describe("0123456789abcdef").startswith("src-0123456789ab")
