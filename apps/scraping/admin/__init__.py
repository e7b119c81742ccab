"""The admin's view of scraping. Facts are read-only; each lever calls one service and says what came of it."""

from apps.scraping.admin.pages import AddressAdmin, LaneAdmin, SnapshotAdmin
from apps.scraping.admin.sources import SourceAdmin
from apps.scraping.admin.visits import ScrapeRunAdmin

__all__ = ["AddressAdmin", "LaneAdmin", "ScrapeRunAdmin", "SnapshotAdmin", "SourceAdmin"]
