"""What a version must show before it may become champion by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting import scoring


def passed(
    p: NDArray[np.float64],
    best: str,
    scores: dict[str, dict[str, float]],
    section: dict[str, Any],
    closing: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Return each gate with what was measured, its bound, and in words why it let the version through or not.

    Parameters
    ----------
    p : ndarray, shape (n, 3)
        Calibrated out-of-sample forecasts of the best model.
    best : str
        Its name.
    scores : dict
        Scores by model, the base rates among them, on the same matches.
    section : dict
        Section ``gates`` of the parameters.
    closing : dict, optional
        How the best model compares with a closing line, as `evaluate.comparisons` says it, where one was quoted and
        the model has seen no prices: the market knows more than the past of both clubs, so that a model that comes
        too near to it has seen what it must not.
    """
    gain = scores["base_rates"]["log_loss"] - scores[best]["log_loss"]
    limit = scoring.ece_limit(p, section["ece_quantile"], section["ece_draws"]) + section["ece_allowance"]
    error, floor = scores[best]["ece"], float(p.min())
    n = len(p)
    return [
        *_suspicion(closing, section["least_gap_rps"], section["least_gap_matches"]),
        _gate(
            "better than base rates",
            gain >= section["log_loss_below_base_rates"],
            gain,
            section["log_loss_below_base_rates"],
            f"log loss lies {gain:.4f} nats below the base rates' on {n} matches",
        ),
        _gate(
            "calibrated",
            error <= limit,
            error,
            limit,
            f"ECE {error:.4f}; a perfect forecaster stays below {limit - section['ece_allowance']:.4f} on {n} matches",
        ),
        _gate(
            "never certain",
            floor >= section["probability_floor"],
            floor,
            section["probability_floor"],
            f"the smallest probability of {n} forecasts is {floor:.4f}",
        ),
    ]


def _suspicion(closing: dict[str, Any] | None, least: float, matches: int) -> list[dict[str, Any]]:
    if closing is None or closing["n"] < matches:
        return []
    gap = closing["gap"]["rps"]
    return [
        _gate(
            "no better than possible",
            gap["high"] >= least,
            gap["high"],
            least,
            f"RPS lies {gap['mean']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}] from the {closing['name']} on "
            f"{closing['n']} matches; a model without odds that comes nearer than {least} has seen the future",
        )
    ]


def sentence(found: list[dict[str, Any]]) -> str:
    """Return in one sentence how the gates decided."""
    refused = [gate for gate in found if not gate["passed"]]
    if not refused:
        return f"all {len(found)} gates passed"
    return "refused by " + "; ".join(f"{gate['name']}: {gate['reason']}" for gate in refused)


def _gate(name: str, is_passed: bool, value: float, bound: float, reason: str) -> dict[str, Any]:
    return {"name": name, "passed": bool(is_passed), "value": float(value), "bound": float(bound), "reason": reason}
