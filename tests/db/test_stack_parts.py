"""The table of parts, supervisor's configuration made of it, and what each part is asked."""

from __future__ import annotations

import http.server
import os
import stat
import threading
import time
from configparser import RawConfigParser
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from supervisor.options import ServerOptions

from spai.stack import environment, health, lifecycle, supervision, watch
from spai.stack.environment import load
from spai.stack.parts import Part, table
from spai.stack.ports import Claims


@pytest.fixture
def stack(tmp_path):
    with Claims(tmp_path / "claims") as claims:
        return environment.settle(load({"SPAI_VAR_DIR": str(tmp_path), "PATH": os.environ["PATH"]}), claims)


def test_every_part_is_there_once_and_servers_come_first(stack):
    names = [part.name for part in table(stack)]
    assert names == [
        "postgres",
        "redis",
        "mlflow",
        "web",
        "office",
        "push",
        "sandbox",
        "worker-scrape",
        "worker-ml",
        "worker-forecast",
        "worker-default",
        "beat",
    ]


def test_what_the_operator_runs_elsewhere_is_not_started(stack):
    told = {
        "DATABASE_URL": "postgresql://a:b@db.example/spai",
        "REDIS_URL": "redis://cache.example/0",
        "MLFLOW_TRACKING_URI": "http://mlflow.example",
    }
    names = [part.name for part in table(load({"SPAI_VAR_DIR": str(stack.var), **told}))]
    assert {"postgres", "redis", "mlflow"}.isdisjoint(names)
    assert "web" in names


@pytest.mark.parametrize(("told", "runs"), [("false", False), ("0", False), ("Yes", True), ("1", True), ("", True)])
def test_the_sandbox_runs_where_it_is_wanted(stack, told, runs):
    parts = table(load({"SPAI_VAR_DIR": str(stack.var), "SPAI_SANDBOX": told}))
    assert ("sandbox" in [part.name for part in parts]) == runs


def test_a_request_that_hangs_leaves_the_sandbox_threads_enough(stack):
    part = next(part for part in table(stack) if part.name == "sandbox")
    assert int(part.command[part.command.index("--blocking-threads") + 1]) >= 8
    assert part.command[part.command.index("--workers") + 1] == "1"
    assert part.command[-1] == "spai.sandbox:application"
    assert part.environment["SPAI_FACE"] == "office"
    assert part.port == stack.port("sandbox") > 0


def test_every_part_listens_on_this_machine_only(stack):
    for part in table(stack):
        assert "0.0.0.0" not in part.command, part.name
        if part.port and part.name not in ("postgres", "redis"):
            assert part.command[part.command.index("--host") + 1] == "127.0.0.1"
    postgres = table(stack)[0]
    assert "listen_addresses=127.0.0.1" in postgres.command


def test_no_secret_stands_on_a_command_line(stack):
    secrets = [stack.own["SECRET_KEY"], stack.password("postgres"), stack.password("redis")]
    for part in table(stack):
        assert not [secret for secret in secrets if secret in " ".join(part.command)], part.name


def test_supervisor_reads_its_configuration_as_it_was_meant(stack):
    parts = table(stack)
    parts.append(Part("odd", "percent and blank", ["echo", "100 %", "a b"], str, str, environment={"A": "50%"}))
    for folder in (stack.run, stack.logs):
        folder.mkdir()
    file = stack.run / "supervisord.conf"
    file.write_text(supervision.configuration(stack, parts))
    options = ServerOptions()
    options.realize(args=["-c", str(file)])
    known = {group.name: group.process_configs[0] for group in options.process_group_configs}
    assert set(known) == {*(part.name for part in parts), supervision.WATCH}
    assert known["odd"].command.endswith("odd echo '100 %' 'a b'")
    assert known["odd"].environment == {"A": "50%", "SPAI_PART": "odd"}
    assert known["postgres"].stopsignal == 2
    assert not known["web"].autostart


def test_a_long_path_gets_a_socket_elsewhere(stack, tmp_path):
    assert supervision.socket_path(load({"SPAI_VAR_DIR": "/srv/spai/var"})).parent.as_posix() == "/srv/spai/var/run"
    long = load({"SPAI_VAR_DIR": str(tmp_path / ("x" * 120))})
    assert len(str(supervision.socket_path(long))) < supervision.LONGEST_SOCKET_PATH
    assert supervision.socket_path(long) != supervision.socket_path(load({"SPAI_VAR_DIR": str(tmp_path / ("y" * 120))}))


def test_the_configuration_is_private(stack):
    parser = RawConfigParser()
    parser.read_string(supervision.configuration(stack, table(stack)))
    assert parser["unix_http_server"]["chmod"] == "0700"
    # MLflow's database password is in it.
    assert stack.password("postgres") in parser["program:mlflow"]["environment"]
    from spai.stack.environment import write_private

    write_private(stack.run / "supervisord.conf", "x")
    assert stat.S_IMODE((stack.run / "supervisord.conf").stat().st_mode) == 0o600


# ── Health ───────────────────────────────────────────────────────────────────────────────────────────────────────────
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"reason": "the database is not migrated"}'
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


def test_a_page_that_answers_is_well_and_one_that_does_not_says_why(site):
    assert health.http(f"{site}/livez")() == "answers 200"
    with pytest.raises(health.Unhealthy, match="answers 503: the database is not migrated"):
        health.http(f"{site}/readyz")()
    with pytest.raises(health.Unhealthy, match=r"does not answer: .*refused"):
        health.http("http://127.0.0.1:1/livez")()


def test_servers_are_asked_for_work(django_db_setup, settings):
    assert health.redis_server(settings.REDIS_URL)() == "answers PING"
    with pytest.raises(health.Unhealthy, match="does not answer"):
        health.redis_server("redis://127.0.0.1:1/0")()
    assert health.postgres(os.environ["DATABASE_URL"])() == "evaluates queries"
    with pytest.raises(health.Unhealthy, match="does not answer"):
        health.postgres("postgresql://a:b@127.0.0.1:1/x")()


def test_a_worker_that_nobody_started_does_not_answer_pings(settings):
    with pytest.raises(health.Unhealthy, match="no answer to a ping"):
        health.worker("nobody@nowhere", settings.REDIS_URL)()
    with pytest.raises(health.Unhealthy, match="could not be asked"):
        health.worker("nobody@nowhere", "redis://127.0.0.1:1/0")()


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
    ("started_minutes_ago", "ran_minutes_ago", "says"),
    [(1, None, "nothing was due yet"), (90, 1, "started tasks 6"), (90, 20, None), (90, None, None), (None, 1, None)],
)
def test_beat_is_believed_by_the_rows_it_writes(beat_rows, started_minutes_ago, ran_minutes_ago, says):
    now = datetime.now(UTC)
    started = None if started_minutes_ago is None else now - timedelta(minutes=started_minutes_ago)
    if ran_minutes_ago is not None:
        with psycopg.connect(beat_rows) as session:
            row = [True, now - timedelta(minutes=ran_minutes_ago)]
            session.execute("INSERT INTO django_celery_beat_periodictask VALUES (%s, %s)", row)
    check = health.beat(beat_rows, lambda: started)
    if says:
        assert says in check()
    else:
        with pytest.raises(health.Unhealthy):
            check()


# ── The watch ────────────────────────────────────────────────────────────────────────────────────────────────────────
class Processes:
    """Stands in for supervisor: parts that run, and those that were killed."""

    def __init__(self, names):
        self.pids = dict.fromkeys(names, 1)
        self.age = 1000.0
        self.killed = []

    def processes(self):
        now = time.time()
        return {
            n: {"statename": "RUNNING", "pid": p, "start": now - self.age, "now": now} for n, p in self.pids.items()
        }

    def kill(self, part):
        self.killed.append(part)


class Answers:
    """Checks whose answers a test chooses."""

    def __init__(self):
        self.silent = set()

    def of(self, name):
        def ask():
            if name in self.silent:
                raise health.Unhealthy("no answer")
            return "well"

        return ask


@pytest.fixture
def watched(stack):
    stack.run.mkdir()
    answers = Answers()
    observer = watch.Watch(stack, watch.Book(watch.records_file(stack)))
    observer.parts = [
        Part("postgres", "", [], answers.of("postgres"), answers.of("postgres")),
        Part("web", "", [], answers.of("web"), answers.of("web"), needs=["postgres"]),
    ]
    observer.supervisor = Processes(["postgres", "web"])
    observer.round()
    return observer, answers


def test_a_part_that_is_silent_again_and_again_is_killed_and_that_is_written_down(watched, stack):
    observer, answers = watched
    answers.silent = {"web"}
    for _ in range(watch.PATIENCE - 1):
        observer.round()
    assert observer.supervisor.killed == []
    observer.round()
    assert observer.supervisor.killed == ["web"]
    record = watch.read_records(watch.records_file(stack))["web"]
    assert record["restarts"] == 1
    assert "no longer did its work (no answer)" in record["reason"]
    # Supervisor's report of that very end is not a second restart.
    observer.heard("PROCESS_STATE_EXITED", "processname:web groupname:web from_state:RUNNING expected:0 pid:1")
    assert watch.read_records(watch.records_file(stack))["web"]["restarts"] == 1


def test_a_part_is_not_blamed_for_the_silence_of_what_it_needs(watched):
    observer, answers = watched
    answers.silent = {"postgres", "web"}
    for _ in range(watch.PATIENCE):
        observer.round()
    assert observer.supervisor.killed == ["postgres"]


def test_one_answer_ends_the_count(watched):
    observer, answers = watched
    for _ in range(3):
        answers.silent = {"web"}
        for _ in range(watch.PATIENCE - 1):
            observer.round()
        answers.silent = set()
        observer.round()
    assert observer.supervisor.killed == []


def test_a_part_that_has_not_answered_yet_may_take_its_time(watched):
    observer, answers = watched
    answers.silent = {"web"}
    observer.supervisor.pids["web"], observer.supervisor.age = 2, 30
    for _ in range(2 * watch.PATIENCE):
        observer.round()
    assert observer.supervisor.killed == []
    observer.supervisor.age = watch.LONGEST_START + 1
    for _ in range(watch.PATIENCE):
        observer.round()
    assert observer.supervisor.killed == ["web"]


def test_a_part_that_ends_by_itself_is_written_down(watched, stack):
    observer, _ = watched
    observer.heard("PROCESS_STATE_EXITED", "processname:web groupname:web from_state:RUNNING expected:0 pid:1")
    record = watch.read_records(watch.records_file(stack))["web"]
    assert (record["restarts"], record["reason"]) == (1, "ended unexpectedly")


def test_a_start_whose_command_is_gone_is_abandoned(stack):
    stack.run.mkdir()
    assert not watch.abandoned(stack)
    with lifecycle.starting(stack):
        assert not watch.abandoned(stack)
        mark = stack.run / "starting"
        pid, _ = mark.read_text().split()
        mark.write_text(f"{pid} 1.0")
        assert watch.abandoned(stack)
    assert not watch.abandoned(stack)
