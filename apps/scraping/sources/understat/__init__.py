"""Understat: expected goals (xG) of the top five leagues and of Russia, from 2014-15 on.

The site gives one list for each league and season, with id, teams, goals and xG of each match. Since the end of 2025 it
is the response of ``getLeagueData/EPL/2020``; before, a script of the page ``league/EPL/2020`` assigned it. The page of
a match has the same figures. They are Understat's own for the match, which are not the sum of those of its shots: shots
of one attack count together.

Only matches that were played are read, each with only its date, because the zone of the kick-offs changes: against
known kick-offs it was the United Kingdom's, UTC, UTC+3 or UTC+4, in blocks of months since 2014, and single ones are
hours off. Of 19,901 days 144 differ from football-data's. xG is used from the next day on (`records.xg_known_at`).

Source: https://understat.com
"""

from __future__ import annotations

from apps.scraping.sources.understat.reader import Understat
from apps.scraping.sources.understat.site import UnderstatSite

__all__ = ["Understat", "UnderstatSite"]
