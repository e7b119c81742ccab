"""Why a forecast is less sure than usual, in words: in the language of a page, and in English for the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, ngettext

from apps.matches.models import Match
from apps.ml.forecasting import weaknesses as codes


def weakness_in_words(match: Match, weakness: Mapping[str, Any]) -> str:
    """Return one weakness of a forecast, as `Prediction.weaknesses` stores it, as a part of a sentence."""
    code, side, number = weakness["code"], weakness["side"], weakness["number"]
    team = {"home": match.home_team.display_name, "away": match.away_team.display_name}.get(side, "")
    if code == codes.NEW_CLUB:
        if number == 0:
            return gettext("no match of {team} is known").format(team=team)
        text = ngettext(
            "{team} has played {count} match that we know of",
            "{team} has played {count} matches that we know of",
            number,
        )
        return text.format(team=team, count=number)
    if code == codes.NO_STATISTICS and side:
        return gettext("shots are not counted in most matches of {team}").format(team=team)
    texts = {
        codes.FALLBACK: gettext("the current model cannot be loaded, and a fallback made the forecast"),
        codes.NO_STATISTICS: gettext("shots are not counted in most matches of both teams"),
        codes.PROMOTED: gettext("{team} came up before this season"),
        codes.RELEGATED: gettext("{team} went down before this season"),
        codes.SEASON_START: gettext("the season has only begun"),
        codes.LONG_BREAK: gettext("{team} has not played for {count} days or more"),
    }
    return texts[code].format(team=team, count=number)
