"""What is called in the warm-up is all that is compiled later."""

from __future__ import annotations

import fcntl
import json
import os

import pytest

from apps.ml.forecasting.kernels import cache_folder
from apps.ml.pipeline import warm_up


def test_no_stage_compiles_a_kernel_that_the_warm_up_has_not_called(again):
    found = json.loads((again / "kernels.json").read_text())
    assert (found["later"], found["unknown"]) == ([], [])
    assert found["called"] > 10


def test_a_second_process_waits_for_the_one_that_compiles():
    folder = os.open(cache_folder(), os.O_RDONLY)
    try:
        with warm_up.one_at_a_time(), pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(folder)
