from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset






T = TypeVar("T", bound="CompetitionLine")



@_attrs_define
class CompetitionLine:
    """ The competition of a line.

        Attributes:
            region (str): Country or confederation, in English, such as England.
            name (str): Name of the competition today, such as Premier League.
            level (int | Unset): Tier, 1 at the top; 0 for cups. Default: 1.
            is_simulated (bool | Unset): True for the sandbox. Default: false.
     """

    region: str
    name: str
    level: int | Unset = UNSET
    is_simulated: bool | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        region = self.region

        name = self.name

        level = self.level

        is_simulated = self.is_simulated


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "region": region,
            "name": name,
        })
        if level is not UNSET:
            field_dict["level"] = level
        if is_simulated is not UNSET:
            field_dict["is_simulated"] = is_simulated

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        region = d.pop("region")

        name = d.pop("name")

        level = d.pop("level", UNSET)

        is_simulated = d.pop("is_simulated", UNSET)

        competition_line = cls(
            region=region,
            name=name,
            level=level,
            is_simulated=is_simulated,
        )


        competition_line.additional_properties = d
        return competition_line

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
