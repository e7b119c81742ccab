from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast






T = TypeVar("T", bound="GapPower")



@_attrs_define
class GapPower:
    """ How many graded matches it takes until a difference of both gaps is seen.

        Attributes:
            difference (float): The difference that is to be seen, in nats.
            power (float): Share of cases in which it is to be seen.
            level (float): Level of the interval that must not hold 0 then.
            needed (int | None): Graded matches with closing prices; null where the back-test is too short for any.
            more (int | None): Those of them that are still missing.
            seen (float | None): The smallest difference that the matches of now show with this power.
     """

    difference: float
    power: float
    level: float
    needed: int | None
    more: int | None
    seen: float | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        difference = self.difference

        power = self.power

        level = self.level

        needed: int | None
        needed = self.needed

        more: int | None
        more = self.more

        seen: float | None
        seen = self.seen


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "difference": difference,
            "power": power,
            "level": level,
            "needed": needed,
            "more": more,
            "seen": seen,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        difference = d.pop("difference")

        power = d.pop("power")

        level = d.pop("level")

        def _parse_needed(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        needed = _parse_needed(d.pop("needed"))


        def _parse_more(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        more = _parse_more(d.pop("more"))


        def _parse_seen(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        seen = _parse_seen(d.pop("seen"))


        gap_power = cls(
            difference=difference,
            power=power,
            level=level,
            needed=needed,
            more=more,
            seen=seen,
        )


        gap_power.additional_properties = d
        return gap_power

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
