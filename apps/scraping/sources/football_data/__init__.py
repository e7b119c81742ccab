"""football-data.co.uk: results, match statistics and prices as CSV.

Main files (``2018-19/E0.csv``, or the site's own ``mmz4281/1819/E0.csv``) hold a division's season, extra files
(``extra/ARG.csv``, ``new/ARG.csv``) all seasons of a country's league, ``fixtures.csv`` and
``new_league_fixtures.csv`` the coming matches. The header, not the name, decides what a file is.

Times are those of the United Kingdom in all files. Without one a match has the precision of its date. The season of a
main file follows from the middle one of its dates, since 2019-20 was played until August.
"""

from __future__ import annotations

from apps.scraping.sources.football_data.reader import FootballData
from apps.scraping.sources.football_data.site import FootballDataSite

__all__ = ["FootballData", "FootballDataSite"]
