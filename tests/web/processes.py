"""Processes of the site on the test database, for the tests that need more than one."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from django.contrib.auth.hashers import make_password

from apps.ml.pipeline import warm_up
from spai.stack.processes import ADMIN_THREADS, SANDBOX_THREADS, granian_command, uvicorn_command
from tests.database import database_url

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 300.0
"""Seconds after which a process that does not answer, or does not end, counts as stuck."""


def environment_of(role: str, **more: str) -> dict[str, str]:
    """Return the environment of a process with this role."""
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "SPAI_ROLE": role,
        "DJANGO_SETTINGS_MODULE": "spai.settings",
        **more,
    }


def strong_hash(password: str) -> str:
    """Hash a password as these processes do; the quick hash of the tests is not configured there."""
    return make_password(password, hasher="pbkdf2_sha256")


def start(command: list[str], port: int, log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a server with this environment and wait until it is ready."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    end, reason = time.monotonic() + TIMEOUT, ""
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=TIMEOUT) as answer:
                if answer.status == 200:
                    return process
        except HTTPError as error:
            reason = error.read().decode()
        except OSError:
            pass
        time.sleep(0.1)
    stop(process)
    raise RuntimeError(f"{' '.join(command)} did not start: {reason}\n{log.read_text(errors='replace')[-3000:]}")


def start_push(port: int, log: Path, *, origin: str, **more: str) -> subprocess.Popen[bytes]:
    """Start a push process that accepts the pages of one origin, with the command of the stack."""
    return start(uvicorn_command(port), port, log, environment_of("push", SPAI_WEB_URL=origin, **more))


def start_web(port: int, log: Path, **more: str) -> subprocess.Popen[bytes]:
    """Compile the kernels, then start a web process with the command of the stack."""
    # The process that started a worker has compiled them.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        warm_up.run()
    return start(granian_command(port, "spai.front:application"), port, log, environment_of("web", **more))


def start_sandbox(port: int, log: Path, **more: str) -> subprocess.Popen[bytes]:
    """Start the web site of the simulated world with the command of the stack."""
    threads = {"SPAI_THREADS": str(SANDBOX_THREADS)}
    command = granian_command(port, "spai.sandbox:application")
    return start(command, port, log, environment_of("admin", **threads, **more))


def start_admin(port: int, log: Path, **more: str) -> subprocess.Popen[bytes]:
    """Start an admin process, with the command of the stack."""
    command = granian_command(port, "spai.front:application")
    return start(command, port, log, environment_of("admin", SPAI_THREADS=str(ADMIN_THREADS), **more))


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server."""
    process.terminate()
    try:
        process.wait(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
