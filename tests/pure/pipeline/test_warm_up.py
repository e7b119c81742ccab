"""What is called in the warm-up is all that is compiled later."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.ml.forecasting.kernels import cache_folder
from apps.ml.pipeline import warm_up
from tests.pure.pipeline.small_world import matches, write_export

ROOT = Path(__file__).resolve().parents[3]

# Kernels are compiled or loaded for each signature: one that comes later was not called in the warm-up.
COMPILED_LATER = """
import json, sys
from pathlib import Path

from numba.core.dispatcher import Dispatcher

from apps.ml.forecasting import estimators, features, season
from apps.ml.pipeline import warm_up


def kernels():
    modules = [module for name, module in sys.modules.items() if name.startswith("apps.ml.forecasting.")]
    found = [each for module in modules for each in vars(module).values() if isinstance(each, Dispatcher)]
    return {f"{each.py_func.__module__}.{each.__name__}": len(each.signatures) for each in found}


def entries():
    # A kernel that only others call has no signature of its own where it was loaded from the cache.
    return {name: count for name, count in kernels().items() if count}


warm_up.run()
before, known = entries(), set(kernels())
from tests.pure.pipeline.conftest import STAGES

for stage in STAGES:
    stage.main(Path(sys.argv[1]))
later = {name: count for name, count in entries().items() if count != before.get(name)}
print(json.dumps([sorted(later), sorted(set(kernels()) - known), len(before)]))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)  # on a new checkout it is the first to have the kernels compiled
def test_no_stage_compiles_a_kernel_that_the_warm_up_has_not_called(tmp_path):
    warm_up.run()
    root = write_export(tmp_path, matches())
    command = [sys.executable, "-c", COMPILED_LATER, str(root)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    later, unknown, called = json.loads(done.stdout.splitlines()[-1])
    assert (later, unknown) == ([], [])
    assert called > 10


def test_a_second_process_waits_for_the_one_that_compiles():
    folder = os.open(cache_folder(), os.O_RDONLY)
    try:
        with warm_up.one_at_a_time(), pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(folder)
