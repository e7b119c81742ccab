"""The report of Evidently on drift, as one HTML file; run in its own process by `services.drift`.

It shows the distributions. What counts as drift is decided in `forecasting.drift`: each column gets the statistic and
the threshold that were found there.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

# Read at the import of Evidently, which would send usage statistics otherwise.
os.environ["DO_NOT_TRACK"] = "1"

from apps.ml.pipeline import files


def main(root: Path) -> None:
    """Write `page.html` from `reference.parquet`, `current.parquet` and `verdicts.json` in a folder."""
    with warnings.catch_warnings():
        # Its imports warn of its own old habits.
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.legacy.calculations.stattests import StatTest, register_stattest
        from evidently.legacy.core import ColumnType
        from evidently.presets import DataDriftPreset

        verdicts = files.read_json(root / "verdicts.json")
        methods = {}
        for name, (statistic, threshold) in verdicts.items():
            method = StatTest(f"spai: {name}", "distance, as SPAI measures it", [ColumnType.Numerical], threshold)
            register_stattest(method, lambda *_, found=statistic, limit=threshold: (found, found > limit))
            methods[name] = method
        definition = DataDefinition(numerical_columns=list(verdicts))
        frames = [
            Dataset.from_pandas(files.read_frame(root / f"{name}.parquet"), data_definition=definition)
            for name in ("current", "reference")
        ]
        thresholds = {name: threshold for name, (_, threshold) in verdicts.items()}
        preset = DataDriftPreset(columns=list(verdicts), per_column_method=methods, per_column_threshold=thresholds)
        Report([preset]).run(*frames).save_html(str(root / "page.html"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
