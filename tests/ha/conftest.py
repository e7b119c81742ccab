"""Three nodes for the tests of this folder, and what was seen while one of them was away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ha.cluster import NETWORK, NODES, RABBITMQ, ROOT, TIMEOUT, Cluster, Node

PROGRAMS = ("ip", "patroni", "etcd", "haproxy", "keepalived", "redis-server", "redis-sentinel")
PACKAGES = "patroni etcd-server postgresql-15 haproxy keepalived redis-server redis-sentinel iproute2"
BEFORE = 5.0
"""Seconds of use before a fault, and after the node is back."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests of this folder where there can be no nodes, and say why."""
    if sys.platform != "linux" or os.geteuid() != 0:
        reason = "network namespaces are made as root on Linux"
    elif missing := [program for program in PROGRAMS if not shutil.which(program)]:
        reason = f"apt-get install {PACKAGES}: {', '.join(missing)} missing"
    elif config.getoption("--broker") == "rabbitmq" and not RABBITMQ.exists():
        reason = f"apt-get install rabbitmq-server: {RABBITMQ} missing"
    else:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


class Fault(NamedTuple):
    """What happens to a node, and how it ends."""

    begin: Callable[[Node], None]
    end: Callable[[Node], None]


FAULTS = {
    "killed": Fault(Node.kill, Node.start),
    "frozen": Fault(Node.freeze, Node.thaw),
    "cut off": Fault(Node.cut, Node.mend),
}


@dataclass(frozen=True)
class Seen:
    """What `tests.ha.load` saw of the site while a node was away, and when the fault began and ended."""

    began: float
    ended: float
    found: dict[str, Any]

    def acknowledged(self, *kinds: str) -> list[str]:
        """Return the rows of which the site said that it has them."""
        return [row for kind in kinds for row in self.found["acknowledged"][kind]]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three nodes that work."""
    folder = Path(tempfile.mkdtemp(prefix="spaiha-", dir="/var/tmp"))
    running = Cluster(folder, request.config.getoption("--broker"))
    try:
        running.up()
        yield running
    finally:
        running.down()


@contextmanager
def load(cluster: Cluster, file: Path) -> Iterator[None]:
    """Use the site; at the end wait for what was acknowledged, and leave what was found in a file."""
    words = [sys.executable, "-m", "tests.ha.load", cluster.site, f"{NETWORK}.1", str(file)]
    command, environment = cluster.command_outside(words, DJANGO_SETTINGS_MODULE="spai.settings", LOG_LEVEL="ERROR")
    with (
        file.with_suffix(".log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as users,
    ):
        try:
            assert users.stdout is not None
            assert users.stdout.readline() == "working\n", file.with_suffix(".log").read_text()
            yield
            users.send_signal(signal.SIGTERM)
            assert users.wait(2 * TIMEOUT) == 0, file.with_suffix(".log").read_text()
        finally:
            users.kill()


@pytest.fixture(scope="session")
def seconds(request: pytest.FixtureRequest) -> float:
    """How long a node is away."""
    return float(request.config.getoption("--away"))


@pytest.fixture(scope="session")
def rounds() -> dict[tuple[str, int], Seen]:
    """What was seen in each round, which is made once for all tests that look at it."""
    return {}


@pytest.fixture(params=[(fault, node) for fault in FAULTS for node in NODES], ids=lambda each: f"{each[0]}-{each[1]}")
def seen(request, cluster, seconds, rounds, tmp_path) -> Seen:
    """What was seen while a node was away."""
    if request.param not in rounds:
        rounds[request.param] = _round(cluster, *request.param, seconds, tmp_path / "found.json")
    return rounds[request.param]


def _round(cluster: Cluster, fault: str, number: int, seconds: float, file: Path) -> Seen:
    node = cluster.nodes[number]
    with load(cluster, file):
        time.sleep(BEFORE)
        began = time.monotonic()
        FAULTS[fault].begin(node)
        try:
            time.sleep(seconds)
        finally:
            ended = time.monotonic()
            FAULTS[fault].end(node)
        cluster.wait_until_well()
        time.sleep(BEFORE)
    return Seen(began, ended, json.loads(file.read_text()))
