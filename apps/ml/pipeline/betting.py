"""A simulation of betting: what the forecasts would have returned at past prices, and what that does not show.

Nobody bets here. Prices are a benchmark, and beating them is the hardest test of a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting import scoring
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.estimators import REGISTRY
from apps.ml.forecasting.prices import line_of
from apps.ml.pipeline.columns import CALIBRATED

EVERYTHING: Final = "every outcome"
"""Name of the strategy without a forecast: one unit on each outcome of each quoted match."""


@dataclass(frozen=True, slots=True)
class Bets:
    """Bets in chronological order, at most one on a match."""

    rows: Integers  # positions of the matches, shape (n,)
    outcome: Integers  # that is bet on: 0 home, 1 draw, 2 away, shape (n,)
    p: Floats  # its probability by the model, shape (n,)
    price: Floats  # decimal, shape (n,)
    gain: Floats  # profit of one unit: the price − 1, or −1, shape (n,)


def place_bets(p: Floats, prices: Floats, y: Integers, edge: float) -> Bets:
    """Return the bets: in each match the outcome with the largest probability × price, if above 1 + `edge`.

    Forecasts and decimal prices have shape (n, 3); a match without prices has NaN.
    """
    value = np.where(np.isfinite(prices), p * prices, -np.inf)
    outcome = value.argmax(axis=1)
    rows = np.flatnonzero(value.max(axis=1) > 1.0 + edge)
    outcome = outcome[rows]
    price = prices[rows, outcome]
    return Bets(rows, outcome, p[rows, outcome], price, np.where(y[rows] == outcome, price - 1.0, -1.0))


def kelly(p: Floats, price: Floats, fraction: float) -> Floats:
    """Return the share of the bankroll that Kelly (1956) stakes, times `fraction`; shape (n,)."""
    share: Floats = fraction * (p * price - 1.0) / (price - 1.0)
    return np.maximum(share, 0.0)


def return_on_stakes(profit: Floats, staked: Floats, days: NDArray[Any], draws: int, level: float) -> dict[str, Any]:
    """Return profit over stakes with its bootstrap interval over match days."""
    return scoring.ratio_bootstrap(profit, staked, days, draws, level).as_dict()


def drawdown(days: NDArray[Any], profit: Floats) -> float:
    """Return the maximum drawdown of the profit, settled day by day, in units."""
    _, codes = np.unique(days, return_inverse=True)
    running = np.concatenate(([0.0], np.cumsum(np.bincount(codes, weights=profit))))
    return float((np.maximum.accumulate(running) - running).max())


def bankroll(days: NDArray[Any], share: Floats, gain: Floats, day_limit: float) -> tuple[float, float]:
    """Return the final bankroll of one unit, and its maximum drawdown as a share.

    Stakes are shares of the bankroll in the morning. Stakes of a day that sum to more than `day_limit` are scaled down,
    because all bets of a day are open at the same time.
    """
    _, codes = np.unique(days, return_inverse=True)
    staked = np.bincount(codes, weights=share)
    scale = np.minimum(1.0, day_limit / np.maximum(staked, 1e-12))
    growth = 1.0 + scale * np.bincount(codes, weights=share * gain)
    running = np.concatenate(([1.0], np.cumprod(growth)))
    highest = np.maximum.accumulate(running)
    return float(running[-1]), float((1.0 - running / highest).max())


def closing_value(bets: Bets, closing: Floats, days: NDArray[Any], draws: int, level: float) -> dict[str, Any] | None:
    """Return the mean logarithm of price over fair closing price, and how often it is above 0.

    Above 0, the market moved towards the bet after it was placed. None when no bet has a closing price.
    """
    fair = closing[bets.rows, bets.outcome]
    seen = np.isfinite(fair)
    if not seen.any():
        return None
    value = np.log(bets.price[seen] * fair[seen])
    found = return_on_stakes(value, np.ones(len(value)), days[seen], draws, level)
    return found | {"positive": float((value > 0.0).mean())}


def simulation(
    models: dict[str, pd.DataFrame],
    best: str,
    odds: pd.DataFrame,
    closing: Floats,
    section: dict[str, Any],
    evaluate: dict[str, Any],
) -> dict[str, Any]:
    """Return the simulation: each strategy of each model at each line, with a summary in words.

    Parameters
    ----------
    models : dict
        Tested forecasts of each model, the same matches in the same order of time.
    best : str
        The model that is served; models labelled with prices are simulated too.
    odds : DataFrame
        Rows of `schema.ODDS`.
    closing : ndarray, shape (n, 3)
        Fair closing probabilities, NaN where there are none.
    section, evaluate : dict
        Sections ``betting`` and ``evaluate`` of the parameters.
    """
    any_rows = models[best]
    y = any_rows["outcome"].to_numpy(dtype=np.int64)
    days = any_rows["as_of"].dt.floor("D").to_numpy(dtype="datetime64[us]")
    names = [best, *(name for name in models if name != best and REGISTRY[name].uses_market)]
    found = []
    for line in section["lines"]:
        quoted = line_of(odds, line["bookmaker"], line["moment"])
        prices = quoted.reindex(any_rows["match_id"]).to_numpy(dtype=np.float64)
        matches = int(np.isfinite(prices[:, 0]).sum())
        if not matches:
            continue
        shown = [_everything(prices, y, days, evaluate)]
        for name in names:
            bets = place_bets(models[name][CALIBRATED].to_numpy(), prices, y, section["edge"])
            shown += _strategies(name, bets, closing, days[bets.rows], section, evaluate)
        about = {"line": line["name"], "matches": matches}
        found += [about | row for row in shown]
    settings = {name: section[name] for name in ("edge", "kelly", "day_limit")}
    return {"model": best, "settings": settings, "strategies": found, "summary": sentences(best, found, settings)}


def sentences(best: str, strategies: list[dict[str, Any]], settings: dict[str, Any]) -> list[str]:
    """Return sentences about what the simulation shows, and what it does not."""
    if not strategies:
        return ["No price was quoted before the tested matches: no bet can be simulated."]
    text = []
    for row in strategies:
        if row["model"] != best or row["stakes"] == "kelly":
            continue
        if row["roi"] is None:
            text.append(
                f"At the {row['line']} no outcome of {row['matches']} matches promised {best} more than "
                f"{settings['edge']:.0%}: no bet would have been placed."
            )
            continue
        roi = row["roi"]
        text.append(
            f"At the {row['line']} {best} would have placed {row['bets']} flat bets on {row['matches']} matches and "
            f"{'won' if roi['mean'] > 0 else 'lost'} {abs(roi['mean']):.1%} of the stakes "
            f"[{_signed(roi['low'], '+.1%')}, {_signed(roi['high'], '+.1%')}]: {_conclusion(roi)}."
        )
    values = [row["clv"]["mean"] for row in strategies if row["model"] == best and row["clv"]]
    if values:
        direction = "better" if values[0] > 0.0 else "worse"
        text.append(
            f"The prices it takes at the {strategies[0]['line']} are {direction} than the fair closing price by "
            f"{abs(np.expm1(values[0])):.1%} on average (closing-line value {_signed(values[0], '+.4f')})."
        )
    else:
        text.append("No closing line was quoted for these bets, so their closing-line value is unknown.")
    above = [row for row in strategies if row["model"] != EVERYTHING and row["roi"] and row["roi"]["low"] > 0.0]
    if above:
        tried = sum(row["model"] != EVERYTHING for row in strategies)
        text.append(
            f"Above 0 on paper: {'; '.join(_on_paper(row) for row in above)}. Of {tried} strategies some lie "
            "there by chance, and a forecast that uses prices finds bookmakers that were late or wrong. The files do "
            "not show whether such prices were available, and for which stakes."
        )
    return [
        *text,
        "Every bet is hypothetical. Prices were collected hours or days before the forecasts, so some had changed by "
        "then; the best price of all bookmakers is seldom available, and the simulation limits no stake.",
        "Prices are kept as a benchmark. The site shows probabilities and gives no betting advice.",
    ]


def _conclusion(roi: dict[str, Any]) -> str:
    if roi["high"] < 0.0:
        return "a loss that chance does not explain"
    if roi["low"] > 0.0:
        return "a profit on paper: first look for a leak, and for prices that were not available"
    return "no proven profit, because the interval contains 0"


def _on_paper(row: dict[str, Any]) -> str:
    roi = row["roi"]
    bounds = f"{_signed(roi['mean'], '+.1%')} [{_signed(roi['low'], '+.1%')}, {_signed(roi['high'], '+.1%')}]"
    stakes = "Kelly" if row["stakes"] == "kelly" else row["stakes"]
    return f"{row['model']} ({row['inputs']}) at the {row['line']}, {stakes} stakes, {bounds}"


def _signed(value: float, form: str) -> str:
    return format(value, form).replace("-", "−")


def _everything(prices: Floats, y: Integers, days: NDArray[Any], evaluate: dict[str, Any]) -> dict[str, Any]:
    """Return the strategy without a forecast; its loss is the margin of the line."""
    quoted = np.isfinite(prices[:, 0])
    won = prices[quoted, y[quoted]]
    profit, staked = won - 3.0, np.full(len(won), 3.0)
    draws, level = evaluate["bootstrap_draws"], evaluate["bootstrap_level"]
    return {
        "model": EVERYTHING,
        "inputs": "nothing",
        "stakes": "flat",
        "bets": 3 * len(won),
        "profit": float(profit.sum()),
        "roi": return_on_stakes(profit, staked, days[quoted], draws, level),
        "fall": drawdown(days[quoted], profit),
        "end": None,
        "clv": None,
    }


def _strategies(
    name: str, bets: Bets, closing: Floats, days: NDArray[Any], section: dict[str, Any], evaluate: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return flat stakes and fractional Kelly of one model at one line."""
    about = {"model": name, "inputs": REGISTRY[name].inputs, "bets": len(bets.rows)}
    if not len(bets.rows):
        nothing = {"profit": 0.0, "roi": None, "fall": 0.0, "end": None, "clv": None}
        return [about | {"stakes": stakes} | nothing for stakes in ("flat", "kelly")]
    draws, level = evaluate["bootstrap_draws"], evaluate["bootstrap_level"]
    clv = closing_value(bets, closing, days, draws, level)
    share = kelly(bets.p, bets.price, section["kelly"])
    end, deepest = bankroll(days, share, bets.gain, section["day_limit"])
    return [
        about
        | {
            "stakes": "flat",
            "profit": float(bets.gain.sum()),
            "roi": return_on_stakes(bets.gain, np.ones(len(bets.gain)), days, draws, level),
            "fall": drawdown(days, bets.gain),
            "end": None,
            "clv": clv,
        },
        about
        | {
            "stakes": "kelly",
            "profit": end - 1.0,
            "roi": return_on_stakes(share * bets.gain, share, days, draws, level),
            "fall": deepest,
            "end": end,
            "clv": clv,
        },
    ]
