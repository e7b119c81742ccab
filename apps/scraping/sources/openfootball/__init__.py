"""openfootball: fixtures and results as JSON, public domain (CC0).

A file ``2018-19/en.1.json`` holds one season of one competition: ``{"name": "English Premier League 2018/19",
"matches": [{round, date, time, team1, team2, score: {ht, ft, et, p}, stage, status}]}``. The code in the file's name
says which competition it is, the title says the season.

Clock times carry no zone. Beside football-data's kick-offs, in 93 seasons that both have, 99.8 % of them agree within a
quarter of an hour when read in one zone per country, also where a country has several (Brazil, Mexico, Russia): see
`reader.CLOCKS`. Where that could not be checked and is not plain, a match keeps the precision of its date.

Source: https://github.com/openfootball/football.json
"""

from __future__ import annotations

from apps.scraping.sources.openfootball.reader import Openfootball
from apps.scraping.sources.openfootball.site import OpenfootballSite

__all__ = ["Openfootball", "OpenfootballSite"]
