"""The policy of promotion, fall-back and retraining as data: its numbers, what they mean and what they may be.

Defaults are sections of ``params.yaml``; an operator changes them for each world (`PolicyRevision`).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SECTIONS: Final = ("compare", "promote", "fall_back", "retrain")
"""Sections of the parameters that belong to the policy; no number of a model depends on them."""

MODE: Final = "promote.mode"
MANUAL: Final = "manual"
PROPOSE: Final = "propose"
AUTOMATIC: Final = "automatic"
MODES: Final = {
    MANUAL: "Manual: candidates are compared, and nothing else happens by itself",
    PROPOSE: "Propose: a version that may take over waits for a decision on the home page",
    AUTOMATIC: "Automatic: a version that meets every criterion is promoted by itself",
}


class PolicyError(ValueError):
    """A value that the policy does not allow; `name` is the name of the value."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Rule:
    """A value of the policy: its dotted name in the parameters, its bounds, and what it means."""

    name: str
    meaning: str
    low: float
    high: float


def _rules() -> tuple[Rule, ...]:
    rows = csv.DictReader(Path(__file__).with_suffix(".csv").read_text(encoding="utf-8").splitlines())
    return tuple(Rule(row["name"], row["meaning"], float(row["low"]), float(row["high"])) for row in rows)


RULES: Final = _rules()
"""All values but the mode, in the order of ``policy.csv``."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The values that hold for a world, by section."""

    compare: Mapping[str, Any]
    promote: Mapping[str, Any]
    fall_back: Mapping[str, Any]
    retrain: Mapping[str, Any]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Policy:
        """Return the defaults, which are sections of the parameters."""
        return cls(**{name: params[name] for name in SECTIONS})

    def with_changes(self, changes: Mapping[str, Any]) -> Policy:
        """Return the policy with other values, by their dotted names; names of earlier releases change nothing."""
        return Policy(
            **{
                name: {key: changes.get(f"{name}.{key}", value) for key, value in getattr(self, name).items()}
                for name in SECTIONS
            }
        )

    @property
    def mode(self) -> str:
        """`MANUAL`, `PROPOSE` or `AUTOMATIC`."""
        return str(self.promote["mode"])

    def flat(self) -> dict[str, Any]:
        """Return all values by their dotted names."""
        return {f"{name}.{key}": value for name in SECTIONS for key, value in getattr(self, name).items()}


def checked(changes: Mapping[str, Any], defaults: Policy) -> dict[str, Any]:
    """Return those of the given values that differ from the defaults.

    Raises
    ------
    PolicyError
        When a name is unknown, or a value is not of the type of its default or outside its bounds.
    """
    known, rules = defaults.flat(), {rule.name: rule for rule in RULES}
    found = {}
    for name, value in changes.items():
        if name not in known:
            raise PolicyError(name, f"The policy has no value {name}.")
        if name == MODE:
            if value not in MODES:
                raise PolicyError(name, f"The mode is one of {', '.join(MODES)}.")
        else:
            value = _number(rules[name], value, known[name])
        if value != known[name]:
            found[name] = value
    return found


def _number(rule: Rule, value: Any, default: Any) -> Any:
    """Return the value in the type of its default."""
    if isinstance(default, bool) or isinstance(value, bool):
        if type(value) is not type(default):
            raise PolicyError(
                rule.name, f"{rule.name} is {'true or false' if isinstance(default, bool) else 'a number'}."
            )
        return value
    if not isinstance(value, int | float) or (isinstance(default, int) and value % 1):
        raise PolicyError(rule.name, f"{rule.name} is a {'whole ' if isinstance(default, int) else ''}number.")
    # False for NaN, too.
    if not rule.low <= value <= rule.high:
        raise PolicyError(rule.name, f"{rule.name} lies between {rule.low:g} and {rule.high:g}.")
    return type(default)(value)
