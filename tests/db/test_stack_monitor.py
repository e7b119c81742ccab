"""The stack's processes: their table, supervisor's configuration made of it, health checks and the monitor."""

from __future__ import annotations

import http.server
import json
import os
import stat
import sys
import threading
import time
from configparser import ConfigParser, RawConfigParser
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psutil
import psycopg
import pytest
from supervisor.options import ServerOptions

from spai.stack import environment, guards, health, launch, monitor, supervision
from spai.stack.environment import load
from spai.stack.ports import Claims
from spai.stack.processes import Process, mlflow_auth, table
from tests.subprocesses import child_process

OF_ANY_MACHINE = {"PATH": os.environ["PATH"], "SPAI_PROMETHEUS": "false"}


@pytest.fixture
def stack(tmp_path):
    with Claims(tmp_path / "claims") as claims:
        return environment.complete(load({"SPAI_VAR_DIR": str(tmp_path), **OF_ANY_MACHINE}), claims)


def test_every_process_is_listed_once_and_servers_come_first(stack):
    names = [process.name for process in table(stack)]
    assert names == [
        "postgres",
        "redis",
        "mlflow",
        "web",
        "admin",
        "push",
        "sandbox",
        "worker-scrape",
        "worker-ml",
        "worker-forecast",
        "worker-jobs",
        "worker-webhooks",
        "worker-default",
        "beat",
    ]


def test_what_the_operator_runs_elsewhere_is_not_started(stack):
    given = {
        "DATABASE_URL": "postgresql://a:b@db.example/spai",
        "REDIS_URL": "redis://cache.example/0",
        "MLFLOW_TRACKING_URI": "http://mlflow.example",
    }
    names = [process.name for process in table(load({"SPAI_VAR_DIR": str(stack.var), **given}))]
    assert {"postgres", "redis", "mlflow"}.isdisjoint(names)
    assert "web" in names


@pytest.mark.parametrize(("given", "runs"), [("false", False), ("0", False), ("Yes", True), ("1", True), ("", True)])
def test_the_sandbox_runs_where_it_is_wanted(stack, given, runs):
    processes = table(load({"SPAI_VAR_DIR": str(stack.var), "SPAI_SANDBOX": given}))
    assert ("sandbox" in [process.name for process in processes]) == runs


def test_a_request_that_hangs_leaves_the_sandbox_threads_enough(stack):
    process = next(process for process in table(stack) if process.name == "sandbox")
    assert int(process.environment["SPAI_THREADS"]) >= 8
    assert process.command[process.command.index("--workers") + 1] == "1"
    assert process.command[-1] == "spai.sandbox:application"
    assert process.environment["SPAI_ROLE"] == "admin"
    assert process.port == stack.port("sandbox") > 0


def test_every_process_listens_on_this_machine_only(stack):
    for process in table(stack):
        assert "0.0.0.0" not in process.command, process.name
        if process.port and process.name not in ("postgres", "redis"):
            assert process.command[process.command.index("--host") + 1] == "127.0.0.1"
    postgres = table(stack)[0]
    assert "listen_addresses=127.0.0.1" in postgres.command


def test_no_secret_stands_on_a_command_line(stack):
    secrets = [stack.own["SECRET_KEY"], stack.password("postgres"), stack.password("redis")]
    secrets += [stack.own["MLFLOW_TRACKING_PASSWORD"], stack.own["SPAI_METRICS_TOKEN"], *stack.maintenance.values()]
    for process in table(stack):
        assert not [secret for secret in secrets if secret in " ".join(process.command)], process.name


def test_supervisor_reads_its_configuration_as_it_was_meant(stack):
    processes = table(stack)
    processes.append(Process("odd", "percent and blank", ["echo", "100 %", "a b"], str, str, environment={"A": "50%"}))
    for folder in (stack.run, stack.logs):
        folder.mkdir()
    file = stack.run / "supervisord.conf"
    file.write_text(supervision.configuration(stack, processes))
    options = ServerOptions()
    options.realize(args=["-c", str(file)])
    known = {group.name: group.process_configs[0] for group in options.process_group_configs}
    assert set(known) == {*(process.name for process in processes), supervision.MONITOR}
    assert known["odd"].command.endswith("odd echo '100 %' 'a b'")
    assert known["odd"].environment == {"A": "50%", "SPAI_PROCESS": "odd"}
    assert known["postgres"].stopsignal == 2
    assert not known["web"].autostart


def test_a_long_path_gets_a_socket_elsewhere(stack, tmp_path):
    assert supervision.socket_path(load({"SPAI_VAR_DIR": "/srv/spai/var"})).parent.as_posix() == "/srv/spai/var/run"
    long = load({"SPAI_VAR_DIR": str(tmp_path / ("x" * 120))})
    assert len(str(supervision.socket_path(long))) < supervision.LONGEST_SOCKET_PATH
    assert supervision.socket_path(long) != supervision.socket_path(load({"SPAI_VAR_DIR": str(tmp_path / ("y" * 120))}))


def test_the_configuration_is_private(stack):
    parser = RawConfigParser()
    text = supervision.configuration(stack, table(stack))
    parser.read_string(text)
    assert parser["unix_http_server"]["chmod"] == "0700"
    # MLflow's database password is in it, for MLflow alone; that of the superuser is not.
    assert stack.maintenance["MLFLOW_DATABASE_PASSWORD"] in parser["program:mlflow"]["environment"]
    assert stack.maintenance["SUPERUSER_PASSWORD"] not in text
    assert {parser["supervisord"]["umask"]} == {"077"}
    from spai.stack.environment import write_private

    write_private(stack.run / "supervisord.conf", "x")
    assert stat.S_IMODE((stack.run / "supervisord.conf").stat().st_mode) == 0o600


def test_a_stack_that_an_earlier_version_started_can_still_be_asked(stack):
    early = ("SECRET_KEY", *environment.ADDRESSES.values())
    stack.env_file.write_text(environment.lines({name: stack.own[name] for name in early}))
    stack.maintenance_file.unlink()
    running = load({"SPAI_VAR_DIR": str(stack.var), **OF_ANY_MACHINE})
    assert [process.name for process in table(running)] == [process.name for process in table(stack)]


def test_mlflow_requires_a_login_and_keeps_its_users_in_its_database(stack):
    process = next(process for process in table(stack) if process.name == "mlflow")
    assert process.command[process.command.index("--app-name") + 1] == "basic-auth"
    assert process.environment["MLFLOW_AUTH_ADMIN_PASSWORD"] == stack.own["MLFLOW_TRACKING_PASSWORD"]
    environment.write_private(stack.mlflow_auth_file, mlflow_auth(stack))
    assert stat.S_IMODE(stack.mlflow_auth_file.stat().st_mode) == 0o600
    parser = ConfigParser()
    parser.read(stack.mlflow_auth_file)
    assert parser["mlflow"]["database_uri"] == process.environment["MLFLOW_BACKEND_STORE_URI"]
    assert parser["mlflow"]["default_permission"] == "NO_PERMISSIONS"
    # An operator's password may hold what the file takes for a reference.
    theirs = load({"SPAI_VAR_DIR": str(stack.var), "DATABASE_URL": "postgresql://a:b%2Fc@db.example/spai"})
    parser.read_string(mlflow_auth(theirs))
    assert parser["mlflow"]["database_uri"] == "postgresql+psycopg://a:b%2Fc@db.example/spai_mlflow"


# ── Health ───────────────────────────────────────────────────────────────────────────────────────────────────────────
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"reason": "the database is not migrated"}'
        if self.path == "/login":
            self.send_response(200 if self.headers["Authorization"] == "Basic YW5uOnNlY3JldA==" else 401)
        else:
            self.send_response(200 if self.path == "/livez" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_that_answers_is_healthy_and_one_that_does_not_has_a_reason(site):
    assert health.http(f"{site}/livez")() == "answers 200"
    with pytest.raises(health.Unhealthy, match="answers 503: the database is not migrated"):
        health.http(f"{site}/readyz")()
    with pytest.raises(health.Unhealthy, match=r"does not answer: .*refused"):
        health.http("http://127.0.0.1:1/livez")()


def test_a_page_that_requires_a_login_gets_it(site):
    assert health.http(f"{site}/login", ("ann", "secret"))() == "answers 200"
    with pytest.raises(health.Unhealthy, match="answers 401"):
        health.http(f"{site}/login", ("ann", "guess"))()


def test_servers_are_requested_work(django_db_setup, settings):
    assert health.redis_server(settings.REDIS_URL)() == "answers PING"
    with pytest.raises(health.Unhealthy, match="does not answer"):
        health.redis_server("redis://127.0.0.1:1/0")()
    assert health.postgres(os.environ["DATABASE_URL"])() == "evaluates queries"
    assert health.postgres_listens(os.environ["DATABASE_URL"].replace(":only-for-tests@", ":guess@"))()
    with pytest.raises(health.Unhealthy, match="does not accept connections"):
        health.postgres_listens("postgresql://a:b@127.0.0.1:1/x")()
    with pytest.raises(health.Unhealthy, match="does not answer"):
        health.postgres("postgresql://a:b@127.0.0.1:1/x")()


def test_a_worker_that_nobody_started_does_not_answer_pings(settings):
    with pytest.raises(health.Unhealthy, match="no answer to a ping"):
        health.WorkerPings(["nobody@nowhere"], settings.REDIS_URL).check_of("nobody@nowhere")()
    with pytest.raises(health.Unhealthy, match="broker does not answer"):
        health.WorkerPings(["nobody@nowhere"], "redis://127.0.0.1:1/0").check_of("nobody@nowhere")()


@pytest.fixture
def beat_rows():
    address = os.environ["DATABASE_URL"]
    name = f"beat_{os.getpid()}"
    with psycopg.connect(address, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")
    own = f"{address.rpartition('/')[0]}/{name}"
    with psycopg.connect(own, autocommit=True) as session:
        session.execute("CREATE TABLE django_celery_beat_periodictask (enabled boolean, last_run_at timestamptz)")
    yield own
    with psycopg.connect(address, autocommit=True) as session:
        session.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    ("started_minutes_ago", "ran_minutes_ago", "expected"),
    [(1, None, "nothing was due yet"), (90, 1, "sent tasks 6"), (90, 20, None), (90, None, None), (None, 1, None)],
)
def test_beat_is_healthy_by_the_times_that_it_stores(beat_rows, started_minutes_ago, ran_minutes_ago, expected):
    now = datetime.now(UTC)
    started = None if started_minutes_ago is None else now - timedelta(minutes=started_minutes_ago)
    if ran_minutes_ago is not None:
        with psycopg.connect(beat_rows) as session:
            row = [True, now - timedelta(minutes=ran_minutes_ago)]
            session.execute("INSERT INTO django_celery_beat_periodictask VALUES (%s, %s)", row)
    check = health.beat(beat_rows, lambda: started)
    if expected:
        assert expected in check()
    else:
        with pytest.raises(health.Unhealthy):
            check()


# ── The monitor ───────────────────────────────────────────────────────────────────────────────────────────────────────
class Processes:
    """Stands in for supervisor: processes that run, and those that were killed."""

    def __init__(self, names):
        self.pids = dict.fromkeys(names, 1)
        self.age = 1000.0
        self.killed = []

    def states(self):
        now = time.time()
        return {
            n: {"statename": "RUNNING", "pid": p, "start": now - self.age, "now": now} for n, p in self.pids.items()
        }

    def kill(self, process):
        self.killed.append(process)


class Answers:
    """Checks whose answers a test chooses."""

    def __init__(self):
        self.failing = set()

    def of(self, name):
        def ask():
            if name in self.failing:
                raise health.Unhealthy("no answer")
            return "well"

        return ask


@pytest.fixture
def work(monkeypatch):
    """Processor seconds of each process, as a test chooses; they stand still where it chooses none."""
    seconds = {}
    monkeypatch.setattr(monitor, "processor_seconds", lambda pid: seconds.get(pid, 0.0))
    return seconds


@pytest.fixture
def watched(stack, work):
    stack.run.mkdir()
    answers = Answers()
    observer = monitor.Monitor(stack, monitor.RestartLog(monitor.records_file(stack)))
    observer.processes = [
        Process("postgres", "", [], answers.of("postgres"), answers.of("postgres")),
        Process("web", "", [], answers.of("web"), answers.of("web"), needs=["postgres"]),
    ]
    observer.supervisor = Processes(["postgres", "web"])
    observer.check_all()
    return observer, answers


def test_a_process_that_keeps_failing_is_killed_and_recorded(watched, stack):
    observer, answers = watched
    answers.failing = {"web"}
    for _ in range(monitor.MAX_FAILURES - 1):
        observer.check_all()
    assert observer.supervisor.killed == []
    observer.check_all()
    assert observer.supervisor.killed == ["web"]
    record = monitor.read_records(monitor.records_file(stack))["web"]
    assert record["restarts"] == 1
    assert "no longer did its work (no answer)" in record["reason"]
    # Supervisor's report of that very end is not a second restart.
    observer.handle_event("PROCESS_STATE_EXITED", "processname:web groupname:web from_state:RUNNING expected:0 pid:1")
    assert monitor.read_records(monitor.records_file(stack))["web"]["restarts"] == 1


def test_a_process_is_not_restarted_for_failures_of_what_it_needs(watched):
    observer, answers = watched
    answers.failing = {"postgres", "web"}
    for _ in range(monitor.MAX_FAILURES):
        observer.check_all()
    assert observer.supervisor.killed == ["postgres"]


def test_one_passed_check_ends_the_count(watched):
    observer, answers = watched
    for _ in range(3):
        answers.failing = {"web"}
        for _ in range(monitor.MAX_FAILURES - 1):
            observer.check_all()
        answers.failing = set()
        observer.check_all()
    assert observer.supervisor.killed == []


def test_all_is_looked_at_more_often_while_something_is_wrong(watched):
    observer, answers = watched
    assert observer.check_all() is True
    answers.failing = {"web"}
    assert observer.check_all() is False
    answers.failing = set()
    del observer.supervisor.pids["web"]
    assert observer.check_all() is False


def test_workers_are_pinged_at_once_and_each_is_judged_by_its_own_answer(monkeypatch):
    asked = []

    class Control:
        def ping(self, **options):
            asked.append(options["destination"])
            return [{"ml@x": {"ok": "pong"}}]

    monkeypatch.setattr(health, "bare_celery", lambda broker: SimpleNamespace(control=Control()))
    names = ["ml@x", "jobs@x"]
    pings = health.WorkerPings(names, "redis://127.0.0.1:1/0")
    checks = [pings.check_of(name) for name in names]
    assert checks[0]() == "answers pings"
    with pytest.raises(health.Unhealthy, match="no answer to a ping"):
        checks[1]()
    assert asked == [names]
    monkeypatch.setattr(health.time, "monotonic", lambda: pings._until + 1)
    checks[0]()
    assert len(asked) == 2


def test_a_failing_process_that_works_is_slow_and_is_not_killed(watched, work, monkeypatch):
    observer, answers = watched
    answers.failing = {"web"}
    for _ in range(3 * monitor.MAX_FAILURES):
        work[1] = work.get(1, 0.0) + 1.0
        observer.check_all()
    assert observer.supervisor.killed == []
    # Once it does nothing any more it is stuck.
    for _ in range(monitor.MAX_FAILURES):
        observer.check_all()
    assert observer.supervisor.killed == ["web"]
    # And no work excuses an endless loop.
    monkeypatch.setattr(monitor, "LONGEST_WORK", 0.0)
    work[1] += 1.0
    observer.check_all()
    assert observer.supervisor.killed == ["web", "web"]


def test_the_work_of_a_process_is_that_of_its_descendants_too():
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    with child_process([sys.executable, "-c", parent]) as process:
        tree = psutil.Process(process.pid)
        while monitor.processor_seconds(process.pid) < sum(tree.cpu_times()[:2]) + 0.2:
            time.sleep(0.01)
        launch.end([*tree.children(recursive=True), tree])
    assert monitor.processor_seconds(process.pid) == 0.0


def test_a_process_that_has_not_answered_yet_may_take_its_time(watched):
    observer, answers = watched
    answers.failing = {"web"}
    observer.supervisor.pids["web"], observer.supervisor.age = 2, 30
    for _ in range(2 * monitor.MAX_FAILURES):
        observer.check_all()
    assert observer.supervisor.killed == []
    observer.supervisor.age = monitor.LONGEST_START + 1
    for _ in range(monitor.MAX_FAILURES):
        observer.check_all()
    assert observer.supervisor.killed == ["web"]


def test_a_process_that_ends_by_itself_is_recorded(watched, stack):
    observer, _ = watched
    observer.handle_event("PROCESS_STATE_EXITED", "processname:web groupname:web from_state:RUNNING expected:0 pid:1")
    record = monitor.read_records(monitor.records_file(stack))["web"]
    assert (record["restarts"], record["reason"]) == (1, "ended unexpectedly")


def test_a_start_whose_command_is_gone_is_abandoned(stack):
    stack.run.mkdir()
    assert not guards.is_abandoned(stack)
    with guards.starting(stack):
        assert not guards.is_abandoned(stack)
        mark = stack.run / "starting"
        pid, _ = mark.read_text().split()
        mark.write_text(f"{pid} 1.0")
        assert guards.is_abandoned(stack)
    assert not guards.is_abandoned(stack)


def test_the_health_of_every_process_is_noted_where_the_metrics_read_it(watched):
    observer, answers = watched
    observer.check_all()
    noted = monitor.health_file(observer.stack)
    assert json.loads(noted.read_text()) == {"postgres": True, "web": True}
    answers.failing.add("web")
    observer.check_all()
    assert json.loads(noted.read_text()) == {"postgres": True, "web": False}
