from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
import datetime






T = TypeVar("T", bound="WhatIfItem")



@_attrs_define
class WhatIfItem:
    """ A coming fixture by its id, or a pairing of any two teams.

        Attributes:
            match (int | Unset): Id of a coming fixture, without the other members.
            home (str | Unset): Slug of the home team.
            away (str | Unset): Slug of the away team.
            date (datetime.date | Unset): The day, at most a year ahead; that of the set by default.
            competition (str | Unset): Slug; the home team's league by default.
            neutral (bool | Unset): Whether the venue is neutral.
     """

    match: int | Unset = UNSET
    home: str | Unset = UNSET
    away: str | Unset = UNSET
    date: datetime.date | Unset = UNSET
    competition: str | Unset = UNSET
    neutral: bool | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        match = self.match

        home = self.home

        away = self.away

        date: str | Unset = UNSET
        if not isinstance(self.date, Unset):
            date = self.date.isoformat()

        competition = self.competition

        neutral = self.neutral


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
        })
        if match is not UNSET:
            field_dict["match"] = match
        if home is not UNSET:
            field_dict["home"] = home
        if away is not UNSET:
            field_dict["away"] = away
        if date is not UNSET:
            field_dict["date"] = date
        if competition is not UNSET:
            field_dict["competition"] = competition
        if neutral is not UNSET:
            field_dict["neutral"] = neutral

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        match = d.pop("match", UNSET)

        home = d.pop("home", UNSET)

        away = d.pop("away", UNSET)

        _date = d.pop("date", UNSET)
        date: datetime.date | Unset
        if isinstance(_date,  Unset):
            date = UNSET
        else:
            date = datetime.date.fromisoformat(_date)




        competition = d.pop("competition", UNSET)

        neutral = d.pop("neutral", UNSET)

        what_if_item = cls(
            match=match,
            home=home,
            away=away,
            date=date,
            competition=competition,
            neutral=neutral,
        )


        what_if_item.additional_properties = d
        return what_if_item

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
