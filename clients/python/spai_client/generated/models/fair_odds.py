from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast






T = TypeVar("T", bound="FairOdds")



@_attrs_define
class FairOdds:
    """ Decimal odds for each outcome; null for one that cannot happen.

        Attributes:
            home (float | None):
            draw (float | None):
            away (float | None):
     """

    home: float | None
    draw: float | None
    away: float | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        home: float | None
        home = self.home

        draw: float | None
        draw = self.draw

        away: float | None
        away = self.away


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "home": home,
            "draw": draw,
            "away": away,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        def _parse_home(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        home = _parse_home(d.pop("home"))


        def _parse_draw(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        draw = _parse_draw(d.pop("draw"))


        def _parse_away(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        away = _parse_away(d.pop("away"))


        fair_odds = cls(
            home=home,
            draw=draw,
            away=away,
        )


        fair_odds.additional_properties = d
        return fair_odds

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
