"""Chances of matches in play: part of a forecast's answer, and of the events that tell of a score.

They follow from the forecast at kick-off, the minute and the score only, so that an event that is read
again later has the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from apps.api.services.forecasts import ForecastDetails, live_chances, named, published_details, rounded_probabilities
from apps.matches.feed import message_of
from apps.matches.models import Event, LiveScore
from apps.ml import selectors as ml_selectors

LIVE: Final = "live"
"""Member of the payload of an event that tells of a score."""


def messages_of(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return numbered events as clients get them; those of a score with the chances that follow, null without any.

    One query where an event tells of a score, none otherwise.
    """
    messages = [message_of(event) for event in events]
    of_scores = [message for message in messages if message["match"] is not None and LIVE in message["payload"]]
    details = _forecasts({message["match"] for message in of_scores})
    for message in of_scores:
        score = message["payload"][LIVE]
        forecast = details.get(message["match"])
        chances = None if forecast is None else _chances(forecast, score)
        message["payload"] = message["payload"] | {LIVE: score | {"probabilities": chances}}
    return messages


def _forecasts(match_ids: Iterable[int]) -> dict[int, ForecastDetails]:
    """Return the forecast of each match that was published before its kick-off."""
    wanted = sorted(match_ids)
    found = ml_selectors.latest_predictions(wanted) if wanted else {}
    return {match_id: published_details(prediction) for match_id, prediction in found.items()}


def _chances(forecast: ForecastDetails, score: dict[str, int]) -> dict[str, float]:
    row = LiveScore(minute=score["minute"], home_goals=score["home_goals"], away_goals=score["away_goals"])
    return named(rounded_probabilities(live_chances(forecast, row)))
