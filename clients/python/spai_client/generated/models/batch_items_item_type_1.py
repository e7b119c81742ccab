from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
import datetime






T = TypeVar("T", bound="BatchItemsItemType1")



@_attrs_define
class BatchItemsItemType1:
    """ Two teams that could meet.

        Attributes:
            home (str): Slug of the home team.
            away (str): Slug of the away team, of the same world.
            competition (str | Unset): Slug; the home team's league by default.
            date (datetime.date | Unset): The day, at most a year ahead; the next Saturday by default.
            neutral (bool | Unset): Whether the venue is neutral. Default: False.
     """

    home: str
    away: str
    competition: str | Unset = UNSET
    date: datetime.date | Unset = UNSET
    neutral: bool | Unset = False





    def to_dict(self) -> dict[str, Any]:
        home = self.home

        away = self.away

        competition = self.competition

        date: str | Unset = UNSET
        if not isinstance(self.date, Unset):
            date = self.date.isoformat()

        neutral = self.neutral


        field_dict: dict[str, Any] = {}

        field_dict.update({
            "home": home,
            "away": away,
        })
        if competition is not UNSET:
            field_dict["competition"] = competition
        if date is not UNSET:
            field_dict["date"] = date
        if neutral is not UNSET:
            field_dict["neutral"] = neutral

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        home = d.pop("home")

        away = d.pop("away")

        competition = d.pop("competition", UNSET)

        _date = d.pop("date", UNSET)
        date: datetime.date | Unset
        if isinstance(_date,  Unset):
            date = UNSET
        else:
            date = datetime.date.fromisoformat(_date)




        neutral = d.pop("neutral", UNSET)

        batch_items_item_type_1 = cls(
            home=home,
            away=away,
            competition=competition,
            date=date,
            neutral=neutral,
        )

        return batch_items_item_type_1

