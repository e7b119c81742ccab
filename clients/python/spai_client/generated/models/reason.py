from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.side_enum import SideEnum
from typing import cast






T = TypeVar("T", bound="Reason")



@_attrs_define
class Reason:
    """ What one group of inputs adds to a forecast.

        Attributes:
            group (str): Name of the group, a key of `contributions`.
            label (str): The group in words.
            favours (None | SideEnum): Which side it speaks for.

                * `home` - home
                * `away` - away
            log_odds (float): Home against away.
     """

    group: str
    label: str
    favours: None | SideEnum
    log_odds: float
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        group = self.group

        label = self.label

        favours: None | str
        if isinstance(self.favours, SideEnum):
            favours = self.favours.value
        else:
            favours = self.favours

        log_odds = self.log_odds


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "group": group,
            "label": label,
            "favours": favours,
            "log_odds": log_odds,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        group = d.pop("group")

        label = d.pop("label")

        def _parse_favours(data: object) -> None | SideEnum:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                favours_type_0 = SideEnum(data)



                return favours_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | SideEnum, data)

        favours = _parse_favours(d.pop("favours"))


        log_odds = d.pop("log_odds")

        reason = cls(
            group=group,
            label=label,
            favours=favours,
            log_odds=log_odds,
        )


        reason.additional_properties = d
        return reason

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
