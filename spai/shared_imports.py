"""Granian for the process `web`: `python -m spai.shared_imports OPTIONS` is `granian OPTIONS`.

The libraries of forecasts are imported before Granian starts its workers, which then share their memory: 100 MB for
each worker. Nothing of the site is imported here, because that opens connections and starts threads.
"""

from __future__ import annotations

import gc
import multiprocessing
from importlib import import_module
from typing import Final

from granian.cli import entrypoint

LIBRARIES: Final = ("apps.ml.pipeline.warm_up", "pandas", "pyarrow.parquet", "xgboost")
"""What `apps.ml.serving.loading.prepare` imports, without Django."""


def main() -> None:
    """Import the libraries where workers are forks of this process, then become Granian."""
    if multiprocessing.get_start_method() == "fork":
        for name in LIBRARIES:
            import_module(name)
        gc.collect()
        gc.freeze()
    entrypoint()


if __name__ == "__main__":
    main()
