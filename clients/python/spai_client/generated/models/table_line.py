from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.name_enum import NameEnum






T = TypeVar("T", bound="TableLine")



@_attrs_define
class TableLine:
    """ A line of a table, such as the one above the relegation places.

        Attributes:
            name (NameEnum): * `title` - title
                * `first` - first
                * `second` - second
                * `play_off` - play_off
                * `down` - down
            places (int): Number of places above the line, or below it with `from_end`.
            from_end (bool): Whether the places are the last ones of the table.
     """

    name: NameEnum
    places: int
    from_end: bool
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        name = self.name.value

        places = self.places

        from_end = self.from_end


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "name": name,
            "places": places,
            "from_end": from_end,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        name = NameEnum(d.pop("name"))




        places = d.pop("places")

        from_end = d.pop("from_end")

        table_line = cls(
            name=name,
            places=places,
            from_end=from_end,
        )


        table_line.additional_properties = d
        return table_line

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
