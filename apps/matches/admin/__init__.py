"""The admin's view of matches: facts are read-only, names are reviewed, disputes are decided."""

from apps.matches.admin import audit, disputes, league_decisions, matches, names, retention
from apps.matches.admin.audited import AuditedAdmin, change_of
from apps.matches.admin.exports import ExportedAdmin, csv_response
from apps.matches.admin.facts import FactAdmin, FactInline, OfferingAdmin, ReasonForm, WorldFilter, number_in, number_of

__all__ = [
    "AuditedAdmin",
    "ExportedAdmin",
    "FactAdmin",
    "FactInline",
    "OfferingAdmin",
    "ReasonForm",
    "WorldFilter",
    "audit",
    "change_of",
    "csv_response",
    "disputes",
    "league_decisions",
    "matches",
    "names",
    "number_in",
    "number_of",
    "retention",
]
