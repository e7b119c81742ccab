"""scikit-learn's boosted regression trees on columns that are binned once for several fits."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import HistGradientBoostingRegressor

from apps.ml.forecasting.arrays import Floats


class BinnedTrees(HistGradientBoostingRegressor):
    """Boosted regression trees that share the bins of their columns with others on the same rows.

    Sorting the columns takes scikit-learn a fifth of the time of a fit, and it has no public way to keep the result.
    Columns must have at most ``max_bins`` values: their bins then do not depend on the weights, which differ between
    fits. Above 200,000 rows scikit-learn bins a sample of them, which all fits then share.

    Attributes
    ----------
    bins : list
        Empty for the first fit, which fills it; for further ones the same list.
    """

    bins: list[Any]
    _bin_mapper: Any

    def _bin_data(self, X: Floats, sample_weight: Floats | None, is_training_data: bool) -> Any:
        if not self.bins:
            self.bins += [super()._bin_data(X, sample_weight, is_training_data), self._bin_mapper]
        binned, self._bin_mapper = self.bins
        return binned
