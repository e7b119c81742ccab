"""Gates that a version must pass to become champion automatically."""

from __future__ import annotations

from typing import Any

from apps.ml.forecasting import scoring
from apps.ml.forecasting.arrays import Floats


def passed(p: Floats, best: str, scores: dict[str, dict[str, float]], section: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each gate with its measured value, its bound, whether it passed and why.

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
    """
    gain = scores["base_rates"]["log_loss"] - scores[best]["log_loss"]
    limit = scoring.ece_limit(p, section["ece_quantile"], section["ece_draws"]) + section["ece_allowance"]
    error, floor = scores[best]["ece"], float(p.min())
    n = len(p)
    return [
        _gate(
            "better than base rates",
            gain >= section["log_loss_below_base_rates"],
            gain,
            section["log_loss_below_base_rates"],
            f"log loss is {gain:.4f} nats below the base rates' on {n} matches",
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


def no_better_than_possible(
    closing: dict[str, Any] | None, section: dict[str, Any], left_out: str = ""
) -> dict[str, Any]:
    """Return the gate that a model without odds is clearly worse than the closing line.

    The market has more information than such a model. A model that comes too near to it has a leak, which the names of
    its columns need not reveal.

    `closing` is the result of `evaluate.comparison`; None when no line was quoted often enough. The name of the gate
    then says that nothing was checked. `left_out` says which lines disagreed with the others when.
    """
    apart = f"; left out, because they disagreed with the other lines: {left_out}" if left_out else ""
    name, least = "no better than possible", section["least_gap_rps"]
    if closing is None:
        reason = f"no closing line was quoted for {section['least_gap_matches']} of the tested matches{apart}"
        return {"name": f"{name}: not checked", "passed": True, "value": None, "bound": float(least), "reason": reason}
    gap = closing["gap"]["rps"]
    return _gate(
        name,
        gap["high"] >= least,
        gap["high"],
        least,
        f"RPS is {gap['mean']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}] from the {closing['name']} on "
        f"{closing['n']} matches; a model without odds that comes nearer than {least} has a leak{apart}",
    )


def sentence(found: list[dict[str, Any]]) -> str:
    """Return the results of the gates in one sentence."""
    refused = [gate for gate in found if not gate["passed"]]
    if not refused:
        return f"all {len(found)} gates passed"
    return "refused by " + "; ".join(f"{gate['name']}: {gate['reason']}" for gate in refused)


def _gate(name: str, is_passed: bool, value: float, bound: float, reason: str) -> dict[str, Any]:
    return {"name": name, "passed": bool(is_passed), "value": float(value), "bound": float(bound), "reason": reason}
