from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.kickoff_precision_enum import KickoffPrecisionEnum
from ..models.match_line_type_enum import MatchLineTypeEnum
from ..models.status_enum import StatusEnum
from ..types import UNSET, Unset
from typing import cast

if TYPE_CHECKING:
  from ..models.competition_line import CompetitionLine
  from ..models.quote_line import QuoteLine
  from ..models.stats_line import StatsLine





T = TypeVar("T", bound="MatchLine")



@_attrs_define
class MatchLine:
    """ A fixture or a result. A field that is null or left out keeps its stored value.

        Attributes:
            competition (CompetitionLine): The competition of a line.
            season (str): 2023-24, or 2023 within one year.
            home_team (str): Name as the feed writes it.
            away_team (str):
            kickoff_at (str): ISO 8601 with its zone; a day where only that is known.
            type_ (MatchLineTypeEnum | Unset): * `match` - match
            kickoff_precision (KickoffPrecisionEnum | Unset): * `minute` - Minute
                * `date` - Date
            status (StatusEnum | Unset): * `scheduled` - Scheduled
                * `live` - Live
                * `finished` - Finished
                * `postponed` - Postponed
                * `cancelled` - Cancelled
                * `abandoned` - Abandoned
                * `awarded` - Awarded
                * `unknown` - Unknown
            home_goals (int | Unset): After 90 minutes and stoppage time; with status live and a minute, the score now.
            away_goals (int | Unset):
            minute (int | Unset): Minutes played, with status live; 45 and 90 in stoppage time.
            home_goals_half_time (int | Unset):
            away_goals_half_time (int | Unset):
            home_goals_extra_time (int | Unset): At the end of extra time, those of the 90 minutes included.
            away_goals_extra_time (int | Unset):
            home_penalties (int | Unset): Of a shoot-out.
            away_penalties (int | Unset):
            finished_at (str | Unset): The final whistle, ISO 8601 with its zone.
            is_neutral (bool | Unset):
            source_id (str | Unset): The feed's own id of the match; it identifies the match when other fields change.
            home_team_id (str | Unset): The feed's own id of the team.
            away_team_id (str | Unset):
            home_region (str | Unset): Region of the team, if not the competition's.
            away_region (str | Unset):
            stage (str | Unset): Such as Group A.
            round_ (str | Unset): Such as Matchday 7.
            stats (StatsLine | Unset): Counts of a match; leave out what was not counted.
            odds (list[QuoteLine] | Unset):
     """

    competition: CompetitionLine
    season: str
    home_team: str
    away_team: str
    kickoff_at: str
    type_: MatchLineTypeEnum | Unset = UNSET
    kickoff_precision: KickoffPrecisionEnum | Unset = UNSET
    status: StatusEnum | Unset = UNSET
    home_goals: int | Unset = UNSET
    away_goals: int | Unset = UNSET
    minute: int | Unset = UNSET
    home_goals_half_time: int | Unset = UNSET
    away_goals_half_time: int | Unset = UNSET
    home_goals_extra_time: int | Unset = UNSET
    away_goals_extra_time: int | Unset = UNSET
    home_penalties: int | Unset = UNSET
    away_penalties: int | Unset = UNSET
    finished_at: str | Unset = UNSET
    is_neutral: bool | Unset = UNSET
    source_id: str | Unset = UNSET
    home_team_id: str | Unset = UNSET
    away_team_id: str | Unset = UNSET
    home_region: str | Unset = UNSET
    away_region: str | Unset = UNSET
    stage: str | Unset = UNSET
    round_: str | Unset = UNSET
    stats: StatsLine | Unset = UNSET
    odds: list[QuoteLine] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.competition_line import CompetitionLine # noqa: PLC0415
        from ..models.quote_line import QuoteLine # noqa: PLC0415
        from ..models.stats_line import StatsLine # noqa: PLC0415
        competition = self.competition.to_dict()

        season = self.season

        home_team = self.home_team

        away_team = self.away_team

        kickoff_at = self.kickoff_at

        type_: str | Unset = UNSET
        if not isinstance(self.type_, Unset):
            type_ = self.type_.value


        kickoff_precision: str | Unset = UNSET
        if not isinstance(self.kickoff_precision, Unset):
            kickoff_precision = self.kickoff_precision.value


        status: str | Unset = UNSET
        if not isinstance(self.status, Unset):
            status = self.status.value


        home_goals = self.home_goals

        away_goals = self.away_goals

        minute = self.minute

        home_goals_half_time = self.home_goals_half_time

        away_goals_half_time = self.away_goals_half_time

        home_goals_extra_time = self.home_goals_extra_time

        away_goals_extra_time = self.away_goals_extra_time

        home_penalties = self.home_penalties

        away_penalties = self.away_penalties

        finished_at = self.finished_at

        is_neutral = self.is_neutral

        source_id = self.source_id

        home_team_id = self.home_team_id

        away_team_id = self.away_team_id

        home_region = self.home_region

        away_region = self.away_region

        stage = self.stage

        round_ = self.round_

        stats: dict[str, Any] | Unset = UNSET
        if not isinstance(self.stats, Unset):
            stats = self.stats.to_dict()

        odds: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.odds, Unset):
            odds = []
            for odds_item_data in self.odds:
                odds_item = odds_item_data.to_dict()
                odds.append(odds_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "competition": competition,
            "season": season,
            "home_team": home_team,
            "away_team": away_team,
            "kickoff_at": kickoff_at,
        })
        if type_ is not UNSET:
            field_dict["type"] = type_
        if kickoff_precision is not UNSET:
            field_dict["kickoff_precision"] = kickoff_precision
        if status is not UNSET:
            field_dict["status"] = status
        if home_goals is not UNSET:
            field_dict["home_goals"] = home_goals
        if away_goals is not UNSET:
            field_dict["away_goals"] = away_goals
        if minute is not UNSET:
            field_dict["minute"] = minute
        if home_goals_half_time is not UNSET:
            field_dict["home_goals_half_time"] = home_goals_half_time
        if away_goals_half_time is not UNSET:
            field_dict["away_goals_half_time"] = away_goals_half_time
        if home_goals_extra_time is not UNSET:
            field_dict["home_goals_extra_time"] = home_goals_extra_time
        if away_goals_extra_time is not UNSET:
            field_dict["away_goals_extra_time"] = away_goals_extra_time
        if home_penalties is not UNSET:
            field_dict["home_penalties"] = home_penalties
        if away_penalties is not UNSET:
            field_dict["away_penalties"] = away_penalties
        if finished_at is not UNSET:
            field_dict["finished_at"] = finished_at
        if is_neutral is not UNSET:
            field_dict["is_neutral"] = is_neutral
        if source_id is not UNSET:
            field_dict["source_id"] = source_id
        if home_team_id is not UNSET:
            field_dict["home_team_id"] = home_team_id
        if away_team_id is not UNSET:
            field_dict["away_team_id"] = away_team_id
        if home_region is not UNSET:
            field_dict["home_region"] = home_region
        if away_region is not UNSET:
            field_dict["away_region"] = away_region
        if stage is not UNSET:
            field_dict["stage"] = stage
        if round_ is not UNSET:
            field_dict["round"] = round_
        if stats is not UNSET:
            field_dict["stats"] = stats
        if odds is not UNSET:
            field_dict["odds"] = odds

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.competition_line import CompetitionLine # noqa: PLC0415
        from ..models.quote_line import QuoteLine # noqa: PLC0415
        from ..models.stats_line import StatsLine # noqa: PLC0415
        d = dict(src_dict)
        competition = CompetitionLine.from_dict(d.pop("competition"))




        season = d.pop("season")

        home_team = d.pop("home_team")

        away_team = d.pop("away_team")

        kickoff_at = d.pop("kickoff_at")

        _type_ = d.pop("type", UNSET)
        type_: MatchLineTypeEnum | Unset
        if isinstance(_type_,  Unset):
            type_ = UNSET
        else:
            type_ = MatchLineTypeEnum(_type_)




        _kickoff_precision = d.pop("kickoff_precision", UNSET)
        kickoff_precision: KickoffPrecisionEnum | Unset
        if isinstance(_kickoff_precision,  Unset):
            kickoff_precision = UNSET
        else:
            kickoff_precision = KickoffPrecisionEnum(_kickoff_precision)




        _status = d.pop("status", UNSET)
        status: StatusEnum | Unset
        if isinstance(_status,  Unset):
            status = UNSET
        else:
            status = StatusEnum(_status)




        home_goals = d.pop("home_goals", UNSET)

        away_goals = d.pop("away_goals", UNSET)

        minute = d.pop("minute", UNSET)

        home_goals_half_time = d.pop("home_goals_half_time", UNSET)

        away_goals_half_time = d.pop("away_goals_half_time", UNSET)

        home_goals_extra_time = d.pop("home_goals_extra_time", UNSET)

        away_goals_extra_time = d.pop("away_goals_extra_time", UNSET)

        home_penalties = d.pop("home_penalties", UNSET)

        away_penalties = d.pop("away_penalties", UNSET)

        finished_at = d.pop("finished_at", UNSET)

        is_neutral = d.pop("is_neutral", UNSET)

        source_id = d.pop("source_id", UNSET)

        home_team_id = d.pop("home_team_id", UNSET)

        away_team_id = d.pop("away_team_id", UNSET)

        home_region = d.pop("home_region", UNSET)

        away_region = d.pop("away_region", UNSET)

        stage = d.pop("stage", UNSET)

        round_ = d.pop("round", UNSET)

        _stats = d.pop("stats", UNSET)
        stats: StatsLine | Unset
        if isinstance(_stats,  Unset):
            stats = UNSET
        else:
            stats = StatsLine.from_dict(_stats)




        _odds = d.pop("odds", UNSET)
        odds: list[QuoteLine] | Unset = UNSET
        if _odds is not UNSET:
            odds = []
            for odds_item_data in _odds:
                odds_item = QuoteLine.from_dict(odds_item_data)



                odds.append(odds_item)


        match_line = cls(
            competition=competition,
            season=season,
            home_team=home_team,
            away_team=away_team,
            kickoff_at=kickoff_at,
            type_=type_,
            kickoff_precision=kickoff_precision,
            status=status,
            home_goals=home_goals,
            away_goals=away_goals,
            minute=minute,
            home_goals_half_time=home_goals_half_time,
            away_goals_half_time=away_goals_half_time,
            home_goals_extra_time=home_goals_extra_time,
            away_goals_extra_time=away_goals_extra_time,
            home_penalties=home_penalties,
            away_penalties=away_penalties,
            finished_at=finished_at,
            is_neutral=is_neutral,
            source_id=source_id,
            home_team_id=home_team_id,
            away_team_id=away_team_id,
            home_region=home_region,
            away_region=away_region,
            stage=stage,
            round_=round_,
            stats=stats,
            odds=odds,
        )


        match_line.additional_properties = d
        return match_line

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
