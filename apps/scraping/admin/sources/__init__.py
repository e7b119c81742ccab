"""Admin of the sources: their list, their page, and the actions on them."""

from apps.scraping.admin.sources.admin import SourceAdmin

__all__ = ["SourceAdmin"]
