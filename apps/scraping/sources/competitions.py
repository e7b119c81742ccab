"""Competitions by the codes and names of the sources; a league has the same key in all of them.

Names and tiers are the current ones, in common English; a league keeps its key when it is renamed (``E1`` was the First
Division until 2004).
"""

from __future__ import annotations

from typing import Final

from apps.matches.records import CompetitionKey

DIVISIONS: Final[dict[str, CompetitionKey]] = {
    "E0": CompetitionKey("England", "Premier League", 1),
    "E1": CompetitionKey("England", "Championship", 2),
    "E2": CompetitionKey("England", "League One", 3),
    "E3": CompetitionKey("England", "League Two", 4),
    "EC": CompetitionKey("England", "National League", 5),
    "SC0": CompetitionKey("Scotland", "Premiership", 1),
    "SC1": CompetitionKey("Scotland", "Championship", 2),
    "SC2": CompetitionKey("Scotland", "League One", 3),
    "SC3": CompetitionKey("Scotland", "League Two", 4),
    "D1": CompetitionKey("Germany", "Bundesliga", 1),
    "D2": CompetitionKey("Germany", "2. Bundesliga", 2),
    "SP1": CompetitionKey("Spain", "La Liga", 1),
    "SP2": CompetitionKey("Spain", "Segunda División", 2),
    "I1": CompetitionKey("Italy", "Serie A", 1),
    "I2": CompetitionKey("Italy", "Serie B", 2),
    "F1": CompetitionKey("France", "Ligue 1", 1),
    "F2": CompetitionKey("France", "Ligue 2", 2),
    "N1": CompetitionKey("Netherlands", "Eredivisie", 1),
    "B1": CompetitionKey("Belgium", "Pro League", 1),
    "P1": CompetitionKey("Portugal", "Primeira Liga", 1),
    "T1": CompetitionKey("Turkey", "Süper Lig", 1),
    "G1": CompetitionKey("Greece", "Super League", 1),
}
"""Competition by the division code of football-data's main files."""

LEAGUES: Final[dict[tuple[str, str], CompetitionKey]] = {
    ("argentina", "liga profesional"): CompetitionKey("Argentina", "Liga Profesional", 1),
    ("argentina", "copa de la liga profesional"): CompetitionKey("Argentina", "Copa de la Liga Profesional", 0),
    ("austria", "bundesliga"): CompetitionKey("Austria", "Bundesliga", 1),
    ("brazil", "serie a"): CompetitionKey("Brazil", "Série A", 1),
    ("china", "super league"): CompetitionKey("China", "Super League", 1),
    ("denmark", "superliga"): CompetitionKey("Denmark", "Superliga", 1),
    ("finland", "veikkausliiga"): CompetitionKey("Finland", "Veikkausliiga", 1),
    ("ireland", "premier division"): CompetitionKey("Ireland", "Premier Division", 1),
    ("japan", "j1 league"): CompetitionKey("Japan", "J1 League", 1),
    ("japan", "j-league"): CompetitionKey("Japan", "J1 League", 1),
    ("mexico", "liga mx"): CompetitionKey("Mexico", "Liga MX", 1),
    ("norway", "eliteserien"): CompetitionKey("Norway", "Eliteserien", 1),
    ("poland", "ekstraklasa"): CompetitionKey("Poland", "Ekstraklasa", 1),
    ("romania", "liga 1"): CompetitionKey("Romania", "SuperLiga", 1),
    ("russia", "premier league"): CompetitionKey("Russia", "Premier League", 1),
    ("sweden", "allsvenskan"): CompetitionKey("Sweden", "Allsvenskan", 1),
    ("switzerland", "super league"): CompetitionKey("Switzerland", "Super League", 1),
    ("switzerland", "challenge league"): CompetitionKey("Switzerland", "Challenge League", 2),
    ("usa", "mls"): CompetitionKey("USA", "Major League Soccer", 1),
}
"""Competition by country and league of football-data's extra files, both trimmed and in lower case."""

CALENDAR_YEAR_REGIONS: Final = frozenset(
    {"Brazil", "China", "Finland", "Ireland", "Japan", "Norway", "Sweden", "USA", "Argentina"}
)
"""Regions of the extra files whose seasons lie within one year; used where a file has no column ``Season``."""

OPENFOOTBALL_CODES: Final[dict[str, CompetitionKey]] = {
    "en.1": DIVISIONS["E0"],
    "en.2": DIVISIONS["E1"],
    "en.3": DIVISIONS["E2"],
    "en.4": DIVISIONS["E3"],
    "en.5": DIVISIONS["EC"],
    "sco.1": DIVISIONS["SC0"],
    "de.1": DIVISIONS["D1"],
    "de.2": DIVISIONS["D2"],
    "de.3": CompetitionKey("Germany", "3. Liga", 3),
    "de.cup": CompetitionKey("Germany", "DFB-Pokal", 0),
    "es.1": DIVISIONS["SP1"],
    "es.2": DIVISIONS["SP2"],
    "it.1": DIVISIONS["I1"],
    "it.2": DIVISIONS["I2"],
    "fr.1": DIVISIONS["F1"],
    "fr.2": DIVISIONS["F2"],
    "nl.1": DIVISIONS["N1"],
    "be.1": DIVISIONS["B1"],
    "pt.1": DIVISIONS["P1"],
    "tr.1": DIVISIONS["T1"],
    "tr.2": CompetitionKey("Turkey", "1. Lig", 2),
    "gr.1": DIVISIONS["G1"],
    "at.1": LEAGUES["austria", "bundesliga"],
    "at.2": CompetitionKey("Austria", "2. Liga", 2),
    "at.cup": CompetitionKey("Austria", "ÖFB-Cup", 0),
    "ch.1": LEAGUES["switzerland", "super league"],
    "ch.2": LEAGUES["switzerland", "challenge league"],
    "cz.1": CompetitionKey("Czech Republic", "First League", 1),
    "hu.1": CompetitionKey("Hungary", "Nemzeti Bajnokság I", 1),
    "ru.1": LEAGUES["russia", "premier league"],
    "ru.2": CompetitionKey("Russia", "First League", 2),
    "ar.1": LEAGUES["argentina", "liga profesional"],
    "br.1": LEAGUES["brazil", "serie a"],
    "mx.1": LEAGUES["mexico", "liga mx"],
    "jp.1": LEAGUES["japan", "j1 league"],
    "cn.1": LEAGUES["china", "super league"],
    "au.1": CompetitionKey("Australia", "A-League", 1),
    "uefa.cl": CompetitionKey("Europe", "Champions League", 0),
}
"""Competition by the code in the name of an openfootball file."""

OPENFOOTBALL_TITLES: Final[dict[str, str]] = {
    "Argentina Primera Division": "ar.1",
    "Österr. Bundesliga": "at.1",
    "Österr. 2. Liga": "at.2",
    "Österr. Erste Liga": "at.2",
    "ÖFB Cup": "at.cup",
    "Australia | A-League": "au.1",
    "Belgium First Division A": "be.1",
    "Brasileiro Série A": "br.1",
    "Swiss Super League": "ch.1",
    "Swiss Challenge League": "ch.2",
    "China | Super League": "cn.1",
    "Czech Republic First League": "cz.1",
    "Deutsche Bundesliga": "de.1",
    "Deutsche 2. Bundesliga": "de.2",
    "Deutsche 3. Liga": "de.3",
    "DFB Pokal": "de.cup",
    "English Premier League": "en.1",
    "English Championship": "en.2",
    "English League One": "en.3",
    "English League Two": "en.4",
    "English National League": "en.5",
    "Primera División de España": "es.1",
    "Segunda División de España": "es.2",
    "French Ligue 1": "fr.1",
    "French Ligue 2": "fr.2",
    "Greek Super League": "gr.1",
    "Hungarian Nemzeti Bajnokság I": "hu.1",
    "Italian Serie A": "it.1",
    "Italian Serie B": "it.2",
    "Japan | J1 League": "jp.1",
    "Liga MX": "mx.1",
    "Netherlands Eredivisie": "nl.1",
    "Portuguese Primeira Liga": "pt.1",
    "Russia Premier League": "ru.1",
    "Russia 1. Division": "ru.2",
    "Scottish Premiership": "sco.1",
    "Turkish Süper Lig": "tr.1",
    "Turkish 1. Lig": "tr.2",
    "UEFA Champions League": "uefa.cl",
}
"""Code by the title of an openfootball file without its season, for files whose name has no code."""

UNDERSTAT_LEAGUES: Final[dict[str, CompetitionKey]] = {
    "epl": DIVISIONS["E0"],
    "la liga": DIVISIONS["SP1"],
    "bundesliga": DIVISIONS["D1"],
    "serie a": DIVISIONS["I1"],
    "ligue 1": DIVISIONS["F1"],
    "rfpl": LEAGUES["russia", "premier league"],
}
"""Competition by Understat's name of a league, in lower case."""

WHOSCORED: Final[dict[tuple[int, int], CompetitionKey]] = {
    (252, 2): DIVISIONS["E0"],
    (252, 7): DIVISIONS["E1"],
    (252, 8): DIVISIONS["E2"],
    (252, 9): DIVISIONS["E3"],
    (252, 70): DIVISIONS["EC"],
    (253, 20): DIVISIONS["SC0"],
    (253, 71): DIVISIONS["SC1"],
    (253, 72): DIVISIONS["SC2"],
    (253, 73): DIVISIONS["SC3"],
    (81, 3): DIVISIONS["D1"],
    (81, 6): DIVISIONS["D2"],
    (81, 308): OPENFOOTBALL_CODES["de.3"],
    (81, 24): OPENFOOTBALL_CODES["de.cup"],
    (206, 4): DIVISIONS["SP1"],
    (206, 63): DIVISIONS["SP2"],
    (108, 5): DIVISIONS["I1"],
    (108, 19): DIVISIONS["I2"],
    (74, 22): DIVISIONS["F1"],
    (74, 37): DIVISIONS["F2"],
    (155, 13): DIVISIONS["N1"],
    (22, 18): DIVISIONS["B1"],
    (177, 21): DIVISIONS["P1"],
    (225, 17): DIVISIONS["T1"],
    (225, 140): OPENFOOTBALL_CODES["tr.2"],
    (84, 65): DIVISIONS["G1"],
    (11, 68): LEAGUES["argentina", "liga profesional"],
    (15, 32): LEAGUES["austria", "bundesliga"],
    (31, 95): LEAGUES["brazil", "serie a"],
    (45, 162): LEAGUES["china", "super league"],
    (59, 1): LEAGUES["denmark", "superliga"],
    (73, 43): LEAGUES["finland", "veikkausliiga"],
    (105, 113): LEAGUES["ireland", "premier division"],
    (110, 150): LEAGUES["japan", "j1 league"],
    (142, 103): LEAGUES["mexico", "liga mx"],
    (165, 41): LEAGUES["norway", "eliteserien"],
    (176, 76): LEAGUES["poland", "ekstraklasa"],
    (181, 121): LEAGUES["romania", "liga 1"],
    (182, 77): LEAGUES["russia", "premier league"],
    (182, 257): OPENFOOTBALL_CODES["ru.2"],
    (212, 40): LEAGUES["sweden", "allsvenskan"],
    (213, 33): LEAGUES["switzerland", "super league"],
    (213, 55): LEAGUES["switzerland", "challenge league"],
    (233, 85): LEAGUES["usa", "mls"],
    (58, 78): OPENFOOTBALL_CODES["cz.1"],
    (99, 75): OPENFOOTBALL_CODES["hu.1"],
    (14, 194): OPENFOOTBALL_CODES["au.1"],
    (250, 12): OPENFOOTBALL_CODES["uefa.cl"],
}
"""Competition by WhoScored's ids of region and tournament."""

WHOSCORED_WORLD_REGIONS: Final = frozenset({247, 248, 249, 250, 264, 265})
"""WhoScored's ids of regions that are not a country: the teams in their tournaments come from elsewhere."""
