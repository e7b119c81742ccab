"""The admin's view of matches: facts are read-only, names are reviewed, disputes are decided."""

from apps.matches.admin import audit, disputes, league_decisions, matches, names
from apps.matches.admin.audited import AuditedAdmin, change_of
from apps.matches.admin.facts import FactAdmin, FactInline, OfferingAdmin, ReasonForm, WorldFilter, number_of

__all__ = [
    "AuditedAdmin",
    "FactAdmin",
    "FactInline",
    "OfferingAdmin",
    "ReasonForm",
    "WorldFilter",
    "audit",
    "change_of",
    "disputes",
    "league_decisions",
    "matches",
    "names",
    "number_of",
]
