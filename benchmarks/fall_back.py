"""How often a champion falls back by chance, and how soon a bad one does, by the control limit of the policy.

Draws forecasts of a champion and of the champion before that differ as two good models do, and outcomes from the truth
between them, and looks at the limit after every ten graded matches, as the site does after each round of grading.

    .venv/bin/python benchmarks/fall_back.py [champions]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from apps.ml.forecasting import scoring  # noqa: E402

SECTION = yaml.safe_load((ROOT / "apps/ml/params.yaml").read_text())["fall_back"]
MATCHES, STEP, TOGETHER = 2000, 10, 4
"""Matches of one champion, how many are graded between two checks, and how many kick off together."""


def simulated_champion(generator: np.random.Generator, *, spoiled: float) -> tuple[float, int | None]:
    """Return by how many nats a champion is worse, and after how many matches it falls back; None where it stays.

    `spoiled` is the share by which its probabilities are drawn towards a wrong forecast.
    """
    truth = generator.dirichlet([9.0, 5.4, 5.6], size=MATCHES)
    outcomes = (generator.random((MATCHES, 1)) >= np.cumsum(truth, axis=1)[:, :2]).sum(axis=1)
    noisy = [truth * np.exp(generator.normal(0, 0.08, truth.shape)) for _ in range(2)]
    champion, before = (p / p.sum(axis=1, keepdims=True) for p in noisy)
    champion = (1 - spoiled) * champion + spoiled * champion[:, ::-1]
    difference = scoring.log_loss_each(champion, outcomes) - scoring.log_loss_each(before, outcomes)
    kickoffs, worse = np.arange(MATCHES) // TOGETHER, float(difference.mean())
    for n in range(SECTION["least_matches"], MATCHES + 1, STEP):
        latest = slice(max(0, n - SECTION["latest_matches"]), n)
        part = difference[latest]
        if part.mean() <= SECTION["allowance"]:
            continue
        # A normal limit first: the bootstrap takes most of the time, and they differ by little.
        if part.mean() - 2.6 * part.std() / np.sqrt(len(part)) <= SECTION["allowance"]:
            continue
        limit = scoring.paired_bootstrap(part, kickoffs[latest], draws=SECTION["draws"], level=SECTION["level"])
        if limit.low > SECTION["allowance"]:
            return worse, n
    return worse, None


def main(champions: int) -> None:
    """Print what happens to champions that are worse by more and more."""
    for spoiled in (0.0, 0.2, 0.3, 0.4, 0.6):
        generator = np.random.default_rng(7)
        found = [simulated_champion(generator, spoiled=spoiled) for _ in range(champions)]
        when = [n for _, n in found if n is not None]
        worse = np.mean([difference for difference, _ in found])
        typical = f", half of these within {np.median(when):.0f} matches" if when else ""
        print(f"worse by {worse:.4f} nats: {len(when)} of {champions} fell back{typical}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
