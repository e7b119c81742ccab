from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.result_enum import ResultEnum
from ..models.status_enum import StatusEnum
from ..models.world_enum import WorldEnum
from typing import cast
import datetime






T = TypeVar("T", bound="ScoreRow")



@_attrs_define
class ScoreRow:
    """ The score of the forecast of one match, for the newest revision of its result.

        Attributes:
            match (int | None): Id; null for a match that is not stored.
            world (WorldEnum): * `real` - real
                * `sandbox` - sandbox
            kickoff_at (datetime.datetime):
            status (StatusEnum): * `scheduled` - Scheduled
                * `live` - Live
                * `finished` - Finished
                * `postponed` - Postponed
                * `cancelled` - Cancelled
                * `abandoned` - Abandoned
                * `awarded` - Awarded
                * `unknown` - Unknown
            competition (str): Slug.
            competition_name (str):
            season (str): 2023-24, or 2023 within one year.
            home_team (str): Slug.
            home_team_name (str): As pages show it.
            away_team (str): Slug.
            away_team_name (str): As pages show it.
            is_neutral (bool):
            home_goals (int | None): After 90 minutes; null without a result.
            away_goals (int | None):
            result (None | ResultEnum): Null without a result.

                * `H` - H
                * `D` - D
                * `A` - A
            p_home (float): Calibrated; the three sum to 1, but for rounding.
            p_draw (float):
            p_away (float):
            model (int | None): Number of the model version; null where the base rates stand in for a model.
            published_at (datetime.datetime):
            revision (int): Of the result; it counts how often that was set or changed.
            log_loss (float): In nats.
            rps (float): Ranked probability score, from 0 to 1.
            brier (float): Summed over the three outcomes.
            base_log_loss (float): Of the base rates of the competition.
            base_rps (float):
            market_log_loss (float | None): Of the closing prices; null without any.
            market_rps (float | None):
            settled_at (datetime.datetime):
     """

    match: int | None
    world: WorldEnum
    kickoff_at: datetime.datetime
    status: StatusEnum
    competition: str
    competition_name: str
    season: str
    home_team: str
    home_team_name: str
    away_team: str
    away_team_name: str
    is_neutral: bool
    home_goals: int | None
    away_goals: int | None
    result: None | ResultEnum
    p_home: float
    p_draw: float
    p_away: float
    model: int | None
    published_at: datetime.datetime
    revision: int
    log_loss: float
    rps: float
    brier: float
    base_log_loss: float
    base_rps: float
    market_log_loss: float | None
    market_rps: float | None
    settled_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        match: int | None
        match = self.match

        world = self.world.value

        kickoff_at = self.kickoff_at.isoformat()

        status = self.status.value

        competition = self.competition

        competition_name = self.competition_name

        season = self.season

        home_team = self.home_team

        home_team_name = self.home_team_name

        away_team = self.away_team

        away_team_name = self.away_team_name

        is_neutral = self.is_neutral

        home_goals: int | None
        home_goals = self.home_goals

        away_goals: int | None
        away_goals = self.away_goals

        result: None | str
        if isinstance(self.result, ResultEnum):
            result = self.result.value
        else:
            result = self.result

        p_home = self.p_home

        p_draw = self.p_draw

        p_away = self.p_away

        model: int | None
        model = self.model

        published_at = self.published_at.isoformat()

        revision = self.revision

        log_loss = self.log_loss

        rps = self.rps

        brier = self.brier

        base_log_loss = self.base_log_loss

        base_rps = self.base_rps

        market_log_loss: float | None
        market_log_loss = self.market_log_loss

        market_rps: float | None
        market_rps = self.market_rps

        settled_at = self.settled_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "match": match,
            "world": world,
            "kickoff_at": kickoff_at,
            "status": status,
            "competition": competition,
            "competition_name": competition_name,
            "season": season,
            "home_team": home_team,
            "home_team_name": home_team_name,
            "away_team": away_team,
            "away_team_name": away_team_name,
            "is_neutral": is_neutral,
            "home_goals": home_goals,
            "away_goals": away_goals,
            "result": result,
            "p_home": p_home,
            "p_draw": p_draw,
            "p_away": p_away,
            "model": model,
            "published_at": published_at,
            "revision": revision,
            "log_loss": log_loss,
            "rps": rps,
            "brier": brier,
            "base_log_loss": base_log_loss,
            "base_rps": base_rps,
            "market_log_loss": market_log_loss,
            "market_rps": market_rps,
            "settled_at": settled_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        def _parse_match(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        match = _parse_match(d.pop("match"))


        world = WorldEnum(d.pop("world"))




        kickoff_at = datetime.datetime.fromisoformat(d.pop("kickoff_at"))




        status = StatusEnum(d.pop("status"))




        competition = d.pop("competition")

        competition_name = d.pop("competition_name")

        season = d.pop("season")

        home_team = d.pop("home_team")

        home_team_name = d.pop("home_team_name")

        away_team = d.pop("away_team")

        away_team_name = d.pop("away_team_name")

        is_neutral = d.pop("is_neutral")

        def _parse_home_goals(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_goals = _parse_home_goals(d.pop("home_goals"))


        def _parse_away_goals(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_goals = _parse_away_goals(d.pop("away_goals"))


        def _parse_result(data: object) -> None | ResultEnum:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                result_type_0 = ResultEnum(data)



                return result_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | ResultEnum, data)

        result = _parse_result(d.pop("result"))


        p_home = d.pop("p_home")

        p_draw = d.pop("p_draw")

        p_away = d.pop("p_away")

        def _parse_model(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        model = _parse_model(d.pop("model"))


        published_at = datetime.datetime.fromisoformat(d.pop("published_at"))




        revision = d.pop("revision")

        log_loss = d.pop("log_loss")

        rps = d.pop("rps")

        brier = d.pop("brier")

        base_log_loss = d.pop("base_log_loss")

        base_rps = d.pop("base_rps")

        def _parse_market_log_loss(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        market_log_loss = _parse_market_log_loss(d.pop("market_log_loss"))


        def _parse_market_rps(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        market_rps = _parse_market_rps(d.pop("market_rps"))


        settled_at = datetime.datetime.fromisoformat(d.pop("settled_at"))




        score_row = cls(
            match=match,
            world=world,
            kickoff_at=kickoff_at,
            status=status,
            competition=competition,
            competition_name=competition_name,
            season=season,
            home_team=home_team,
            home_team_name=home_team_name,
            away_team=away_team,
            away_team_name=away_team_name,
            is_neutral=is_neutral,
            home_goals=home_goals,
            away_goals=away_goals,
            result=result,
            p_home=p_home,
            p_draw=p_draw,
            p_away=p_away,
            model=model,
            published_at=published_at,
            revision=revision,
            log_loss=log_loss,
            rps=rps,
            brier=brier,
            base_log_loss=base_log_loss,
            base_rps=base_rps,
            market_log_loss=market_log_loss,
            market_rps=market_rps,
            settled_at=settled_at,
        )


        score_row.additional_properties = d
        return score_row

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
