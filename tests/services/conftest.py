"""Servers that `make up` does not have, each on a port of its own and stopped at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spai.stack.ports import free_port

TIMEOUT = 90.0


@contextlib.contextmanager
def started(
    command: list[str], answers: Callable[[], bool], log: Path, **environment: str
) -> Iterator[subprocess.Popen]:
    """Run a server, which is killed with its children at the end; wait until it answers."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        end = time.monotonic() + TIMEOUT
        while not answers():
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def installed(*names: str) -> str:
    """Return the path of the first of these programs; skip the test where there is none."""
    for name in names:
        if path := shutil.which(name):
            return path
    return pytest.skip(f"{names[0]} is not installed")


@pytest.fixture(scope="session")
def bucket(tmp_path_factory) -> Iterator[tuple[str, dict[str, str]]]:
    """The name of a bucket in an object storage, and the variables that lead to it."""
    import boto3

    port = free_port()
    keys = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    address = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in keys.items():
            patch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=address)

        def answers() -> bool:
            with contextlib.suppress(Exception):
                client.create_bucket(Bucket="spai")
                return True
            return False

        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
        with started(command, answers, tmp_path_factory.mktemp("moto") / "log"):
            yield "spai", {"SPAI_S3_ENDPOINT": address, **keys}
