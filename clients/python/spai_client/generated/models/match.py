from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.kickoff_precision_enum import KickoffPrecisionEnum
from ..models.status_enum import StatusEnum
from ..models.world_enum import WorldEnum
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.competition import Competition
  from ..models.match_stats import MatchStats
  from ..models.team import Team





T = TypeVar("T", bound="Match")



@_attrs_define
class Match:
    """ One match; all moments are in UTC.

        Attributes:
            id (int):
            url (str):
            world (WorldEnum): * `real` - real
                * `sandbox` - sandbox
            competition (Competition): The competition of a match.
            season (str): 2023-24, or 2023 within one year.
            stage (str): Part of the season with its own rules; empty in most leagues.
            round_ (str):
            home_team (Team): A team of a match.
            away_team (Team): A team of a match.
            kickoff_at (datetime.datetime):
            kickoff_precision (KickoffPrecisionEnum): * `minute` - Minute
                * `date` - Date
            finished_at (datetime.datetime | None): The recorded final whistle.
            known_at (datetime.datetime | None): When the result could first have been known; empty while there is none.
            status (StatusEnum): * `scheduled` - Scheduled
                * `live` - Live
                * `finished` - Finished
                * `postponed` - Postponed
                * `cancelled` - Cancelled
                * `abandoned` - Abandoned
                * `awarded` - Awarded
                * `unknown` - Unknown
            is_neutral (bool):
            home_goals (int | None): After 90 minutes and stoppage time.
            away_goals (int | None):
            home_goals_half_time (int | None):
            away_goals_half_time (int | None):
            home_goals_extra_time (int | None):
            away_goals_extra_time (int | None):
            home_penalties (int | None):
            away_penalties (int | None):
            stats (MatchStats | None): Null for a match without statistics.
            revision (int): Counts how often the result was set or changed; a score names the one it graded.
            updated_at (datetime.datetime):
            prediction_url (str):
     """

    id: int
    url: str
    world: WorldEnum
    competition: Competition
    season: str
    stage: str
    round_: str
    home_team: Team
    away_team: Team
    kickoff_at: datetime.datetime
    kickoff_precision: KickoffPrecisionEnum
    finished_at: datetime.datetime | None
    known_at: datetime.datetime | None
    status: StatusEnum
    is_neutral: bool
    home_goals: int | None
    away_goals: int | None
    home_goals_half_time: int | None
    away_goals_half_time: int | None
    home_goals_extra_time: int | None
    away_goals_extra_time: int | None
    home_penalties: int | None
    away_penalties: int | None
    stats: MatchStats | None
    revision: int
    updated_at: datetime.datetime
    prediction_url: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.competition import Competition # noqa: PLC0415
        from ..models.match_stats import MatchStats # noqa: PLC0415
        from ..models.team import Team # noqa: PLC0415
        id = self.id

        url = self.url

        world = self.world.value

        competition = self.competition.to_dict()

        season = self.season

        stage = self.stage

        round_ = self.round_

        home_team = self.home_team.to_dict()

        away_team = self.away_team.to_dict()

        kickoff_at = self.kickoff_at.isoformat()

        kickoff_precision = self.kickoff_precision.value

        finished_at: None | str
        if isinstance(self.finished_at, datetime.datetime):
            finished_at = self.finished_at.isoformat()
        else:
            finished_at = self.finished_at

        known_at: None | str
        if isinstance(self.known_at, datetime.datetime):
            known_at = self.known_at.isoformat()
        else:
            known_at = self.known_at

        status = self.status.value

        is_neutral = self.is_neutral

        home_goals: int | None
        home_goals = self.home_goals

        away_goals: int | None
        away_goals = self.away_goals

        home_goals_half_time: int | None
        home_goals_half_time = self.home_goals_half_time

        away_goals_half_time: int | None
        away_goals_half_time = self.away_goals_half_time

        home_goals_extra_time: int | None
        home_goals_extra_time = self.home_goals_extra_time

        away_goals_extra_time: int | None
        away_goals_extra_time = self.away_goals_extra_time

        home_penalties: int | None
        home_penalties = self.home_penalties

        away_penalties: int | None
        away_penalties = self.away_penalties

        stats: dict[str, Any] | None
        if isinstance(self.stats, MatchStats):
            stats = self.stats.to_dict()
        else:
            stats = self.stats

        revision = self.revision

        updated_at = self.updated_at.isoformat()

        prediction_url = self.prediction_url


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "url": url,
            "world": world,
            "competition": competition,
            "season": season,
            "stage": stage,
            "round": round_,
            "home_team": home_team,
            "away_team": away_team,
            "kickoff_at": kickoff_at,
            "kickoff_precision": kickoff_precision,
            "finished_at": finished_at,
            "known_at": known_at,
            "status": status,
            "is_neutral": is_neutral,
            "home_goals": home_goals,
            "away_goals": away_goals,
            "home_goals_half_time": home_goals_half_time,
            "away_goals_half_time": away_goals_half_time,
            "home_goals_extra_time": home_goals_extra_time,
            "away_goals_extra_time": away_goals_extra_time,
            "home_penalties": home_penalties,
            "away_penalties": away_penalties,
            "stats": stats,
            "revision": revision,
            "updated_at": updated_at,
            "prediction_url": prediction_url,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.competition import Competition # noqa: PLC0415
        from ..models.match_stats import MatchStats # noqa: PLC0415
        from ..models.team import Team # noqa: PLC0415
        d = dict(src_dict)
        id = d.pop("id")

        url = d.pop("url")

        world = WorldEnum(d.pop("world"))




        competition = Competition.from_dict(d.pop("competition"))




        season = d.pop("season")

        stage = d.pop("stage")

        round_ = d.pop("round")

        home_team = Team.from_dict(d.pop("home_team"))




        away_team = Team.from_dict(d.pop("away_team"))




        kickoff_at = datetime.datetime.fromisoformat(d.pop("kickoff_at"))




        kickoff_precision = KickoffPrecisionEnum(d.pop("kickoff_precision"))




        def _parse_finished_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                finished_at_type_0 = datetime.datetime.fromisoformat(data)



                return finished_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        finished_at = _parse_finished_at(d.pop("finished_at"))


        def _parse_known_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                known_at_type_0 = datetime.datetime.fromisoformat(data)



                return known_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        known_at = _parse_known_at(d.pop("known_at"))


        status = StatusEnum(d.pop("status"))




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


        def _parse_home_goals_half_time(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_goals_half_time = _parse_home_goals_half_time(d.pop("home_goals_half_time"))


        def _parse_away_goals_half_time(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_goals_half_time = _parse_away_goals_half_time(d.pop("away_goals_half_time"))


        def _parse_home_goals_extra_time(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_goals_extra_time = _parse_home_goals_extra_time(d.pop("home_goals_extra_time"))


        def _parse_away_goals_extra_time(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_goals_extra_time = _parse_away_goals_extra_time(d.pop("away_goals_extra_time"))


        def _parse_home_penalties(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_penalties = _parse_home_penalties(d.pop("home_penalties"))


        def _parse_away_penalties(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_penalties = _parse_away_penalties(d.pop("away_penalties"))


        def _parse_stats(data: object) -> MatchStats | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                stats_type_0 = MatchStats.from_dict(data)



                return stats_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(MatchStats | None, data)

        stats = _parse_stats(d.pop("stats"))


        revision = d.pop("revision")

        updated_at = datetime.datetime.fromisoformat(d.pop("updated_at"))




        prediction_url = d.pop("prediction_url")

        match = cls(
            id=id,
            url=url,
            world=world,
            competition=competition,
            season=season,
            stage=stage,
            round_=round_,
            home_team=home_team,
            away_team=away_team,
            kickoff_at=kickoff_at,
            kickoff_precision=kickoff_precision,
            finished_at=finished_at,
            known_at=known_at,
            status=status,
            is_neutral=is_neutral,
            home_goals=home_goals,
            away_goals=away_goals,
            home_goals_half_time=home_goals_half_time,
            away_goals_half_time=away_goals_half_time,
            home_goals_extra_time=home_goals_extra_time,
            away_goals_extra_time=away_goals_extra_time,
            home_penalties=home_penalties,
            away_penalties=away_penalties,
            stats=stats,
            revision=revision,
            updated_at=updated_at,
            prediction_url=prediction_url,
        )


        match.additional_properties = d
        return match

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
