from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.adjustment import Adjustment
  from ..models.club_end import ClubEnd
  from ..models.competition import Competition
  from ..models.model import Model
  from ..models.table_line import TableLine





T = TypeVar("T", bound="SeasonForecast")



@_attrs_define
class SeasonForecast:
    """ The forecast of a season, from simulations of its remaining matches.

        Attributes:
            competition (Competition): The competition of a match.
            season (str):
            simulations (int): Simulated seasons.
            doubt (float): Standard deviation of a club's strength between simulated seasons, log-odds of home against away.
            played (int): Matches that have been played.
            remaining (int): Matches that were simulated.
            undated (int): Of those, the matches that no source has listed yet.
            is_whole (bool): Whether the remaining matches complete the season.
            lines (list[TableLine]):
            clubs (list[ClubEnd]): The club with the most expected points first.
            adjustments (list[Adjustment]): Points taken or given so far, which are counted.
            model (Model): The model version that made a forecast.
            data_snapshot (int): Number of the data snapshot that the simulation uses.
            as_of (datetime.datetime): The forecast uses no fact that became known later.
     """

    competition: Competition
    season: str
    simulations: int
    doubt: float
    played: int
    remaining: int
    undated: int
    is_whole: bool
    lines: list[TableLine]
    clubs: list[ClubEnd]
    adjustments: list[Adjustment]
    model: Model
    data_snapshot: int
    as_of: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.adjustment import Adjustment # noqa: PLC0415
        from ..models.club_end import ClubEnd # noqa: PLC0415
        from ..models.competition import Competition # noqa: PLC0415
        from ..models.model import Model # noqa: PLC0415
        from ..models.table_line import TableLine # noqa: PLC0415
        competition = self.competition.to_dict()

        season = self.season

        simulations = self.simulations

        doubt = self.doubt

        played = self.played

        remaining = self.remaining

        undated = self.undated

        is_whole = self.is_whole

        lines = []
        for lines_item_data in self.lines:
            lines_item = lines_item_data.to_dict()
            lines.append(lines_item)



        clubs = []
        for clubs_item_data in self.clubs:
            clubs_item = clubs_item_data.to_dict()
            clubs.append(clubs_item)



        adjustments = []
        for adjustments_item_data in self.adjustments:
            adjustments_item = adjustments_item_data.to_dict()
            adjustments.append(adjustments_item)



        model = self.model.to_dict()

        data_snapshot = self.data_snapshot

        as_of = self.as_of.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "competition": competition,
            "season": season,
            "simulations": simulations,
            "doubt": doubt,
            "played": played,
            "remaining": remaining,
            "undated": undated,
            "is_whole": is_whole,
            "lines": lines,
            "clubs": clubs,
            "adjustments": adjustments,
            "model": model,
            "data_snapshot": data_snapshot,
            "as_of": as_of,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.adjustment import Adjustment # noqa: PLC0415
        from ..models.club_end import ClubEnd # noqa: PLC0415
        from ..models.competition import Competition # noqa: PLC0415
        from ..models.model import Model # noqa: PLC0415
        from ..models.table_line import TableLine # noqa: PLC0415
        d = dict(src_dict)
        competition = Competition.from_dict(d.pop("competition"))




        season = d.pop("season")

        simulations = d.pop("simulations")

        doubt = d.pop("doubt")

        played = d.pop("played")

        remaining = d.pop("remaining")

        undated = d.pop("undated")

        is_whole = d.pop("is_whole")

        lines = []
        _lines = d.pop("lines")
        for lines_item_data in (_lines):
            lines_item = TableLine.from_dict(lines_item_data)



            lines.append(lines_item)


        clubs = []
        _clubs = d.pop("clubs")
        for clubs_item_data in (_clubs):
            clubs_item = ClubEnd.from_dict(clubs_item_data)



            clubs.append(clubs_item)


        adjustments = []
        _adjustments = d.pop("adjustments")
        for adjustments_item_data in (_adjustments):
            adjustments_item = Adjustment.from_dict(adjustments_item_data)



            adjustments.append(adjustments_item)


        model = Model.from_dict(d.pop("model"))




        data_snapshot = d.pop("data_snapshot")

        as_of = datetime.datetime.fromisoformat(d.pop("as_of"))




        season_forecast = cls(
            competition=competition,
            season=season,
            simulations=simulations,
            doubt=doubt,
            played=played,
            remaining=remaining,
            undated=undated,
            is_whole=is_whole,
            lines=lines,
            clubs=clubs,
            adjustments=adjustments,
            model=model,
            data_snapshot=data_snapshot,
            as_of=as_of,
        )


        season_forecast.additional_properties = d
        return season_forecast

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
