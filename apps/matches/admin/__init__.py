"""The admin's view of matches: facts are read-only, names are reviewed, disputes are decided."""

from apps.matches.admin import disputes, league_decisions, matches, names, retention
from apps.matches.admin.facts import FactAdmin, FactInline, OfferingAdmin, ReasonForm, WorldFilter, number_of

__all__ = [
    "FactAdmin",
    "FactInline",
    "OfferingAdmin",
    "ReasonForm",
    "WorldFilter",
    "disputes",
    "league_decisions",
    "matches",
    "names",
    "number_of",
    "retention",
]
