from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.interval import Interval





T = TypeVar("T", bound="Intervals")



@_attrs_define
class Intervals:
    """ An interval around each probability, in which the market's closing line is expected.

        Attributes:
            level (float): Share of the matches in which an interval, each by itself, shall hold the closing line.
            home (Interval): The ends of the interval around a probability.
            draw (Interval): The ends of the interval around a probability.
            away (Interval): The ends of the interval around a probability.
     """

    level: float
    home: Interval
    draw: Interval
    away: Interval
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.interval import Interval # noqa: PLC0415
        level = self.level

        home = self.home.to_dict()

        draw = self.draw.to_dict()

        away = self.away.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "level": level,
            "home": home,
            "draw": draw,
            "away": away,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.interval import Interval # noqa: PLC0415
        d = dict(src_dict)
        level = d.pop("level")

        home = Interval.from_dict(d.pop("home"))




        draw = Interval.from_dict(d.pop("draw"))




        away = Interval.from_dict(d.pop("away"))




        intervals = cls(
            level=level,
            home=home,
            draw=draw,
            away=away,
        )


        intervals.additional_properties = d
        return intervals

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
