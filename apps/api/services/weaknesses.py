"""Why a forecast is less sure than usual, in words: in the language of a page, and in English for the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.utils.translation import gettext, gettext_lazy, ngettext

from apps.matches.models import Match
from apps.ml.forecasting import weaknesses as codes

TEXTS: Final = {
    codes.FALLBACK: gettext_lazy("the current model cannot be loaded, and a fallback made the forecast"),
    codes.NO_STATISTICS: gettext_lazy("shots are not counted in most matches of both teams"),
    codes.PROMOTED: gettext_lazy("{team} came up before this season"),
    codes.RELEGATED: gettext_lazy("{team} went down before this season"),
    codes.SEASON_START: gettext_lazy("the season has only begun"),
    codes.LONG_BREAK: gettext_lazy("{team} has not played for {count} days or more"),
}
"""Texts of the codes that have one each."""


def weaknesses_shape(match: Match, weaknesses: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the weaknesses of a forecast, as `Prediction.weaknesses` stores them, in the shape of the API."""
    return [
        {"code": each["code"], "side": each["side"] or None, "text": weakness_in_words(match, each)}
        for each in weaknesses
    ]


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
    return str(TEXTS[code]).format(team=team, count=number)
