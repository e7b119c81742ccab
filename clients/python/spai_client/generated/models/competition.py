from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset







T = TypeVar("T", bound="Competition")



@_attrs_define
class Competition:
    """ The competition of a match.

        Attributes:
            id (int):
            slug (str):
            world (str):
            region (str):
            name (str):
            level (int): Tier of the pyramid, 1 at the top; 0 for cups.
            is_simulated (bool):
     """

    id: int
    slug: str
    world: str
    region: str
    name: str
    level: int
    is_simulated: bool
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        id = self.id

        slug = self.slug

        world = self.world

        region = self.region

        name = self.name

        level = self.level

        is_simulated = self.is_simulated


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "slug": slug,
            "world": world,
            "region": region,
            "name": name,
            "level": level,
            "is_simulated": is_simulated,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        slug = d.pop("slug")

        world = d.pop("world")

        region = d.pop("region")

        name = d.pop("name")

        level = d.pop("level")

        is_simulated = d.pop("is_simulated")

        competition = cls(
            id=id,
            slug=slug,
            world=world,
            region=region,
            name=name,
            level=level,
            is_simulated=is_simulated,
        )


        competition.additional_properties = d
        return competition

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
