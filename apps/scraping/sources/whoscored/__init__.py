"""WhoScored: fixtures, results, line-ups, events, missing players and prices.

A crawl goes from the home page (`home`) to the page of each tournament and season (`season`), the calendar of a stage
(`stage`), the monthly feed (`feed`), and from there to the match centre of a finished match (`match_centre`) and the
preview of a coming one (`preview`). Teams, matches and players have ids; names differ between pages.

Written from descriptions of the site's pages and from saved pages. The owners of the site have objected to another
project that scraped it: scraping it needs their permission.
"""

from __future__ import annotations

from apps.scraping.sources.whoscored.site import WhoScored

__all__ = ["WhoScored"]
