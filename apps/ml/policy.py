"""The policy of promotion, fall-back and retraining as data: its numbers, what they mean and what they may be.

Defaults are sections of ``params.yaml``; an operator changes them for each world (`PolicyRevision`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    """A value that the policy does not allow; `name` says of what."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Rule:
    """A value of the policy: its dotted name in the parameters, its bounds, and what it means."""

    name: str
    meaning: str
    low: float = 0
    high: float = 1


COUNT: Final = 1_000_000
NATS: Final = 0.1

RULES: Final = (
    Rule("compare.least_matches", "Common out-of-sample matches that a comparison needs", 1, COUNT),
    Rule("compare.log_loss_allowance", "Upper end of the interval of log loss, candidate − champion, in nats. Negative: it must be better by this margin", -NATS, NATS),
    Rule("compare.rps_allowance", "The same for RPS", -NATS, NATS),
    Rule("compare.bootstrap_draws", "Resamples of match days for an interval", 100, 10_000),
    Rule("compare.bootstrap_level", "Level of these intervals", 0.5, 0.999),
    Rule("compare.ece_quantile", "ECE may reach this quantile of what a perfect forecaster shows on as many matches", 0.5, 0.9999),
    Rule("compare.ece_allowance", "ECE that is allowed beyond that", 0, 0.1),
    Rule("compare.ece_draws", "Simulated outcomes for that quantile", 20, 10_000),
    Rule("compare.competition_matches", "Matches from which on a competition is looked at by itself", 1, COUNT),
    Rule("compare.competition_allowance", "Nats by which no competition may be worse", 0, 1),
    Rule("compare.covered_share", "Share of the champion's matches, from the candidate's first one on, that the candidate must have forecast too"),
    Rule("compare.trained_share", "Matches that the candidate must have been trained on, as a share of the champion's"),
    Rule("compare.latency_ms", "Milliseconds that the model may take for one forecast, without its features", 0, 60_000),
    Rule("promote.challengers", "Challengers that forecast in shadow, the newest first", 0, 3),
    Rule("promote.shadow_matches", "Graded matches on which a challenger must not be worse in shadow before it is promoted by itself; 0 asks for none", 0, COUNT),
    Rule("promote.hold_hours", "Hours after a rollback in which nothing is promoted by itself", 0, 8760),
    Rule("fall_back.is_on", "The champion before returns by itself when the champion's live log loss leaves its control limit"),
    Rule("fall_back.least_matches", "Graded matches of both that the control limit needs", 30, COUNT),
    Rule("fall_back.latest_matches", "Latest matches that it looks at", 30, COUNT),
    Rule("fall_back.level", "Level of the interval of champion − champion before; its lower end is the control limit", 0.9, 0.9999),
    Rule("fall_back.allowance", "Nats above which the control limit must not lie", 0, 1),
    Rule("retrain.is_on", "Pipeline runs are queued by themselves"),
    Rule("retrain.every_days", "Days after the newest training", 1, 3650),
    Rule("retrain.new_results", "Results that were stored or changed since then", 1, COUNT),
    Rule("retrain.live_matches", "Latest graded matches of the champion that live quality is measured on", 30, COUNT),
    Rule("retrain.live_share", "Share of its evaluated lead over the base rates that the champion must keep on them"),
    Rule("retrain.quiet_hours", "Hours between two runs, however many reasons there are", 0, 8760),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """The values that hold for a world, by section."""

    compare: Mapping[str, Any]
    promote: Mapping[str, Any]
    fall_back: Mapping[str, Any]
    retrain: Mapping[str, Any]

    @classmethod
    def of(cls, params: Mapping[str, Any], changes: Mapping[str, Any]) -> Policy:
        """Return the defaults of the parameters with the changes of an operator, by dotted names."""
        sections = {name: dict(params[name]) for name in SECTIONS}
        for name, value in changes.items():
            section, key = name.split(".")
            # A value of an earlier release that no longer exists changes nothing.
            if key in sections.get(section, {}):
                sections[section][key] = value
        return cls(**sections)

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
