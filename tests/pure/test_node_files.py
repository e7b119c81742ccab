"""The files of `spai/server/nodes/`, filled in with the values of `node.env`; tests/ha runs them."""

from __future__ import annotations

import os
import shlex
import signal
import string
import subprocess
import sys
from pathlib import Path

import pytest

from spai.stack.environment import read_env_file

FILES = Path(__file__).resolve().parents[2] / "spai" / "server" / "nodes"


def filled_in(name: str) -> str:
    """Return a file as `envsubst` makes it; each variable in it has a value."""
    return string.Template((FILES / name).read_text(encoding="utf-8")).substitute(read_env_file(FILES / "node.env"))


def test_each_file_takes_its_values_from_node_env():
    for path in FILES.iterdir():
        if path.name != "node.env":
            assert "$" not in filled_in(path.name), path.name


def test_people_reach_the_site_over_tls():
    """HAProxy reads its file in words, as a shell does: an address in quotes with `ssl` in it would be plain HTTP."""
    frontend = filled_in("haproxy.cfg").partition("\nfrontend site\n")[2]
    (bind,) = (words for line in frontend.splitlines() if (words := shlex.split(line, comments=True))[:1] == ["bind"])
    assert bind == ["bind", ":443", "ssl", "crt", "/etc/haproxy/site.pem"]


# Programs in the place of those that `rabbitmq-watch.sh` calls; the answers of RabbitMQ are lines of a file.
PROGRAMS = {
    "sleep": '[ -s "$ANSWERS" ]',
    "timeout": 'shift && exec "$@"',
    "rabbitmqctl": 'head -n 1 "$ANSWERS" && sed 1d "$ANSWERS" > "$ANSWERS.rest" && mv "$ANSWERS.rest" "$ANSWERS"',
}
WELL, PARTITIONED, SILENT = "[]", "['rabbit@10.0.0.2']", ""


@pytest.mark.parametrize(
    ("answers", "ended"),
    [
        ([WELL] * 20, 0),
        ([PARTITIONED] * 7 + [WELL], 0),
        (([PARTITIONED] * 7 + [WELL]) * 3, 0),
        ([PARTITIONED] * 8, 1),
        ([SILENT] * 4 + [PARTITIONED] * 4, 1),
        ([SILENT] * 16, 2),
    ],
)
def test_rabbitmq_is_ended_when_it_was_unwell_eight_times_in_a_row(tmp_path, answers, ended):
    for name, text in PROGRAMS.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o700)
    (tmp_path / "answers").write_text("".join(f"{answer}\n" for answer in answers))
    server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (tmp_path / "pid").write_text(str(server.pid))
    try:
        watch = subprocess.run(
            ["sh", str(FILES.parent / "rabbitmq-watch.sh"), str(tmp_path / "pid")],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "ANSWERS": str(tmp_path / "answers")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert watch.stdout.count("RabbitMQ is ended") == ended
        # The signal was sent before the script ended.
        status = server.wait(60) if ended else server.poll()
        assert status == (-signal.SIGKILL if ended else None)
    finally:
        server.kill()
        server.wait(60)
