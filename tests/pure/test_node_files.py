"""The files of `spai/server/nodes/`, filled in with the values of `node.env`; tests/ha runs them."""

from __future__ import annotations

import shlex
import string
from pathlib import Path

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
