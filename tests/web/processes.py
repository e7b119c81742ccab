"""Processes of the site on the test database, for the tests that need more than one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

from django.db import connection

from apps.ml.pipeline import warm_up
from spai.stack.parts import SANDBOX_THREADS

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


def database_url() -> str:
    """The address of the test database, for another process."""
    at = connection.settings_dict
    return f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


def environment_of(face: str, **more: str) -> dict[str, str]:
    """The environment of one face of the site."""
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "SPAI_FACE": face,
        "DJANGO_SETTINGS_MODULE": "spai.settings",
        **more,
    }


def start(command: list[str], port: int, log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a server of this environment and wait until it is ready."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return process
        except OSError:
            time.sleep(0.1)
    stop(process)
    raise RuntimeError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-3000:]}")


def start_push(port: int, log: Path, *, origin: str, **more: str) -> subprocess.Popen[bytes]:
    """Start a push process that takes the pages of one site."""
    command = ["uvicorn", "--port", str(port), "--log-level", "warning", "spai.asgi:application"]
    return start(command, port, log, environment_of("push", SPAI_WEB_URL=origin, **more))


def start_web(port: int, log: Path, **more: str) -> subprocess.Popen[bytes]:
    """Start a web process, as the stack does: where kernels are compiled already."""
    warm_up.run()
    command = ["granian", "--interface", "wsgi", "--blocking-threads", "1", "--no-ws", "--port", str(port)]
    return start([*command, "spai.wsgi:application"], port, log, environment_of("web", **more))


def start_sandbox(port: int, log: Path, **more: str) -> subprocess.Popen[bytes]:
    """Start the process of the simulated world's site, with the command of the stack."""
    command = ["granian", "--interface", "wsgi", "--blocking-threads", str(SANDBOX_THREADS), "--no-ws"]
    command += ["--port", str(port), "spai.sandbox:application"]
    return start(command, port, log, environment_of("office", **more))


def start_office(port: int, log: Path, **more: str) -> subprocess.Popen[bytes]:
    """Start an office process, as the stack does."""
    command = ["granian", "--interface", "wsgi", "--blocking-threads", "4", "--no-ws", "--port", str(port)]
    return start([*command, "spai.wsgi:application"], port, log, environment_of("office", **more))


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
