"""The images, built once; a network of this run alone with servers in it, and a database that `prepare` has filled."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from spai.stack import temporary
from tests.images.containers import buildah, mounted, running

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/spai-base:bookworm"
"""The base that is made here; SPAI_BASE_IMAGE names another one, such as python:3.11-slim-bookworm."""
DEBIAN = "bookworm"
TRUSTED = "/etc/ssl/certs"
"""Certificates of this machine, which builds trust: its network may have a proxy of its own."""
NEW_NETWORK = 0x4000_0000
"""CLONE_NEWNET of Linux."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder where an image cannot be built, and say why."""
    missing = [
        program for program in ("buildah", "debootstrap", "unshare", "setpriv", "ip") if not shutil.which(program)
    ]
    if sys.platform != "linux" or os.geteuid() != 0:
        reason = "images are built and run as root on Linux"
    elif missing:
        reason = f"apt-get install buildah debootstrap iproute2: {', '.join(missing)} missing"
    else:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


def mirror() -> str:
    """Return the address from which apt gets the packages of this machine."""
    lines = subprocess.check_output(
        ["apt-get", "indextargets", "--format", "$(SITE)|$(RELEASE)|$(CREATED_BY)"], text=True
    )
    return next(line.split("|")[0] for line in lines.splitlines() if line.endswith(f"|{DEBIAN}|Packages"))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base of all images; a Debian with its Python, unless the operator names one."""
    if named := os.environ.get("SPAI_BASE_IMAGE"):
        return named
    if not buildah("images", "--quiet", "--filter", f"reference={BASE}"):
        folder = tmp_path_factory.mktemp("base")
        packages = "--include=ca-certificates,python3,python3-venv"
        subprocess.run(["debootstrap", "--variant=minbase", packages, DEBIAN, str(folder), mirror()], check=True)
        name = buildah("from", "scratch")
        buildah("add", "--quiet", name, str(folder), "/")
        buildah("commit", "--quiet", "--rm", name, BASE)
    return BASE


@pytest.fixture(scope="session")
def images(base: str) -> dict[str, str]:
    """The names of the four images, built from this checkout."""
    names = {}
    for target in ("spai-web", "spai-worker", "spai-scraper", "spai-pipeline"):
        names[target], began = f"localhost/{target}:test", time.monotonic()
        options = [
            "--isolation",
            "chroot",
            "--layers",
            "--volume",
            f"{TRUSTED}:{TRUSTED}:ro",
            "--build-arg",
            f"BASE={base}",
        ]
        buildah("bud", *options, "--build-arg", "REVISION=test", "--target", target, "--tag", names[target], str(ROOT))
        size = buildah("images", "--format", "{{.Size}}", names[target])
        print(f"{target}: {size}, {time.monotonic() - began:.0f} s")  # noqa: T201  `pytest -s` shows it
    return names


@pytest.fixture(scope="session")
def roots(images: dict[str, str]) -> Iterator[dict[str, Path]]:
    """The files of a container of each image."""
    with ExitStack() as mounts:
        yield {image: mounts.enter_context(mounted(image)) for image in images.values()}


@pytest.fixture(scope="session")
def site(
    images: dict[str, str], roots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of a site whose database is prepared, in a network of its own: its ports are free there."""
    linux = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/self/ns/net").open() as before, temporary.TemporaryServers("spai-images-") as servers:
        assert linux.unshare(NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            address = servers.start_postgres({"fsync": "off", "max_connections": "100"})
            with psycopg.connect(address, autocommit=True) as session:
                session.execute("CREATE DATABASE spai")
                session.execute("CREATE DATABASE spai_mlflow")
            environment = {
                "SECRET_KEY": "k" * 50,
                "DATABASE_URL": urlunsplit(urlsplit(address)._replace(path="/spai")),
                "REDIS_URL": servers.start_redis(),
                "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
                "MLFLOW_TRACKING_USERNAME": "spai",
                "MLFLOW_TRACKING_PASSWORD": "a password of MLflow",
                "SPAI_DRAIN_SECONDS": "3",
            }
            log, image = tmp_path_factory.mktemp("prepare") / "log", images["spai-web"]
            words = ("python", "-m", "spai.stack.container", "prepare")
            with running(image, roots[image], environment, log, *words) as container:
                assert container.starter.wait(timeout=600) == 0, log.read_text()
            yield environment
        finally:
            servers.stop()
            assert linux.setns(before.fileno(), NEW_NETWORK) == 0
