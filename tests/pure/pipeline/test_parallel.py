"""Tasks in processes and on a cluster: the same results in the same order, and no process that stays behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from joblib import cpu_count

from apps.ml.pipeline import files, finished_steps, parallel, train
from tests.pure.pipeline.some_tasks import refuse, square, threads, total

TASKS = [(number, 0.02 * (5 - number % 5)) for number in range(12)]
"""Later ones of five end earlier."""


def address_of_a_cluster() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[str]:
    """A Dask scheduler with two workers: processes of their own, as they run on other machines."""
    address = address_of_a_cluster()
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "PYTHONWARNINGS": "ignore"}
    python = [sys.executable, "-m"]
    commands = [[*python, "distributed.cli.dask_scheduler", "--port", address.rpartition(":")[2]]]
    commands += [[*python, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]] * 2
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    log = (tmp_path_factory.mktemp("cluster") / "log").open("w+")
    started = [subprocess.Popen([*command, *here], env=environment, stdout=log, stderr=log) for command in commands]
    yield address
    for process in started:
        process.kill()
        process.wait()
    log.seek(0)
    print(log.read())  # noqa: T201  shown where a test failed
    log.close()


@pytest.fixture(params=["in this process", "in two processes", "on a cluster"])
def at_once(request, monkeypatch) -> int:
    """Number of processes, in each of the three places where tasks may run."""
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    if request.param == "on a cluster":
        monkeypatch.setenv(parallel.SCHEDULER, request.getfixturevalue("cluster"))
    return 1 if request.param == "in this process" else 2


def test_results_come_in_the_order_of_the_tasks(at_once):
    found = list(parallel.results(square, TASKS, at_once=at_once))
    assert [value for value, _ in found] == [number**2 for number, _ in TASKS]
    assert len({process for _, process in found}) == at_once
    assert (os.getpid() in {process for _, process in found}) == (at_once == 1)


def test_a_large_array_is_read_from_its_file(at_once, tmp_path):
    rows = np.random.default_rng(1).normal(size=(50_000, 8))
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    found = list(parallel.results(total, [(mapped, power) for power in (1, 2, 3)], at_once=at_once))
    assert found == [float((rows**power).sum()) for power in (1, 2, 3)]


def test_each_task_has_one_thread(at_once):
    (found,) = parallel.results(threads, [()], at_once=at_once)
    assert {"libgomp", "libscipy_openblas"} <= set(found)
    assert set(found.values()) == {1}


def test_the_error_of_a_task_is_that_of_the_stage(at_once):
    with pytest.raises(ValueError, match="task 3 is refused"):
        list(parallel.results(refuse, [(3,)], at_once=at_once))


def test_a_training_in_other_processes_ends_in_equal_bytes(built, copy, at_once, monkeypatch, capsys):
    monkeypatch.setenv(parallel.PROCESSES, str(at_once))
    shutil.rmtree(copy / files.TRAINED)
    (copy / files.OUT_OF_SAMPLE).unlink()
    train.main(copy)
    for path in (files.TRAINED, files.OUT_OF_SAMPLE):
        places = sorted((built / path).rglob("*")) if (built / path).is_dir() else [built / path]
        for place in filter(Path.is_file, places):
            assert (copy / place.relative_to(built)).read_bytes() == place.read_bytes(), place
    steps = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    assert [line.split(":")[0] for line in steps] == [f"step {n + 1} of {len(steps)}" for n in range(len(steps))]
    assert len(steps) > 1
    assert not any((copy / finished_steps.FOLDER).iterdir()), "the matrices of the stage are gone"


def test_no_process_is_left_when_tasks_are_done_or_given_up():
    before = children()
    assert len(list(parallel.results(square, TASKS, at_once=2))) == len(TASKS)
    assert children() == before
    found = parallel.results(square, [(number, 60.0) if number else (0, 0.0) for number in range(4)], at_once=2)
    assert next(found)[0] == 0
    found.close()
    assert children() == before


def test_processes_end_with_the_one_that_started_them():
    code = (
        "from apps.ml.pipeline import parallel\n"
        "from tests.pure.pipeline.some_tasks import square\n"
        "for found in parallel.results(square, [(1, 0.0), (2, 0.0), (3, 300.0), (4, 300.0)], at_once=2):\n"
        "    print(found[1], flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    stage = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert stage.stdout is not None
    workers = [psutil.Process(int(stage.stdout.readline())) for _ in range(2)]
    stage.send_signal(signal.SIGKILL)
    stage.wait()
    stage.stdout.close()
    gone, alive = psutil.wait_procs(workers, timeout=60)
    assert (len(gone), alive) == (len(set(workers)), [])


def test_the_number_of_processes_is_the_one_that_is_set_or_follows_the_processors_for_long_tasks(monkeypatch):
    monkeypatch.delenv(parallel.PROCESSES, raising=False)
    assert parallel.processes(parallel.LEAST_ROWS - 1) == 1
    assert parallel.processes(parallel.LEAST_ROWS) == cpu_count()
    monkeypatch.setenv(parallel.PROCESSES, "3")
    assert parallel.processes(10) == 3


def children() -> set[str]:
    """Return the processes that run tasks for this one."""
    mine = psutil.Process().children(recursive=True)
    return {str(process) for process in mine if "LokyProcess" in " ".join(process.cmdline())}
