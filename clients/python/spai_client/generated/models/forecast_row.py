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






T = TypeVar("T", bound="ForecastRow")



@_attrs_define
class ForecastRow:
    """ The latest forecast of one match that was published before its kick-off.

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
            home_expected_goals (float): In 90 minutes and stoppage time.
            away_expected_goals (float):
            fair_home (float | None): Decimal odds without a margin: 1 / probability.
            fair_draw (float | None):
            fair_away (float | None):
            data_snapshot (int): Number of the data snapshot that the forecast uses.
            as_of (datetime.datetime): The forecast uses no fact that became known later.
            published_at (datetime.datetime | None): Null for one that was made for this request.
            degraded (None | str): What stood in for the champion; null for itself.
            weaknesses (str): Why the forecast is less sure than usual: codes, such as `new_club:home season_start`, the
                most important first, with the side where it is one; mostly empty. The forecast of a single match has them in
                words.
            interval_level (float | None): Share of the matches in which an interval, such as `p_home_low` to `p_home_high`,
                each by itself, shall hold the closing line; null where too few earlier forecasts of the model had one.
            p_home_low (float | None): The ends of the interval around `p_home`.
            p_home_high (float | None):
            p_draw_low (float | None):
            p_draw_high (float | None):
            p_away_low (float | None):
            p_away_high (float | None):
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
    home_expected_goals: float
    away_expected_goals: float
    fair_home: float | None
    fair_draw: float | None
    fair_away: float | None
    data_snapshot: int
    as_of: datetime.datetime
    published_at: datetime.datetime | None
    degraded: None | str
    weaknesses: str
    interval_level: float | None
    p_home_low: float | None
    p_home_high: float | None
    p_draw_low: float | None
    p_draw_high: float | None
    p_away_low: float | None
    p_away_high: float | None
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

        home_expected_goals = self.home_expected_goals

        away_expected_goals = self.away_expected_goals

        fair_home: float | None
        fair_home = self.fair_home

        fair_draw: float | None
        fair_draw = self.fair_draw

        fair_away: float | None
        fair_away = self.fair_away

        data_snapshot = self.data_snapshot

        as_of = self.as_of.isoformat()

        published_at: None | str
        if isinstance(self.published_at, datetime.datetime):
            published_at = self.published_at.isoformat()
        else:
            published_at = self.published_at

        degraded: None | str
        degraded = self.degraded

        weaknesses = self.weaknesses

        interval_level: float | None
        interval_level = self.interval_level

        p_home_low: float | None
        p_home_low = self.p_home_low

        p_home_high: float | None
        p_home_high = self.p_home_high

        p_draw_low: float | None
        p_draw_low = self.p_draw_low

        p_draw_high: float | None
        p_draw_high = self.p_draw_high

        p_away_low: float | None
        p_away_low = self.p_away_low

        p_away_high: float | None
        p_away_high = self.p_away_high


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
            "home_expected_goals": home_expected_goals,
            "away_expected_goals": away_expected_goals,
            "fair_home": fair_home,
            "fair_draw": fair_draw,
            "fair_away": fair_away,
            "data_snapshot": data_snapshot,
            "as_of": as_of,
            "published_at": published_at,
            "degraded": degraded,
            "weaknesses": weaknesses,
            "interval_level": interval_level,
            "p_home_low": p_home_low,
            "p_home_high": p_home_high,
            "p_draw_low": p_draw_low,
            "p_draw_high": p_draw_high,
            "p_away_low": p_away_low,
            "p_away_high": p_away_high,
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


        home_expected_goals = d.pop("home_expected_goals")

        away_expected_goals = d.pop("away_expected_goals")

        def _parse_fair_home(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        fair_home = _parse_fair_home(d.pop("fair_home"))


        def _parse_fair_draw(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        fair_draw = _parse_fair_draw(d.pop("fair_draw"))


        def _parse_fair_away(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        fair_away = _parse_fair_away(d.pop("fair_away"))


        data_snapshot = d.pop("data_snapshot")

        as_of = datetime.datetime.fromisoformat(d.pop("as_of"))




        def _parse_published_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                published_at_type_0 = datetime.datetime.fromisoformat(data)



                return published_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        published_at = _parse_published_at(d.pop("published_at"))


        def _parse_degraded(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        degraded = _parse_degraded(d.pop("degraded"))


        weaknesses = d.pop("weaknesses")

        def _parse_interval_level(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        interval_level = _parse_interval_level(d.pop("interval_level"))


        def _parse_p_home_low(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        p_home_low = _parse_p_home_low(d.pop("p_home_low"))


        def _parse_p_home_high(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        p_home_high = _parse_p_home_high(d.pop("p_home_high"))


        def _parse_p_draw_low(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        p_draw_low = _parse_p_draw_low(d.pop("p_draw_low"))


        def _parse_p_draw_high(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        p_draw_high = _parse_p_draw_high(d.pop("p_draw_high"))


        def _parse_p_away_low(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        p_away_low = _parse_p_away_low(d.pop("p_away_low"))


        def _parse_p_away_high(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        p_away_high = _parse_p_away_high(d.pop("p_away_high"))


        forecast_row = cls(
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
            home_expected_goals=home_expected_goals,
            away_expected_goals=away_expected_goals,
            fair_home=fair_home,
            fair_draw=fair_draw,
            fair_away=fair_away,
            data_snapshot=data_snapshot,
            as_of=as_of,
            published_at=published_at,
            degraded=degraded,
            weaknesses=weaknesses,
            interval_level=interval_level,
            p_home_low=p_home_low,
            p_home_high=p_home_high,
            p_draw_low=p_draw_low,
            p_draw_high=p_draw_high,
            p_away_low=p_away_low,
            p_away_high=p_away_high,
        )


        forecast_row.additional_properties = d
        return forecast_row

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
