from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.side_enum import SideEnum
from ..models.weakness_enum import WeaknessEnum
from typing import cast






T = TypeVar("T", bound="Weakness")



@_attrs_define
class Weakness:
    """ A reason why a forecast is less sure than usual.

        Attributes:
            code (WeaknessEnum): * `fallback` - fallback
                * `new_club` - new_club
                * `no_statistics` - no_statistics
                * `promoted` - promoted
                * `relegated` - relegated
                * `season_start` - season_start
                * `long_break` - long_break
            side (None | SideEnum): Null for the whole match.

                * `home` - home
                * `away` - away
            text (str): In words, without a capital letter and a full stop.
     """

    code: WeaknessEnum
    side: None | SideEnum
    text: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        code = self.code.value

        side: None | str
        if isinstance(self.side, SideEnum):
            side = self.side.value
        else:
            side = self.side

        text = self.text


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "code": code,
            "side": side,
            "text": text,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        code = WeaknessEnum(d.pop("code"))




        def _parse_side(data: object) -> None | SideEnum:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                side_type_0 = SideEnum(data)



                return side_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | SideEnum, data)

        side = _parse_side(d.pop("side"))


        text = d.pop("text")

        weakness = cls(
            code=code,
            side=side,
            text=text,
        )


        weakness.additional_properties = d
        return weakness

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
