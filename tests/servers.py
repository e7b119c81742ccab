"""A PostgreSQL and a Redis of this test run alone; with workers (`-n`), each worker has servers of its own.

A plugin that pyproject.toml names (`-p tests.servers`): the addresses must be in the environment before settings load,
which pytest-django does before any conftest. Runs of tests/pure alone start nothing.
"""

from __future__ import annotations

import atexit
import gc
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from spai.stack import temporary
from spai.stack.servers import ServerError

NOWHERE = {"DATABASE_URL": "postgresql://nobody:none@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
UNLIMITED = {"SPAI_LIMIT_ANONYMOUS": "0", "SPAI_LIMIT_KEY": "0"}
"""All tests call the API from one address, more often than a client may."""
INSIDE = {"SPAI_SOURCE_HOSTS": "127.0.0.1,localhost,::1"}
"""The sites of the tests are on loopback."""
# Tests do not need durability: a power failure may destroy everything.
POSTGRES_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "autovacuum": "off",
    "max_wal_size": "2GB",
}


def only_pure(paths: list[str]) -> bool:
    """Whether the command line names only tests that need no server."""
    pure = Path(__file__).resolve().parent / "pure"
    return bool(paths) and all(Path(path.split("::")[0]).resolve().is_relative_to(pure) for path in paths)


def is_coordinator(options: object) -> bool:
    """Whether this process distributes its tests to workers and runs none itself."""
    return bool(getattr(options, "numprocesses", None)) and "PYTEST_XDIST_WORKER" not in os.environ


def compile_kernels(config: pytest.Config) -> None:
    """Compile the kernels beside the collection of tests, lest each worker does: it is a minute of work."""
    compiler = subprocess.Popen([sys.executable, "-m", "apps.ml.pipeline.warm_up"], stdout=subprocess.DEVNULL)
    config.add_cleanup(compiler.wait)
    config.add_cleanup(compiler.terminate)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Wait until the kernels are compiled; leave what was imported out of every collection of garbage."""
    gc.freeze()
    if "PYTEST_XDIST_WORKER" in os.environ:
        with import_module("apps.ml.pipeline.warm_up").one_at_a_time():
            pass


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Remove the variables of every stack, then start servers, unless no test of this process needs one."""
    running = temporary.TemporaryServers("spai-tests-")
    early_config.add_cleanup(running.stop)
    # Imports and parsed files are no cycles of garbage: by default a quarter of their time goes to the search for them.
    gc.set_threshold(50_000, 20, 20)
    # For a process that ends without calling its last hooks.
    atexit.register(running.stop)
    temporary.isolate(running.folder)
    os.environ.update(NOWHERE | UNLIMITED | INSIDE)
    # Workers and the processes that tests start import the same modules: each is compiled once, not in every process.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    options = early_config.known_args_namespace
    if is_coordinator(options) and not options.collectonly:
        compile_kernels(early_config)
    if only_pure(options.file_or_dir) or options.help or options.version or is_coordinator(options):
        return
    try:
        os.environ["DATABASE_URL"] = running.start_postgres(POSTGRES_SETTINGS)
        os.environ["REDIS_URL"] = running.start_redis()
    except ServerError as error:
        raise pytest.UsageError(f"The servers of the tests did not start. {error}") from error
