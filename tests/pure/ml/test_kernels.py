"""Compiled kernels are those of the code as it is, in whichever file it changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apps.ml.forecasting import kernels
from apps.ml.forecasting.features.ratings import elo

ROOT = Path(__file__).resolve().parents[3]

INNER = """
from apps.ml.forecasting.kernels import njit

@njit(cache=True)
def inner(x):
    return {factor} * x
"""

OUTER = """
from apps.ml.forecasting.inner import inner
from apps.ml.forecasting.kernels import njit

@njit(cache=True)
def outer(x):
    return inner(x) + 10

print(outer(1), outer.stats.cache_hits[next(iter(outer.signatures))] if outer.stats.cache_hits else 0)
"""


@pytest.fixture
def package(tmp_path) -> Path:
    """A package of the same name, in which one kernel calls one of another file."""
    folder = tmp_path / "apps" / "ml" / "forecasting"
    folder.mkdir(parents=True)
    for place in (tmp_path / "apps", folder.parent, folder):
        (place / "__init__.py").touch()
    shutil.copy(ROOT / "apps" / "ml" / "forecasting" / "kernels.py", folder)
    (folder / "outer.py").write_text(OUTER)
    return folder


def result_of(package: Path, **environment: str) -> str:
    """Return what the outer kernel gives in a new process, and whether it came from the cache."""
    command = [sys.executable, "-m", "apps.ml.forecasting.outer"]
    done = subprocess.run(command, cwd=package.parents[2], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_change_in_the_file_of_a_called_kernel_reaches_the_caller(package):
    (package / "inner.py").write_text(INNER.format(factor=10))
    assert result_of(package) == "20 0"
    assert result_of(package) == "20 1", "compiled once"
    (package / "inner.py").write_text(INNER.format(factor=1000))
    assert result_of(package) == "1010 0"
    assert result_of(package) == "1010 1"


def test_a_folder_that_the_operator_names_is_used(package, tmp_path):
    (package / "inner.py").write_text(INNER.format(factor=10))
    assert result_of(package, NUMBA_CACHE_DIR=str(tmp_path / "kept")) == "20 0"
    assert result_of(package, NUMBA_CACHE_DIR=str(tmp_path / "kept")) == "20 1"
    assert list((tmp_path / "kept").rglob("*.nbi"))


def test_a_cache_that_names_a_class_that_is_gone_is_compiled_again(package):
    for name in ("Constants", "InnerConstants"):
        typed = f"from typing import NamedTuple\n\nclass {name}(NamedTuple):\n    factor: int\n"
        (package / "inner.py").write_text(typed + INNER.format(factor=10).replace("* x", "* x.factor"))
        (package / "outer.py").write_text(
            OUTER.replace("import inner", f"import {name}, inner").replace("outer(1)", f"outer({name}(1))")
        )
        assert result_of(package) == "20 0"
    assert result_of(package) == "20 1"


def test_the_kernels_of_the_features_look_at_the_whole_package():
    locator = elo._fold._cache._impl.locator
    assert isinstance(locator, kernels.PycacheLocator | kernels.ConfiguredFolderLocator | kernels.UserFolderLocator)
    assert locator.get_source_stamp() == kernels.stamp()
