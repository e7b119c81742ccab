"""Services that change models and predictions; import them from here."""

from apps.ml.services.champion import (
    PromotionRefusedError,
    champion_before,
    choose_served_world,
    mirror_aliases,
    promote,
    promote_first_champion,
    rollback,
    why_not_champion,
)
from apps.ml.services.comparison import NothingToCompareError, compare, compare_due, why_not_compared
from apps.ml.services.forecasts import (
    LiveForecast,
    NoForecastError,
    forecast,
    predict_due,
    settle_due,
)
from apps.ml.services.runs import RunRefusedError, latest_midnight, queue_run, refuse_impossible, retrain_due, run_due
from apps.ml.services.seasons import SeasonRefusedError, simulate_due, simulate_season
from apps.ml.services.what_if import AHEAD, WhatIfRefusedError, hypothetical_match, next_saturday, what_if

__all__ = [
    "AHEAD",
    "LiveForecast",
    "NoForecastError",
    "NothingToCompareError",
    "PromotionRefusedError",
    "RunRefusedError",
    "SeasonRefusedError",
    "WhatIfRefusedError",
    "champion_before",
    "choose_served_world",
    "compare",
    "compare_due",
    "forecast",
    "hypothetical_match",
    "latest_midnight",
    "mirror_aliases",
    "next_saturday",
    "predict_due",
    "promote",
    "promote_first_champion",
    "queue_run",
    "refuse_impossible",
    "retrain_due",
    "rollback",
    "run_due",
    "settle_due",
    "simulate_due",
    "simulate_season",
    "what_if",
    "why_not_champion",
    "why_not_compared",
]
