from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.moment_enum import MomentEnum
from ..types import UNSET, Unset






T = TypeVar("T", bound="QuoteLine")



@_attrs_define
class QuoteLine:
    """ Decimal prices of one bookmaker at one moment; leave out what is not quoted.

        Attributes:
            bookmaker (str): Code such as B365, PS (Pinnacle), Avg, Max.
            moment (MomentEnum): * `opening` - Opening
                * `closing` - Closing
            home (float | Unset):
            draw (float | Unset):
            away (float | Unset):
            over_2_5 (float | Unset):
            under_2_5 (float | Unset):
            handicap (float | Unset): Goals given to the home side.
            handicap_home (float | Unset):
            handicap_away (float | Unset):
     """

    bookmaker: str
    moment: MomentEnum
    home: float | Unset = UNSET
    draw: float | Unset = UNSET
    away: float | Unset = UNSET
    over_2_5: float | Unset = UNSET
    under_2_5: float | Unset = UNSET
    handicap: float | Unset = UNSET
    handicap_home: float | Unset = UNSET
    handicap_away: float | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        bookmaker = self.bookmaker

        moment = self.moment.value

        home = self.home

        draw = self.draw

        away = self.away

        over_2_5 = self.over_2_5

        under_2_5 = self.under_2_5

        handicap = self.handicap

        handicap_home = self.handicap_home

        handicap_away = self.handicap_away


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "bookmaker": bookmaker,
            "moment": moment,
        })
        if home is not UNSET:
            field_dict["home"] = home
        if draw is not UNSET:
            field_dict["draw"] = draw
        if away is not UNSET:
            field_dict["away"] = away
        if over_2_5 is not UNSET:
            field_dict["over_2_5"] = over_2_5
        if under_2_5 is not UNSET:
            field_dict["under_2_5"] = under_2_5
        if handicap is not UNSET:
            field_dict["handicap"] = handicap
        if handicap_home is not UNSET:
            field_dict["handicap_home"] = handicap_home
        if handicap_away is not UNSET:
            field_dict["handicap_away"] = handicap_away

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        bookmaker = d.pop("bookmaker")

        moment = MomentEnum(d.pop("moment"))




        home = d.pop("home", UNSET)

        draw = d.pop("draw", UNSET)

        away = d.pop("away", UNSET)

        over_2_5 = d.pop("over_2_5", UNSET)

        under_2_5 = d.pop("under_2_5", UNSET)

        handicap = d.pop("handicap", UNSET)

        handicap_home = d.pop("handicap_home", UNSET)

        handicap_away = d.pop("handicap_away", UNSET)

        quote_line = cls(
            bookmaker=bookmaker,
            moment=moment,
            home=home,
            draw=draw,
            away=away,
            over_2_5=over_2_5,
            under_2_5=under_2_5,
            handicap=handicap,
            handicap_home=handicap_home,
            handicap_away=handicap_away,
        )


        quote_line.additional_properties = d
        return quote_line

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
