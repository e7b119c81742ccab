"""Admin of scraping. Stored facts are read-only; each action calls one service and shows its result."""

from apps.scraping.admin.pages import AddressAdmin, HostStateAdmin, SnapshotAdmin
from apps.scraping.admin.runs import ScrapeRunAdmin
from apps.scraping.admin.sources import SourceAdmin

__all__ = ["AddressAdmin", "HostStateAdmin", "ScrapeRunAdmin", "SnapshotAdmin", "SourceAdmin"]
