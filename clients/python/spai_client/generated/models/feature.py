from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast






T = TypeVar("T", bound="Feature")



@_attrs_define
class Feature:
    """ One feature and its meaning.

        Attributes:
            name (str):
            family (str): Family that computes it.
            side (str): home, away, diff (home minus away) or match.
            scope (str): Matches that count: all, venue, competition, region …
            window (int | None): Number of latest matches; null for the whole past.
            unit (str):
            meaning (str):
            inputs (str): Which prices it is made of; `no odds` for none.
            is_read (bool): Whether the champion reads it.
     """

    name: str
    family: str
    side: str
    scope: str
    window: int | None
    unit: str
    meaning: str
    inputs: str
    is_read: bool
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        name = self.name

        family = self.family

        side = self.side

        scope = self.scope

        window: int | None
        window = self.window

        unit = self.unit

        meaning = self.meaning

        inputs = self.inputs

        is_read = self.is_read


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "name": name,
            "family": family,
            "side": side,
            "scope": scope,
            "window": window,
            "unit": unit,
            "meaning": meaning,
            "inputs": inputs,
            "is_read": is_read,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        name = d.pop("name")

        family = d.pop("family")

        side = d.pop("side")

        scope = d.pop("scope")

        def _parse_window(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        window = _parse_window(d.pop("window"))


        unit = d.pop("unit")

        meaning = d.pop("meaning")

        inputs = d.pop("inputs")

        is_read = d.pop("is_read")

        feature = cls(
            name=name,
            family=family,
            side=side,
            scope=scope,
            window=window,
            unit=unit,
            meaning=meaning,
            inputs=inputs,
            is_read=is_read,
        )


        feature.additional_properties = d
        return feature

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
