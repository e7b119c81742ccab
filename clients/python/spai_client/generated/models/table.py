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
  from ..models.awarded_result import AwardedResult
  from ..models.competition import Competition
  from ..models.match import Match
  from ..models.standing import Standing





T = TypeVar("T", bound="Table")



@_attrs_define
class Table:
    """ The table of a season, with what is not in the results of its matches.

        Attributes:
            competition (Competition): The competition of a match.
            season (str):
            as_of (datetime.datetime | None): Facts known before it count; null for all.
            standings (list[Standing]):
            adjustments (list[Adjustment]): Points that were taken or given, oldest first.
            awarded_results (list[AwardedResult]): Results that the league set; they count.
            awarded (list[Match]): Matches that a source reports as awarded, without a verdict here.
     """

    competition: Competition
    season: str
    as_of: datetime.datetime | None
    standings: list[Standing]
    adjustments: list[Adjustment]
    awarded_results: list[AwardedResult]
    awarded: list[Match]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.adjustment import Adjustment # noqa: PLC0415
        from ..models.awarded_result import AwardedResult # noqa: PLC0415
        from ..models.competition import Competition # noqa: PLC0415
        from ..models.match import Match # noqa: PLC0415
        from ..models.standing import Standing # noqa: PLC0415
        competition = self.competition.to_dict()

        season = self.season

        as_of: None | str
        if isinstance(self.as_of, datetime.datetime):
            as_of = self.as_of.isoformat()
        else:
            as_of = self.as_of

        standings = []
        for standings_item_data in self.standings:
            standings_item = standings_item_data.to_dict()
            standings.append(standings_item)



        adjustments = []
        for adjustments_item_data in self.adjustments:
            adjustments_item = adjustments_item_data.to_dict()
            adjustments.append(adjustments_item)



        awarded_results = []
        for awarded_results_item_data in self.awarded_results:
            awarded_results_item = awarded_results_item_data.to_dict()
            awarded_results.append(awarded_results_item)



        awarded = []
        for awarded_item_data in self.awarded:
            awarded_item = awarded_item_data.to_dict()
            awarded.append(awarded_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "competition": competition,
            "season": season,
            "as_of": as_of,
            "standings": standings,
            "adjustments": adjustments,
            "awarded_results": awarded_results,
            "awarded": awarded,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.adjustment import Adjustment # noqa: PLC0415
        from ..models.awarded_result import AwardedResult # noqa: PLC0415
        from ..models.competition import Competition # noqa: PLC0415
        from ..models.match import Match # noqa: PLC0415
        from ..models.standing import Standing # noqa: PLC0415
        d = dict(src_dict)
        competition = Competition.from_dict(d.pop("competition"))




        season = d.pop("season")

        def _parse_as_of(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                as_of_type_0 = datetime.datetime.fromisoformat(data)



                return as_of_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        as_of = _parse_as_of(d.pop("as_of"))


        standings = []
        _standings = d.pop("standings")
        for standings_item_data in (_standings):
            standings_item = Standing.from_dict(standings_item_data)



            standings.append(standings_item)


        adjustments = []
        _adjustments = d.pop("adjustments")
        for adjustments_item_data in (_adjustments):
            adjustments_item = Adjustment.from_dict(adjustments_item_data)



            adjustments.append(adjustments_item)


        awarded_results = []
        _awarded_results = d.pop("awarded_results")
        for awarded_results_item_data in (_awarded_results):
            awarded_results_item = AwardedResult.from_dict(awarded_results_item_data)



            awarded_results.append(awarded_results_item)


        awarded = []
        _awarded = d.pop("awarded")
        for awarded_item_data in (_awarded):
            awarded_item = Match.from_dict(awarded_item_data)



            awarded.append(awarded_item)


        table = cls(
            competition=competition,
            season=season,
            as_of=as_of,
            standings=standings,
            adjustments=adjustments,
            awarded_results=awarded_results,
            awarded=awarded,
        )


        table.additional_properties = d
        return table

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
