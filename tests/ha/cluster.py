"""Three nodes as network namespaces, with the servers of spai/server/nodes and the processes of the site.

A node is what runs in its namespace: to kill it means to kill all of that at once, to freeze it to stop all of it, and
to cut it off to take down the link between it and the others.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import shlex
import shutil
import signal
import string
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import redis

from apps.matches import redis_addresses
from spai.broker import QUEUES
from spai.stack import health, temporary
from spai.stack.processes import celery
from spai.stack.servers import USER_NAMESPACE

Result = TypeVar("Result")
Program = tuple[list[str], dict[str, str]]
"""A command and its environment."""

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "spai" / "server" / "nodes"
OUTSIDE = "spaiha-net"
"""The namespace in which the links of the nodes meet, and from which people reach the site."""
NETWORK = "10.77.0"
NEW_NETWORK = 0x4000_0000
"""CLONE_NEWNET of Linux."""
TIMEOUT = 900.0
"""Seconds after which what must start counts as stuck."""
NODES = (1, 2, 3)
RABBITMQ = Path("/usr/lib/rabbitmq/bin")
"""Debian's programs on the path become another user; these do not."""
WITH_SITE = (1, 2)
"""The third node has servers alone: it is there for the majority."""


def command(*words: str) -> None:
    """Run a program that must succeed."""
    subprocess.run(words, check=True, capture_output=True, text=True)


def inside(namespace: str, work: Callable[[], Result]) -> Result:
    """Return what `work` returns in a thread whose connections are those of a namespace; raise what it raises."""
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            with Path(f"/run/netns/{namespace}").open() as file:
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), NEW_NETWORK):
                    raise OSError(ctypes.get_errno(), f"no way into {namespace}")
            outcome["result"] = work()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


def signal_all(namespace: str, number: signal.Signals) -> None:
    """Send a signal to each process of a namespace, also to those that begin meanwhile."""
    reached: set[int] = set()
    while new := processes_of(namespace) - reached:
        for process in new:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        reached |= new


def processes_of(namespace: str) -> set[int]:
    """Return the processes of a namespace; none when it does not exist."""
    listed = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    return {int(word) for word in listed.stdout.split()}


def answer_of(address: str) -> bytes:
    """Return the body of a response with the status 200; empty for any other and for none."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5) as answer:
            return answer.read()
    except OSError:
        return b""


class Node:
    """One node."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.number = number
        self.name = f"spaiha-{number}"
        self.address = f"{NETWORK}.1{number}"
        self.folder = cluster.folder / f"node-{number}"
        self.data = self.folder / "data"
        self._cluster = cluster
        self._supervisors: list[subprocess.Popen[bytes]] = []

    def install(self) -> None:
        """Write the files of this node."""
        for name in ("etcd", "redis", "sentinel", "rabbitmq", "spai"):
            (self.data / name).mkdir(parents=True)
        # By this word the nodes of RabbitMQ and its commands know each other.
        cookie = self.data / "rabbitmq" / ".erlang.cookie"
        cookie.write_text(self._cluster.cookie)
        cookie.chmod(0o400)
        values = self._cluster.shared | {
            "NODE": f"node-{self.number}",
            "ADDRESS": self.address,
            "DATA": str(self.data),
            "PRIORITY": str(100 - self.number),
        }
        for file in FILES.iterdir():
            (self.folder / file.name).write_text(string.Template(file.read_text()).substitute(values))
        if self.number > 1:
            with (self.folder / "redis.conf").open("a") as file:
                file.write(f"replicaof {self._cluster.shared['NODE_1']} 6379\n")
        for part, programs in {"servers": self._servers(), "site": self._site()}.items():
            lines = ["[supervisord]", "nodaemon=true", f"logfile={part}.log", f"pidfile={part}.pid"]
            for name, (words, more) in programs.items():
                variables = ",".join(f'{key}="{value}"'.replace("%", "%%") for key, value in more.items())
                lines += [
                    *(f"[program:{name}]", f"command={shlex.join(words)}", f"environment={variables}"),
                    *(f"stdout_logfile={name}.log", "redirect_stderr=true", "stdout_logfile_maxbytes=0"),
                    *("autorestart=true", "startretries=1000000", "startsecs=0"),
                ]
            (self.folder / f"{part}.conf").write_text("\n".join(lines) + "\n")

    def _servers(self) -> dict[str, Program]:
        """Return the servers of this node."""
        folder = str(self.folder)
        etcd = dict(line.split("=", 1) for line in (self.folder / "etcd.env").read_text().splitlines() if "=" in line)
        programs: dict[str, Program] = {
            "etcd": (["etcd"], etcd),
            "patroni": ([*USER_NAMESPACE, "patroni", f"{folder}/patroni.yml"], {}),
            "redis": (["redis-server", f"{folder}/redis.conf"], {}),
            "sentinel": (["redis-sentinel", f"{folder}/sentinel.conf"], {}),
            "haproxy": (["haproxy", "-db", "-f", f"{folder}/haproxy.cfg"], {}),
        }
        if self._cluster.broker == "rabbitmq":
            programs["rabbitmq"] = ([str(RABBITMQ / "rabbitmq-server")], self.rabbitmq())
            pid_file = self.data / "rabbitmq" / "data" / f"rabbit@{self.address}.pid"
            watch = ["sh", str(ROOT / "spai" / "server" / "rabbitmq-watch.sh"), str(pid_file)]
            path = {"PATH": f"{RABBITMQ}:{os.environ['PATH']}"}
            programs["rabbitmq-watch"] = (watch, self.rabbitmq() | path)
        if self.number in WITH_SITE:
            pids = [part for kind in "prc" for part in (f"-{kind}", f"{folder}/keepalived-{kind}.pid")]
            programs["keepalived"] = (["keepalived", "-n", "-l", "-f", f"{folder}/keepalived.conf", *pids], {})
        return programs

    def rabbitmq(self) -> dict[str, str]:
        """Return the variables of RabbitMQ and of its commands."""
        own = self.data / "rabbitmq"
        return {
            "HOME": str(own),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(own / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(own / "data"),
            "RABBITMQ_LOG_BASE": str(own / "log"),
        }

    def asks_rabbitmq(self, program: str, *words: str) -> str:
        """Return what a command of RabbitMQ prints on this node, empty when it fails."""
        command = ["ip", "netns", "exec", self.name, str(RABBITMQ / program), "--longnames", *words]
        environment = os.environ | self.rabbitmq()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    def _site(self) -> dict[str, Program]:
        """Return the processes of the site on this node."""
        if self.number not in WITH_SITE:
            return {}
        programs: dict[str, Program] = {}
        container = [sys.executable, "-m", "spai.stack.container"]
        for role, options in {"web": ["--workers", "1"], "push": []}.items():
            own = self.folder / role
            own.mkdir()
            programs[role] = ([*container, role, *options], self.environment() | {"TMPDIR": str(own)})
        options = f"worker --queues {','.join(QUEUES)} --hostname {self.worker} --concurrency 2 --loglevel INFO".split()
        more = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--include", "benchmarks.half_second"]
        role = {"SPAI_ROLE": "admin"}
        programs["worker"] = (celery(*options, *more), self.environment() | role)
        programs["beat"] = (celery("beat", "--loglevel", "INFO", "--pidfile", ""), self.environment() | role)
        return programs

    @property
    def worker(self) -> str:
        """The name of the Celery worker."""
        return f"worker@node-{self.number}"

    def environment(self) -> dict[str, str]:
        """Return the variables of the processes of the site."""
        return self._cluster.environment | {"SPAI_VAR_DIR": str(self.data / "spai")}

    def start(self, *parts: str) -> None:
        """Start everything, as a machine does, or these parts of it."""
        environment = temporary.without_stack(os.environ) | {"PYTHONPATH": str(ROOT)}
        for part in parts or ("servers", "site"):
            program = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", f"{part}.conf"]
            self._supervisors.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", self.name, *program],
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )

    def kill(self) -> None:
        """Kill every process at once."""
        signal_all(self.name, signal.SIGKILL)
        while self._supervisors:
            self._supervisors.pop().wait()

    def freeze(self) -> None:
        """Stop every process; the kernel still accepts connections and confirms what is sent to them."""
        signal_all(self.name, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let every process go on."""
        signal_all(self.name, signal.SIGCONT)

    def cut(self) -> None:
        """Take the link to the others down."""
        command("ip", "-n", OUTSIDE, "link", "set", self.name, "down")

    def mend(self) -> None:
        """Take the link up again."""
        command("ip", "-n", OUTSIDE, "link", "set", self.name, "up")


class Cluster:
    """The three nodes, the network between them, and what is in front of them."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder = folder
        self.broker = broker
        self.cookie = secrets.token_hex(12)
        words = {name: secrets.token_hex(12) for name in ("SUPERUSER_PASSWORD", "REPLICATION_PASSWORD")}
        self.shared = {
            **words,
            **{f"NODE_{number}": f"{NETWORK}.1{number}" for number in NODES},
            "REDIS_PASSWORD": secrets.token_hex(12),
            "RABBITMQ_PASSWORD": secrets.token_hex(12),
            "SITE": f"{NETWORK}.100",
            "INTERFACE": "eth0",
            "BIND": ":80",
            "POSTGRES": "/usr/lib/postgresql/15/bin",
        }
        self.site = self.shared["SITE"]
        self._password = secrets.token_hex(12)
        sentinels = ",".join(self.shared[f"NODE_{number}"] for number in NODES)
        password = self.shared["REDIS_PASSWORD"]
        self.environment = {
            "SECRET_KEY": secrets.token_hex(32),
            "SPAI_ENV_FILE": "",
            "DATABASE_URL": f"postgresql://spai:{self._password}@127.0.0.1:5000/spai",
            "DATABASE_REPLICA_URL": f"postgresql://spai:{self._password}@127.0.0.1:5001/spai",
            "REDIS_URL": f"redis+sentinel://:{password}@{sentinels}/spai/0?sentinel_password={password}",
            "ALLOWED_HOSTS": "*",
            "SPAI_PROXIES": "1",
            "SPAI_SANDBOX": "false",
            "SPAI_LIMIT_ANONYMOUS": "0",
            "SPAI_LIMIT_KEY": "0",
            "SPAI_WEBHOOK_HOSTS": f"{NETWORK}.1",
            "SPAI_STATIC_DIR": str(folder / "static"),
            "PYTHONPATH": str(ROOT),
            **{f"SPAI_{role}_URL": f"http://{self.site}" for role in ("WEB", "ADMIN", "PUSH")},
        }
        if broker == "rabbitmq":
            self.environment["CELERY_BROKER_URL"] = self._rabbitmq("/")
        self.nodes = {number: Node(self, number) for number in NODES}
        self._front: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        """Make the network, start everything, fill the database, and wait until all of it works."""
        self.remove()
        command("ip", "netns", "add", OUTSIDE)
        for words in (
            "link set lo up",
            "link add br0 type bridge",
            f"addr add {NETWORK}.1/24 dev br0",
            "link set br0 up",
        ):
            command("ip", "-n", OUTSIDE, *words.split())
        for node in self.nodes.values():
            command("ip", "netns", "add", node.name)
            ends = f"link add {node.name} type veth peer name eth0 netns {node.name}"
            for words in (ends, f"link set {node.name} master br0 up"):
                command("ip", "-n", OUTSIDE, *words.split())
            for words in ("link set lo up", f"addr add {node.address}/24 dev eth0", "link set eth0 up"):
                command("ip", "-n", node.name, *words.split())
            node.install()
        # A machine of its own reaches the primary as the nodes do.
        outside = self.folder / "haproxy.cfg"
        outside.write_text((self.nodes[1].folder / "haproxy.cfg").read_text())
        self._front = subprocess.Popen(
            ["ip", "netns", "exec", OUTSIDE, "haproxy", "-db", "-f", str(outside)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for node in self.nodes.values():
            node.start("servers")
        self._wait("PostgreSQL", self.has_databases)
        # A queue is on the nodes that are there when it is made.
        self._wait("broker", self.has_broker)
        self._prepare()
        for node in self.nodes.values():
            node.start("site")
        self.wait_until_well()

    def _prepare(self) -> None:
        """Make the roles and the database as docs/postgresql.md says, and its tables."""
        superuser = self._address("postgres", self.shared["SUPERUSER_PASSWORD"], "postgres")

        def make() -> None:
            with psycopg.connect(superuser, autocommit=True) as session:
                for statement in (
                    f"CREATE ROLE spai_owner LOGIN PASSWORD '{self._password}'",
                    "CREATE ROLE spai_application NOLOGIN",
                    "CREATE ROLE spai_retention NOLOGIN",
                    f"CREATE ROLE spai LOGIN PASSWORD '{self._password}' IN ROLE spai_application, spai_retention",
                    "CREATE DATABASE spai OWNER spai_owner ENCODING 'UTF8' TEMPLATE template0",
                ):
                    session.execute(statement)

        inside(OUTSIDE, make)
        owner = {"DATABASE_URL": self._address("spai_owner", self._password), "DATABASE_REPLICA_URL": ""}
        prepare, collect = ["-m", "spai.stack.container", "prepare"], ["manage.py", "collectstatic", "--noinput"]
        for words in (prepare, collect, ["-m", "apps.ml.pipeline.warm_up"]):
            self.run([sys.executable, *words], **owner)

    def _address(self, user: str, password: str, database: str = "spai") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:5000/{database}"

    def command_outside(self, words: list[str], **more: str) -> tuple[list[str], dict[str, str]]:
        """Return a command of the site for a machine outside the nodes, and its environment."""
        own = {"SPAI_VAR_DIR": str(self.folder / "outside"), "SPAI_ROLE": "admin"}
        environment = temporary.without_stack(os.environ) | self.environment | own | more
        return ["ip", "netns", "exec", OUTSIDE, *words], environment

    def run(self, words: list[str], **more: str) -> str:
        """Run a command of the site outside the nodes; return what it printed."""
        words, environment = self.command_outside(words, **more)
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
        return done.stdout

    def has_databases(self) -> bool:
        """Whether one PostgreSQL is the primary and both others follow it, one of them with each commit."""
        found = [answer_of(f"http://{node.address}:8008/cluster") for node in self.nodes.values()]
        if not all(found):
            return False
        members = json.loads(found[0])["members"]
        roles = sorted(member["role"] for member in members)
        states = {member["state"] for member in members}
        lines = {member.get("timeline") for member in members}
        return roles == ["leader", "replica", "sync_standby"] and states <= {"running", "streaming"} and len(lines) == 1

    def has_redis(self) -> bool:
        """Whether two replicas of Redis follow the master, and every Sentinel knows the two others."""
        try:
            with redis_addresses.client(self.environment["REDIS_URL"], socket_timeout=5) as client:
                follows = [client.info("replication")[f"slave{number}"]["state"] == "online" for number in (0, 1)]
            for node in self.nodes.values():
                with redis.Redis(host=node.address, port=26379, password=self.shared["REDIS_PASSWORD"]) as sentinel:
                    watched = sentinel.sentinel_master("spai")
                    follows += [watched["num-other-sentinels"] == 2, watched["flags"] == "master"]
        except (redis.RedisError, KeyError, OSError):
            return False
        return all(follows)

    def has_rabbitmq(self) -> bool:
        """Whether all nodes of RabbitMQ see each other, and a majority of each queue is left without the first."""
        for node in self.nodes.values():
            said = node.asks_rabbitmq("rabbitmqctl", "cluster_status", "--formatter", "json")
            status = json.loads(said) if said else {"running_nodes": [], "partitions": {}}
            if len(status["running_nodes"]) < len(NODES) or status["partitions"]:
                return False
            # A node that still waits for others after a partition, which the status of the cluster does not say: the
            # next fault would make healing take minutes.
            if "not_healing" not in node.asks_rabbitmq("rabbitmqctl", "eval", "sys:get_state(rabbit_node_monitor)."):
                return False
        return bool(self.nodes[1].asks_rabbitmq("rabbitmq-queues", "check_if_node_is_quorum_critical"))

    def has_broker(self) -> bool:
        """Whether Redis, and RabbitMQ where it is the broker, is on all nodes."""
        return self.has_redis() and (self.broker == "redis" or self.has_rabbitmq())

    def _rabbitmq(self, host: str) -> str:
        password = self.shared["RABBITMQ_PASSWORD"]
        places = (f"amqp://spai:{password}@{self.shared[f'NODE_{number}']}:5672/{host}" for number in NODES)
        return ";".join(places)

    def another_broker(self) -> str:
        """Return an address of the same servers from which the workers of the nodes take nothing."""
        if self.broker == "redis":
            return self.environment["REDIS_URL"].replace("/spai/0", "/spai/1")
        for words in (["add_vhost", "another"], ["set_permissions", "-p", "another", "spai", ".*", ".*", ".*"]):
            assert self.nodes[1].asks_rabbitmq("rabbitmqctl", *words), words
        return self._rabbitmq("another")

    def serves(self) -> bool:
        """Whether every process of the site is ready."""
        probes = [f"{self.nodes[n].address}:{port}" for n in WITH_SITE for port in (8000, 8002)]
        return all(answer_of(f"http://{place}/readyz") for place in [*probes, self.site])

    def works(self) -> bool:
        """Whether both workers answer."""
        workers = [self.nodes[number].worker for number in WITH_SITE]
        broker = self.environment.get("CELERY_BROKER_URL", self.environment["REDIS_URL"])
        pings = health.WorkerPings(workers, broker)
        try:
            return all(pings.check_of(worker)() for worker in workers)
        except health.Unhealthy:
            health.bare_celery.cache_clear()
            return False

    def wait_until_well(self) -> None:
        """Wait until every part of every node works."""
        parts = {
            "PostgreSQL": self.has_databases,
            "broker": self.has_broker,
            "site": self.serves,
            "workers": self.works,
        }
        for name, is_well in parts.items():
            self._wait(name, is_well)

    def _wait(self, name: str, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + TIMEOUT
        while not inside(OUTSIDE, is_so):
            assert time.monotonic() < end, f"{name} is not well: {self.logs()}"
            time.sleep(0.5)

    def logs(self) -> str:
        """Return the end of each log."""
        files: Iterable[Path] = sorted(self.folder.glob("node-*/*.log"))
        return "\n".join(f"── {file}\n{file.read_text(errors='replace')[-1500:]}" for file in files)

    def remove(self) -> None:
        """End every process of the nodes, and remove the network."""
        signal_all(OUTSIDE, signal.SIGKILL)
        if self._front is not None:
            self._front.wait()
            self._front = None
        for node in self.nodes.values():
            node.kill()
            subprocess.run(["ip", "netns", "delete", node.name], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", OUTSIDE], capture_output=True, check=False)

    def down(self) -> None:
        """Remove everything."""
        self.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
