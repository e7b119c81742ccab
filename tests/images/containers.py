"""Containers without an engine: an image of buildah, run as Kubernetes would run it by a few programs of Linux.

A container has mounts and process numbers of its own, a read-only root, the user of its image, no capability and no way
to new ones. It shares the network of this machine, whose servers the tests use.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

BEGIN = r"""
set -eu
root=$1 user=$2 directory=$3; shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=0700,uid="${user%:*}",gid="${user#*:}" tmpfs "$root/var/lib/spai"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
cd "$root"
pivot_root . .
umount -l .
cd "$directory"
exec setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --no-new-privs \
  --bounding-set=-all --inh-caps=-all "$@"
"""


@dataclass
class Container:
    """A container that runs."""

    starter: subprocess.Popen[bytes]
    log: Path

    @property
    def first(self) -> psutil.Process:
        """The process that has number 1 in the container."""
        return psutil.Process(self.starter.pid).children()[0]

    def stop(self) -> int:
        """Send SIGTERM to the first process, and return its exit code."""
        self.first.terminate()
        return self.starter.wait(timeout=120)


def buildah(*words: str) -> str:
    """Return the output of a command of buildah."""
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@contextmanager
def mounted(image: str) -> Iterator[Path]:
    """Yield the root of a container's files."""
    name = buildah("from", "--pull-never", image)
    try:
        yield Path(buildah("mount", name))
    finally:
        buildah("rm", name)


@contextmanager
def running(image: str, root: Path, environment: dict[str, str], log: Path, *words: str) -> Iterator[Container]:
    """Start a container of an image whose files are at `root`; `words` replace its command."""
    config = json.loads(buildah("inspect", "--type", "image", image))["OCIv1"]["config"]
    given = dict(each.split("=", 1) for each in config["Env"]) | environment
    command = [
        *("unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "sh", "-c", BEGIN, "sh"),
        *(str(root), config["User"], config["WorkingDir"]),
        *("env", "-i", *(f"{name}={value}" for name, value in given.items())),
        *(words or [*config["Entrypoint"], *config["Cmd"]]),
    ]
    with log.open("wb") as output:
        starter = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})
    try:
        yield Container(starter, log)
    finally:
        starter.kill()
        starter.wait()
