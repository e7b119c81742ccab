"""MLflow wrapper of a bundle: takes rows of features, returns probabilities and expected goals.

MLflow copies this file into the model and runs it there (models from code), so that nothing is pickled and
``mlflow models serve`` works on every registered version. The code of the estimators is stored with the model; the
golden rows of the bundle detect when a different copy of that code is imported instead.

The input is one named tensor and not a column for each feature, because MLflow checks columns one by one, which takes
half a second for a thousand of them. The names of the features, in the order of the tensor, are in the metadata of the
model under `INPUT`. A frame with a column for each feature is refused by the signature, in whatever order they are.
"""

from __future__ import annotations

import json
import platform
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from apps.ml.forecasting import estimators

INPUT: Final = "features"
"""Name of the tensor, shape (rows, features); NaN where a feature is missing."""

OUTPUTS: Final = ("p_home", "p_draw", "p_away", "home_expected_goals", "away_expected_goals")


class Forecaster(PythonModel):
    """Forecasts matches from their features, one row each."""

    def load_context(self, context: Any) -> None:
        """Unpack the bundle and check that it gives the same golden forecasts as where it was made."""
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(context.artifacts["bundle"]) as archive:
                archive.extractall(folder)
            self.estimator = estimators.load(Path(folder) / "model")
            golden = json.loads((Path(folder) / "golden.json").read_text(encoding="utf-8"))
        values = np.array(golden["features"], dtype=np.float64).reshape(-1, len(self.estimator.names))
        expected = np.array(golden["p"], dtype=np.float64).reshape(-1, 3)
        difference = float(np.abs(self.estimator.predict_proba(values) - expected).max(initial=0.0))
        made_with, here = golden.get("python", "3.11"), ".".join(platform.python_version_tuple()[:2])
        # As `apps.ml.pipeline.bundle.check_golden`, which does not travel with the model.
        if not difference <= (golden["tolerance"] if made_with == here else min(golden["tolerance"], 1e-9)):
            raise ValueError(
                f"golden rows differ by {difference:.3g}: this is not the code that the model was made with"
                f" (Python {made_with}; this is Python {here})"
            )

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return the columns of `OUTPUTS` for each row of the tensor `INPUT`."""
        # MLflow would take a narrower type for its own signature.
        values = model_input[INPUT].astype(np.float32).astype(np.float64)
        found = np.column_stack([self.estimator.predict_proba(values), self.estimator.expected_goals(values)])
        return pd.DataFrame(found, columns=list(OUTPUTS))


mlflow.models.set_model(Forecaster())
