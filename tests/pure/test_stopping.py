"""The first process of a container, without one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from spai.stack import stopping
from tests.subprocesses import child_process

PR_SET_CHILD_SUBREAPER = 36
# Says what it is told, and ends at SIGTERM with a code of its own.
COMMAND = """
import os, signal, sys, time
def end(*_):
    print("told to end, mark:", os.path.exists(sys.argv[1]), flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("runs", flush=True)
while True:
    signal.pause()
"""
# Ignores SIGTERM, as a worker does that finishes a long task.
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('runs', flush=True); signal.pause()"


@contextmanager
def stopped(
    mark, seconds: float, code: str, *, finish: float = stopping.FINISH_SECONDS
) -> Iterator[subprocess.Popen[str]]:
    begin = f"import sys; from spai.stack import stopping; stopping.FINISH_SECONDS = {finish}; "
    begin += "stopping.main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])"
    words = [sys.executable, "-c", begin, str(mark), str(seconds), sys.executable, "-c", code, str(mark)]
    with child_process(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        yield process


def test_it_passes_on_the_exit_code_of_its_command(tmp_path):
    command = [sys.executable, "-I", "-S", stopping.__file__, str(tmp_path / "mark"), "0"]
    assert subprocess.run([*command, sys.executable, "-c", "raise SystemExit(3)"], check=False).returncode == 3
    killed = "import os; os.kill(os.getpid(), 9)"
    assert subprocess.run([*command, sys.executable, "-c", killed], check=False).returncode == 128 + signal.SIGKILL


def test_it_marks_that_the_end_comes_before_its_command_is_told(tmp_path):
    with stopped(tmp_path / "mark", 0.2, COMMAND) as process:
        process.terminate()
        output, _ = process.communicate(timeout=60)
        assert output == "told to end, mark: True\n"
        assert process.returncode == 7


def test_a_command_that_the_signal_ends_has_ended_well(tmp_path):
    with stopped(tmp_path / "mark", 0, "import signal; print('runs', flush=True); signal.pause()") as process:
        process.terminate()
        assert process.wait(timeout=60) == 0


def test_a_second_signal_ends_the_wait(tmp_path):
    mark = tmp_path / "mark"
    with stopped(mark, 10_000, COMMAND) as process:
        process.terminate()
        while not mark.exists():
            time.sleep(0.01)
        assert process.poll() is None
        process.terminate()
        assert process.wait(timeout=60) == 7


def test_a_command_that_does_not_end_is_told_to_leave_its_work(tmp_path):
    with stopped(tmp_path / "mark", 0, STUBBORN, finish=0.2) as process:
        process.terminate()
        assert process.wait(timeout=60) == 128 + signal.SIGQUIT


# Waits until its grandchild, whose parent has ended, is no process any more, not even a zombie.
ABANDONS = """
import pathlib, subprocess, sys, time
code = "import os\\nchild = os.fork()\\nif child: print(child)"
orphan = int(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout)
while pathlib.Path(f"/proc/{orphan}").exists():
    time.sleep(0.01)
sys.exit(5)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux may a process other than number 1 adopt orphans")
def test_it_reaps_what_its_command_leaves_behind(tmp_path):
    adopt = f"import ctypes; ctypes.CDLL(None).prctl({PR_SET_CHILD_SUBREAPER}, 1, 0, 0, 0); "
    begin = adopt + "import sys; from spai.stack import stopping; stopping.main(sys.argv[1], 0, sys.argv[2:])"
    words = [sys.executable, "-c", begin, str(tmp_path / "mark"), sys.executable, "-c", ABANDONS]
    assert subprocess.run(words, check=False, timeout=60).returncode == 5
