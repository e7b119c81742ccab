"""Forecasts of many matches in one call: stored ones by their ids, and pairings of any two teams.

A batch is answered in slices. A slice takes some ten milliseconds, most of them in the database and in compiled code
that runs beside other threads, so that forecasts of single matches in the same process do not wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from apps.api import selectors
from apps.api.services.forecast_rows import (
    Row,
    forecast_row,
    forecast_rows,
    match_values,
    number_values,
    uncertainty_values,
)
from apps.api.services.what_if import seasons_to_meet
from apps.matches import selectors as match_selectors
from apps.matches.models import Match, Team, World
from apps.ml import services as ml_services

SLICE: Final = 250
"""Items that are answered at a time."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two teams by their slugs; without a day they meet on the next Saturday, without a competition at home."""

    home: str
    away: str
    competition: str = ""
    day: date | None = None
    is_neutral: bool = False


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why an item has no forecast: a code, a sentence, and the member of the item that it is about."""

    kind: str
    detail: str
    about: str = ""


Item = int | Pairing | ItemError
"""The id of a match, a pairing, or what is wrong with an item that is neither."""

Answer = Row | ItemError


def forecast_batch(items: Sequence[Item], *, now: datetime) -> Iterator[list[Answer]]:
    """Yield the answers to items in their order, slice by slice.

    A match has the latest forecast that was published before its kick-off; a coming fixture without one, and a pairing,
    one that is made now. Equal items have equal answers.
    """
    batch = _Batch.of(items, now=now)
    for start in range(0, len(items), SLICE):
        yield batch.answers(items[start : start + SLICE])


@dataclass(slots=True)
class _Batch:
    """What the slices of a batch share."""

    now: datetime
    teams: Mapping[str, Team]
    leagues: Mapping[int, selectors.LatestLeague]  # of each team
    models: dict[World, ml_services.ServedModel | None] = field(default_factory=dict)
    pairings: dict[Pairing, Answer] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Sequence[Item], *, now: datetime) -> _Batch:
        """Look up the teams of all pairings and their leagues; two queries, none without pairings."""
        slugs = {slug for item in items if isinstance(item, Pairing) for slug in (item.home, item.away)}
        if not slugs:
            return cls(now, {}, {})
        teams = selectors.teams_of_slugs(sorted(slugs))
        return cls(now, teams, selectors.latest_leagues(teams.values()))

    def answers(self, items: Sequence[Item]) -> list[Answer]:
        """Return the answers to some of the items."""
        stored = self._stored([item for item in items if isinstance(item, int)])
        self._forecast_pairings({item for item in items if isinstance(item, Pairing)} - self.pairings.keys())
        return [
            item if isinstance(item, ItemError) else stored[item] if isinstance(item, int) else self.pairings[item]
            for item in items
        ]

    def _stored(self, match_ids: Sequence[int]) -> dict[int, Answer]:
        """Return the answers to ids of matches, by two queries, and a third where fixtures have no forecast yet."""
        if not match_ids:
            return {}
        found: dict[int, Answer] = {row["match"]: row for row in forecast_rows(match_ids)}
        without = [match_id for match_id in dict.fromkeys(match_ids) if match_id not in found]
        if not without:
            return found
        matches = match_selectors.matches().in_bulk(without)
        fixtures = []
        for match_id in without:
            match = matches.get(match_id)
            if match is None:
                found[match_id] = ItemError("unknown-match", f"There is no match with the id {match_id}.", "match")
            elif reason := _why_none(match, self.now):
                found[match_id] = ItemError("no-forecast", reason, "match")
            else:
                fixtures.append(match)
        return found | {match.pk: answer for match, answer in self._forecast(fixtures)}

    def _forecast_pairings(self, pairings: set[Pairing]) -> None:
        meetings: dict[Pairing, ml_services.Meeting] = {}
        for pairing in pairings:
            try:
                meetings[pairing] = self._meeting(pairing)
            except ml_services.WhatIfRefusedError as error:
                self.pairings[pairing] = ItemError(error.kind, str(error), error.about)
        answers = {id(meeting): answer for meeting, answer in self._forecast(list(meetings.values()))}
        self.pairings |= {pairing: answers[id(meeting)] for pairing, meeting in meetings.items()}

    def _meeting(self, pairing: Pairing) -> ml_services.Meeting:
        for about, slug in (("home", pairing.home), ("away", pairing.away)):
            if slug not in self.teams:
                raise ml_services.WhatIfRefusedError(
                    "unknown-team", about, f"There is no team with the slug {slug[:160]}; /api/v1/teams/ lists all."
                )
        home_team, away_team = self.teams[pairing.home], self.teams[pairing.away]
        return ml_services.meeting(
            home_team=home_team,
            away_team=away_team,
            season=seasons_to_meet(home_team, away_team, self.leagues, pairing.competition)[0],
            day=pairing.day or ml_services.next_saturday(self.now),
            is_neutral=pairing.is_neutral,
            now=self.now,
        )

    def _forecast(self, matches: Sequence[Any]) -> Iterator[tuple[Any, Answer]]:
        """Yield matches with forecasts that are made now, by the same model in all slices."""
        for world in {match.season.competition.world for match in matches}:
            of_world = [match for match in matches if match.season.competition.world == world]
            try:
                served = self._model(world)
                made = ml_services.forecast_numbers(of_world, served, now=self.now)
            except ml_services.NoForecastError as error:
                for match in of_world:
                    yield match, ItemError("no-forecast", str(error))
                continue
            origin = (made.version_number, made.data_snapshot, self.now, None, made.degraded or None)
            numbers = number_values(made.p, made.goals, made.rho)
            uncertainties = uncertainty_values(made.weaknesses, made.intervals, made.interval_level)
            for match, of_match, uncertainty in zip(of_world, numbers, uncertainties, strict=True):
                yield match, forecast_row(match_values(match), of_match, origin, uncertainty)

    def _model(self, world: World) -> ml_services.ServedModel | None:
        if world not in self.models:
            self.models[world] = ml_services.model_to_serve(world, now=self.now)
        return self.models[world]


def _why_none(match: Match, now: datetime) -> str:
    """Return why no forecast of a match without a published one can be made; empty for a coming fixture."""
    if match.kickoff_at <= now:
        return "No forecast of this match was published before its kick-off."
    if match.status != Match.Status.SCHEDULED:
        status = match.get_status_display().lower()
        return f"The match is {status}; it is forecast once it is scheduled again."
    return ""
