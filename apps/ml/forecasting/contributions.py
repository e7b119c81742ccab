"""The groups in which a forecast is explained: which features each holds, and how people read its name.

The names of the groups are stored with every prediction and are keys of the public API; change labels, not names.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class ContributionGroup(NamedTuple):
    """A group of contributions: its stored name, its label for people, and the prefixes of its features."""

    name: str
    label: str
    prefixes: tuple[str, ...] = ()


BASELINE: Final = "baseline"
CONTEXT: Final = "context"
CALIBRATION: Final = "calibration"

GOAL_MODEL_GROUPS: Final = ("home attack", "away defence", "away attack", "home defence")
"""Groups of the models of expected goals, which explain a forecast by the strengths of both teams."""

GROUPS: Final = (
    ContributionGroup(BASELINE, "Playing at home, and draws as usual here", ("base_",)),
    ContributionGroup("elo", "Elo ratings", ("elo_",)),
    ContributionGroup("attack and defence", "Attack and defence", ("dc_",)),
    ContributionGroup("goals and shots", "Goals, shots and corners", ("filter_", "gap_")),
    ContributionGroup("goal differences", "Goal differences", ("pi_",)),
    ContributionGroup("form", "Form", ("form_",)),
    ContributionGroup("season so far", "Season so far", ("table_",)),
    ContributionGroup("what is at stake", "What is at stake", ("stake_", "leverage_")),
    ContributionGroup("line-ups", "Line-ups", ("lineup_",)),
    ContributionGroup("prices", "Prices", ("price_", "odds_")),
    ContributionGroup(
        CONTEXT,
        "Rest, congestion and calendar",
        (
            *("rest_", "congestion_", "season_matches_", "other_competition_rest_"),
            *("level", "is_neutral", "closed_doors"),
        ),
    ),
    ContributionGroup(CALIBRATION, "Calibration"),
    *(ContributionGroup(name, name.capitalize()) for name in GOAL_MODEL_GROUPS),
)

_LABELS: Final = {group.name: group.label for group in GROUPS}


def group_of(feature: str) -> str:
    """Return the group of a feature; `CONTEXT` for one that no prefix matches."""
    return next((group.name for group in GROUPS if feature.startswith(group.prefixes)), CONTEXT)


def label_of(group: str) -> str:
    """Return the label of a group; predictions of older models may name a group that no longer exists."""
    return _LABELS.get(group, group.replace("_", " ").capitalize())
