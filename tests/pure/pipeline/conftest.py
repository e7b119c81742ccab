"""The files that every stage makes of a small football world."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.pure.pipeline.small_world import every_stage, matches
from tests.shared import made_once

# Kernels are compiled or loaded for each signature: one that comes later was not called in the warm-up.
ANOTHER_PROCESS = """
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
from tests.pure.pipeline.small_world import every_stage

root = Path(sys.argv[1])
every_stage(root / "workspace")
later = {name: count for name, count in entries().items() if count != before.get(name)}
found = {"later": sorted(later), "unknown": sorted(set(kernels()) - known), "called": len(before)}
(root / "kernels.json").write_text(json.dumps(found))
"""


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    return matches()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which every stage between the two gates of the database has run; tests do not write into it."""
    return made_once("built", tmp_path_factory, every_stage)


@pytest.fixture(scope="session")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a process with another seed of hashes makes of the same inputs, and the kernels that it compiled."""

    def make(root: Path) -> None:
        environment = os.environ | {"PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-W", "ignore", "-c", ANOTHER_PROCESS, str(root)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return made_once("again", tmp_path_factory, make)


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """A copy of `built` that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "copy"))
