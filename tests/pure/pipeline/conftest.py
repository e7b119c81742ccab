"""The files that every stage makes of a small football world."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from apps.ml.pipeline import calibrate, evaluate, explain, featurize, preprocess, report, split, train
from tests.pure.pipeline.small_world import matches, write_export

STAGES = (preprocess, featurize, split, train, calibrate, evaluate, explain, report)
"""What runs between the two ends that know the database."""


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    return matches()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame) -> Path:
    """A workspace in which every stage between the two gates of the database has run; tests do not write into it."""
    root = write_export(tmp_path_factory.mktemp("built"), frame)
    for stage in STAGES:
        stage.main(root)
    return root


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """A copy of `built` that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "copy"))
