from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.season_simulation_kind_enum import SeasonSimulationKindEnum
from ..types import UNSET, Unset
from typing import cast

if TYPE_CHECKING:
  from ..models.locked_result import LockedResult





T = TypeVar("T", bound="SeasonSimulation")



@_attrs_define
class SeasonSimulation:
    """ 10,000 simulated seasons in which some of the matches that are left end as given.

        Attributes:
            kind (SeasonSimulationKindEnum): * `season_simulation` - season_simulation
            competition (str): Slug of a league.
            season (str | Unset): Such as 2026-27; the newest by default.
            locked (list[LockedResult] | Unset):
     """

    kind: SeasonSimulationKindEnum
    competition: str
    season: str | Unset = UNSET
    locked: list[LockedResult] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.locked_result import LockedResult # noqa: PLC0415
        kind = self.kind.value

        competition = self.competition

        season = self.season

        locked: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.locked, Unset):
            locked = []
            for locked_item_data in self.locked:
                locked_item = locked_item_data.to_dict()
                locked.append(locked_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "kind": kind,
            "competition": competition,
        })
        if season is not UNSET:
            field_dict["season"] = season
        if locked is not UNSET:
            field_dict["locked"] = locked

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.locked_result import LockedResult # noqa: PLC0415
        d = dict(src_dict)
        kind = SeasonSimulationKindEnum(d.pop("kind"))




        competition = d.pop("competition")

        season = d.pop("season", UNSET)

        _locked = d.pop("locked", UNSET)
        locked: list[LockedResult] | Unset = UNSET
        if _locked is not UNSET:
            locked = []
            for locked_item_data in _locked:
                locked_item = LockedResult.from_dict(locked_item_data)



                locked.append(locked_item)


        season_simulation = cls(
            kind=kind,
            competition=competition,
            season=season,
            locked=locked,
        )


        season_simulation.additional_properties = d
        return season_simulation

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
