"""The groups in which a forecast is explained: which features each holds, and how people read its name.

The names of the groups are stored with every prediction and are keys of the public API; change labels, not names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple


class ContributionGroup(NamedTuple):
    """A group of contributions: its stored name, its label for people, the prefixes of its features, and its phrase.

    The phrase follows "they are favourites".
    """

    name: str
    label: str
    phrase: str
    prefixes: tuple[str, ...] = ()


def gettext_noop(text: str) -> str:
    """Mark a text that pages translate, as the function of this name in Django does."""
    return text


BASELINE: Final = "baseline"
CONTEXT: Final = "context"
CALIBRATION: Final = "calibration"

GOAL_MODEL_GROUPS: Final = ("home attack", "away defence", "away attack", "home defence")
"""Groups of the models of expected goals, which explain a forecast by the strengths of both teams."""

_ = gettext_noop
GROUPS: Final = (
    ContributionGroup(BASELINE, _("Home advantage"), _("for their home ground"), ("base_", "level")),
    ContributionGroup("elo", _("Elo ratings"), _("for their rating"), ("elo_",)),
    ContributionGroup("attack and defence", _("Attack and defence"), _("for their attack and defence"), ("dc_",)),
    ContributionGroup(
        "goals and shots",
        _("Goals, shots and corners"),
        _("for their goals and shots"),
        ("filter_", "gap_", "performance_"),
    ),
    ContributionGroup("goal differences", _("Goal differences"), _("for their goal differences"), ("pi_",)),
    ContributionGroup("form", _("Form"), _("for their form"), ("form_",)),
    ContributionGroup("season so far", _("Season so far"), _("for their season so far"), ("table_",)),
    ContributionGroup("what is at stake", _("What is at stake"), _("for what is at stake"), ("stake_", "leverage_")),
    ContributionGroup("line-ups", _("Line-ups"), _("for the line-ups"), ("lineup_",)),
    ContributionGroup("prices", _("Prices"), _("for the prices of earlier matches"), ("price_", "odds_")),
    ContributionGroup(
        CONTEXT,
        _("Rest, congestion and calendar"),
        _("for rest and the calendar"),
        (
            *("rest_", "congestion_", "season_matches_", "other_competition_rest_"),
            *("is_neutral", "closed_doors"),
        ),
    ),
    ContributionGroup(CALIBRATION, _("Calibration"), _("as the record of like forecasts says")),
    ContributionGroup("home attack", _("Home attack"), _("for the attacks")),
    ContributionGroup("away defence", _("Away defence"), _("for the defences")),
    ContributionGroup("away attack", _("Away attack"), _("for the attacks")),
    ContributionGroup("home defence", _("Home defence"), _("for the defences")),
)

_LABELS: Final = {group.name: group.label for group in GROUPS}
_PHRASES: Final = {group.name: group.phrase for group in GROUPS}


def group_of(feature: str) -> str:
    """Return the group of a feature; `CONTEXT` for one that no prefix matches."""
    return next((group.name for group in GROUPS if feature.startswith(group.prefixes)), CONTEXT)


def label_of(group: str) -> str:
    """Return the label of a group; predictions of older models may name a group that no longer exists."""
    return _LABELS.get(group, group.replace("_", " ").capitalize())


def phrase_of(group: str) -> str:
    """Return a group as a reason in a sentence; predictions of older models may name one that no longer exists."""
    return _PHRASES.get(group, f"for {label_of(group).lower()}")


class Points(NamedTuple):
    """The chance of a home win in percentage points, from two equal teams on neutral ground to the forecast.

    `start` plus all of `groups` plus `rest` is the chance of the forecast.
    """

    start: float
    groups: dict[str, float]
    rest: float


def in_points(p: Sequence[float], contributions: Mapping[str, float]) -> Points:
    """Return what each group of a forecast adds to the chance of a home win.

    Between the two, the log-odds of home against away grow from 0 to those of the forecast while the draw keeps its
    weight against the geometric mean of both wins. The chance then depends only on the sum of the contributions, and
    each has its share of the way (Aumann and Shapley 1974): a result that no order of the groups decides.

    Parameters
    ----------
    p : sequence of three floats
        Home, draw and away of the forecast.
    contributions : mapping of str to float
        Group → log-odds of home against away.
    """
    home, draw, away = (max(float(value), 1e-9) for value in p)
    start = 1.0 / (2.0 + draw / math.sqrt(home * away))
    log_odds = math.log(home / away)
    # At log-odds of 0 the limit of the quotient.
    slope = (home - start) / log_odds if abs(log_odds) > 1e-6 else start / 2.0
    groups = {group: 100.0 * slope * value for group, value in contributions.items()}
    return Points(100.0 * start, groups, 100.0 * (home - start) - math.fsum(groups.values()))
