"""An simulation apart: what betting by the forecasts would have returned at past prices, and what that does not show.

Nobody bets here. Prices are a benchmark; the simulation asks what they leave over, the hardest test of a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting.estimators import REGISTRY
from apps.ml.pipeline.columns import CALIBRATED, OUTCOMES

EVERYTHING: Final = "every outcome"
"""Name of the strategy that asks no forecast: one unit on each outcome of each quoted match."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bets:
    """Bets in the order of time, at most one on a match.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Positions of the matches.
    outcome : ndarray of int, shape (n,)
        What is backed: 0 home, 1 draw, 2 away.
    p, price : ndarray, shape (n,)
        Its probability by the model, and the decimal price that is taken.
    gain : ndarray, shape (n,)
        What one unit returns beyond itself: the price less 1, or −1.
    """

    rows: Ints
    outcome: Ints
    p: Floats
    price: Floats
    gain: Floats


def placed(p: Floats, prices: Floats, y: Ints, edge: float) -> Bets:
    """Return a bet on the outcome with the largest probability × price of each match, where that is above 1 + `edge`.

    Parameters
    ----------
    p, prices : ndarray, shape (n, 3)
        Forecasts and decimal prices; a match without prices has NaN.
    y : ndarray of int, shape (n,)
        Outcomes.
    edge : float
        Expected return on a unit that is asked for.
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


def returned(
    profit: Floats, staked: Floats, days: NDArray[Any], draws: int, level: float, seed: int = 0
) -> dict[str, Any]:
    """Return profit over stakes with its bootstrap interval over match days."""
    kinds, codes = np.unique(days, return_inverse=True)
    gains = np.bincount(codes, weights=profit, minlength=len(kinds))
    stakes = np.bincount(codes, weights=staked, minlength=len(kinds))
    generator = np.random.default_rng(seed)
    ratios = np.empty(draws)
    for draw in range(draws):
        chosen = generator.integers(len(kinds), size=len(kinds))
        ratios[draw] = gains[chosen].sum() / stakes[chosen].sum()
    low, high = np.quantile(ratios, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return {
        "mean": float(profit.sum() / staked.sum()),
        "low": float(low),
        "high": float(high),
        "n": len(profit),
        "days": len(kinds),
    }


def fall(days: NDArray[Any], profit: Floats) -> float:
    """Return the deepest fall of the running profit below its highest before, settled day by day, in units."""
    _, codes = np.unique(days, return_inverse=True)
    running = np.concatenate(([0.0], np.cumsum(np.bincount(codes, weights=profit))))
    return float((np.maximum.accumulate(running) - running).max())


def bankroll(days: NDArray[Any], share: Floats, gain: Floats, day_limit: float) -> tuple[float, float]:
    """Return what one unit becomes and its deepest fall below its highest before, as a share of that.

    Stakes of a day are shares of what its morning finds; where they sum to more than `day_limit` they are made smaller
    alike, because the bets of a day are open at the same time.
    """
    _, codes = np.unique(days, return_inverse=True)
    asked = np.bincount(codes, weights=share)
    scale = np.minimum(1.0, day_limit / np.maximum(asked, 1e-12))
    growth = 1.0 + scale * np.bincount(codes, weights=share * gain)
    running = np.concatenate(([1.0], np.cumprod(growth)))
    highest = np.maximum.accumulate(running)
    return float(running[-1]), float((1.0 - running / highest).max())


def closing_value(
    bets: Bets, closing: Floats, days: NDArray[Any], draws: int, level: float, seed: int = 0
) -> dict[str, Any] | None:
    """Return the mean logarithm of the price taken over the fair closing price, and how often it is above 0.

    Above 0, the market moved towards the bet after it was placed. None where no bet has a closing price.
    """
    fair = closing[bets.rows, bets.outcome]
    seen = np.isfinite(fair)
    if not seen.any():
        return None
    value = np.log(bets.price[seen] * fair[seen])
    found = returned(value, np.ones(len(value)), days[seen], draws, level, seed)
    return found | {"positive": float((value > 0.0).mean())}


def simulation(
    models: dict[str, pd.DataFrame],
    best: str,
    odds: pd.DataFrame,
    closing: Floats,
    section: dict[str, Any],
    evaluate: dict[str, Any],
) -> dict[str, Any]:
    """Return the simulation: each strategy of each model at each line, and in words what they show.

    Parameters
    ----------
    models : dict
        Tested forecasts of each model, the same matches in the same order of time.
    best : str
        The model that is served; beside it stand those that are labelled with prices.
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
        quoted = odds[(odds["bookmaker"] == line["bookmaker"]) & (odds["moment"] == line["moment"])]
        prices = quoted.set_index("match_id")[list(OUTCOMES)].reindex(any_rows["match_id"]).to_numpy(dtype=np.float64)
        matches = int(np.isfinite(prices[:, 0]).sum())
        if not matches:
            continue
        shown = [_everything(prices, y, days, evaluate)]
        for name in names:
            bets = placed(models[name][CALIBRATED].to_numpy(), prices, y, section["edge"])
            shown += _strategies(name, bets, closing, days[bets.rows], section, evaluate)
        about = {"line": line["name"], "matches": matches}
        found += [about | row for row in shown]
    settings = {name: section[name] for name in ("edge", "kelly", "day_limit")}
    return {"model": best, "settings": settings, "strategies": found, "says": sentences(best, found, settings)}


def sentences(best: str, strategies: list[dict[str, Any]], settings: dict[str, Any]) -> list[str]:
    """Return what the simulation shows, and what it does not, in words."""
    if not strategies:
        return [
            "No price was quoted before the tested matches: there is nothing to bet at, and this simulation is empty."
        ]
    said = []
    for row in strategies:
        if row["model"] != best or row["stakes"] == "kelly":
            continue
        if row["roi"] is None:
            said.append(
                f"At the {row['line']} no outcome of {row['matches']} matches promised {best} more than "
                f"{settings['edge']:.0%}: no bet would have been placed."
            )
            continue
        roi = row["roi"]
        said.append(
            f"At the {row['line']} {best} would have placed {row['bets']} flat bets on {row['matches']} matches and "
            f"{'won' if roi['mean'] > 0 else 'lost'} {abs(roi['mean']):.1%} of the stakes "
            f"[{_signed(roi['low'], '+.1%')}, {_signed(roi['high'], '+.1%')}]: {_verdict(roi)}."
        )
    values = [row["clv"]["mean"] for row in strategies if row["model"] == best and row["clv"]]
    if values:
        beside = "better" if values[0] > 0.0 else "worse"
        said.append(
            f"The prices it takes at the {strategies[0]['line']} are {beside} than the fair closing price by "
            f"{abs(np.expm1(values[0])):.1%} on average (closing-line value {_signed(values[0], '+.4f')})."
        )
    else:
        said.append("No closing line was quoted beside these bets, so that their closing-line value is not known.")
    above = [row for row in strategies if row["model"] != EVERYTHING and row["roi"] and row["roi"]["low"] > 0.0]
    if above:
        asked = sum(row["model"] != EVERYTHING for row in strategies)
        said.append(
            f"Above 0 on paper: {'; '.join(_on_paper(row) for row in above)}. Of {asked} strategies looked at some lie "
            "there by chance, and a forecast that knows the market finds bookmakers that were late or wrong: whether "
            "such prices could be had, and for how much, the files do not tell."
        )
    return [
        *said,
        "Every bet is hypothetical. The prices were collected hours or days before the forecast that picks them, so "
        "that some were gone by then; the best price of all bookmakers is seldom to be had, and nobody limits a stake.",
        "Prices are kept as a benchmark. The site shows probabilities; it gives no advice to bet, and this is none.",
    ]


def _verdict(roi: dict[str, Any]) -> str:
    if roi["high"] < 0.0:
        return "a loss that chance does not explain"
    if roi["low"] > 0.0:
        return "a profit on paper that must be doubted first: look for a leak, and for prices that were not to be had"
    return "no profit is shown, the interval holds 0"


def _on_paper(row: dict[str, Any]) -> str:
    roi = row["roi"]
    bounds = f"{_signed(roi['mean'], '+.1%')} [{_signed(roi['low'], '+.1%')}, {_signed(roi['high'], '+.1%')}]"
    stakes = "Kelly" if row["stakes"] == "kelly" else row["stakes"]
    return f"{row['model']} ({row['inputs']}) at the {row['line']}, {stakes} stakes, {bounds}"


def _signed(value: float, form: str) -> str:
    return format(value, form).replace("-", "−")


def _everything(prices: Floats, y: Ints, days: NDArray[Any], evaluate: dict[str, Any]) -> dict[str, Any]:
    """Return the strategy that asks no forecast; its loss is the margin of the line."""
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
        "roi": returned(profit, staked, days[quoted], draws, level),
        "fall": fall(days[quoted], profit),
        "end": None,
        "clv": None,
    }


def _strategies(
    name: str,
    bets: Bets,
    closing: Floats,
    days: NDArray[Any],
    section: dict[str, Any],
    evaluate: dict[str, Any],
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
            "roi": returned(bets.gain, np.ones(len(bets.gain)), days, draws, level),
            "fall": fall(days, bets.gain),
            "end": None,
            "clv": clv,
        },
        about
        | {
            "stakes": "kelly",
            "profit": end - 1.0,
            "roi": returned(share * bets.gain, share, days, draws, level),
            "fall": deepest,
            "end": end,
            "clv": clv,
        },
    ]
