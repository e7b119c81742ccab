"""What changes models and predictions: one door over the modules of this package."""

from apps.ml.services.champion import (
    PromotionRefusedError,
    choose_served_world,
    mirror_aliases,
    promote,
    promote_first_champion,
    rollback,
)
from apps.ml.services.comparison import NothingToCompareError, compare, compare_due
from apps.ml.services.forecasts import (
    Forecast,
    NoForecastError,
    PredictReport,
    SettleReport,
    forecast,
    predict_due,
    settle_due,
)
from apps.ml.services.runs import queue_run, retrain_due, run_due

__all__ = [
    "Forecast",
    "NoForecastError",
    "NothingToCompareError",
    "PredictReport",
    "PromotionRefusedError",
    "SettleReport",
    "choose_served_world",
    "compare",
    "compare_due",
    "forecast",
    "mirror_aliases",
    "predict_due",
    "promote",
    "promote_first_champion",
    "queue_run",
    "retrain_due",
    "rollback",
    "run_due",
    "settle_due",
]
