"""The admin's view of matches: facts are read-only, names are reviewed, disputes are decided."""

from apps.matches.admin import adjustments, disputes, matches, names
from apps.matches.admin.facts import FactAdmin, FactInline, OfferingAdmin, ReasonForm, WorldFilter, number_of

__all__ = [
    "FactAdmin",
    "FactInline",
    "OfferingAdmin",
    "ReasonForm",
    "WorldFilter",
    "adjustments",
    "disputes",
    "matches",
    "names",
    "number_of",
]
