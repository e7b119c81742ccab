"""openfootball: fixtures and results as JSON, public domain (CC0).

A file ``2018-19/en.1.json`` holds one season of one competition: ``{"name": "English Premier League 2018/19",
"matches": [{round, date, time, team1, team2, score: {ht, ft, et, p}, stage, status}]}``. The code in the file's name
gives the competition, the title the season.

Times have no time zone. Read in one zone per country, even where a country has several (Brazil, Mexico, Russia), 99.8 %
of them agree within a quarter of an hour with football-data's kick-offs, in the 93 seasons that both have: see
`reader.CLOCKS`. In countries where that could not be checked, a match only has the precision of its date.

Source: https://github.com/openfootball/football.json
"""

from __future__ import annotations

from apps.scraping.sources.openfootball.reader import Openfootball
from apps.scraping.sources.openfootball.site import OpenfootballSite

__all__ = ["Openfootball", "OpenfootballSite"]
