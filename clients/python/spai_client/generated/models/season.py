from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.world_enum import WorldEnum






T = TypeVar("T", bound="Season")



@_attrs_define
class Season:
    """ One season of one competition.

        Attributes:
            id (int):
            world (WorldEnum): * `real` - real
                * `sandbox` - sandbox
            competition (str): Slug.
            competition_name (str):
            season (str): 2023-24, or 2023 within one year.
     """

    id: int
    world: WorldEnum
    competition: str
    competition_name: str
    season: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        id = self.id

        world = self.world.value

        competition = self.competition

        competition_name = self.competition_name

        season = self.season


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "world": world,
            "competition": competition,
            "competition_name": competition_name,
            "season": season,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        world = WorldEnum(d.pop("world"))




        competition = d.pop("competition")

        competition_name = d.pop("competition_name")

        season = d.pop("season")

        season = cls(
            id=id,
            world=world,
            competition=competition,
            competition_name=competition_name,
            season=season,
        )


        season.additional_properties = d
        return season

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
