from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset






T = TypeVar("T", bound="StatsLine")



@_attrs_define
class StatsLine:
    """ Counts of a match; leave out what was not counted.

        Attributes:
            home_shots (int | Unset):
            away_shots (int | Unset):
            home_shots_on_target (int | Unset):
            away_shots_on_target (int | Unset):
            home_corners (int | Unset):
            away_corners (int | Unset):
            home_fouls (int | Unset):
            away_fouls (int | Unset):
            home_yellow_cards (int | Unset):
            away_yellow_cards (int | Unset):
            home_red_cards (int | Unset):
            away_red_cards (int | Unset):
            attendance (int | Unset):
            referee (str | Unset):
            home_xg (float | Unset): Expected goals, 0 to 20; used from the next day on.
            away_xg (float | Unset):
     """

    home_shots: int | Unset = UNSET
    away_shots: int | Unset = UNSET
    home_shots_on_target: int | Unset = UNSET
    away_shots_on_target: int | Unset = UNSET
    home_corners: int | Unset = UNSET
    away_corners: int | Unset = UNSET
    home_fouls: int | Unset = UNSET
    away_fouls: int | Unset = UNSET
    home_yellow_cards: int | Unset = UNSET
    away_yellow_cards: int | Unset = UNSET
    home_red_cards: int | Unset = UNSET
    away_red_cards: int | Unset = UNSET
    attendance: int | Unset = UNSET
    referee: str | Unset = UNSET
    home_xg: float | Unset = UNSET
    away_xg: float | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        home_shots = self.home_shots

        away_shots = self.away_shots

        home_shots_on_target = self.home_shots_on_target

        away_shots_on_target = self.away_shots_on_target

        home_corners = self.home_corners

        away_corners = self.away_corners

        home_fouls = self.home_fouls

        away_fouls = self.away_fouls

        home_yellow_cards = self.home_yellow_cards

        away_yellow_cards = self.away_yellow_cards

        home_red_cards = self.home_red_cards

        away_red_cards = self.away_red_cards

        attendance = self.attendance

        referee = self.referee

        home_xg = self.home_xg

        away_xg = self.away_xg


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
        })
        if home_shots is not UNSET:
            field_dict["home_shots"] = home_shots
        if away_shots is not UNSET:
            field_dict["away_shots"] = away_shots
        if home_shots_on_target is not UNSET:
            field_dict["home_shots_on_target"] = home_shots_on_target
        if away_shots_on_target is not UNSET:
            field_dict["away_shots_on_target"] = away_shots_on_target
        if home_corners is not UNSET:
            field_dict["home_corners"] = home_corners
        if away_corners is not UNSET:
            field_dict["away_corners"] = away_corners
        if home_fouls is not UNSET:
            field_dict["home_fouls"] = home_fouls
        if away_fouls is not UNSET:
            field_dict["away_fouls"] = away_fouls
        if home_yellow_cards is not UNSET:
            field_dict["home_yellow_cards"] = home_yellow_cards
        if away_yellow_cards is not UNSET:
            field_dict["away_yellow_cards"] = away_yellow_cards
        if home_red_cards is not UNSET:
            field_dict["home_red_cards"] = home_red_cards
        if away_red_cards is not UNSET:
            field_dict["away_red_cards"] = away_red_cards
        if attendance is not UNSET:
            field_dict["attendance"] = attendance
        if referee is not UNSET:
            field_dict["referee"] = referee
        if home_xg is not UNSET:
            field_dict["home_xg"] = home_xg
        if away_xg is not UNSET:
            field_dict["away_xg"] = away_xg

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        home_shots = d.pop("home_shots", UNSET)

        away_shots = d.pop("away_shots", UNSET)

        home_shots_on_target = d.pop("home_shots_on_target", UNSET)

        away_shots_on_target = d.pop("away_shots_on_target", UNSET)

        home_corners = d.pop("home_corners", UNSET)

        away_corners = d.pop("away_corners", UNSET)

        home_fouls = d.pop("home_fouls", UNSET)

        away_fouls = d.pop("away_fouls", UNSET)

        home_yellow_cards = d.pop("home_yellow_cards", UNSET)

        away_yellow_cards = d.pop("away_yellow_cards", UNSET)

        home_red_cards = d.pop("home_red_cards", UNSET)

        away_red_cards = d.pop("away_red_cards", UNSET)

        attendance = d.pop("attendance", UNSET)

        referee = d.pop("referee", UNSET)

        home_xg = d.pop("home_xg", UNSET)

        away_xg = d.pop("away_xg", UNSET)

        stats_line = cls(
            home_shots=home_shots,
            away_shots=away_shots,
            home_shots_on_target=home_shots_on_target,
            away_shots_on_target=away_shots_on_target,
            home_corners=home_corners,
            away_corners=away_corners,
            home_fouls=home_fouls,
            away_fouls=away_fouls,
            home_yellow_cards=home_yellow_cards,
            away_yellow_cards=away_yellow_cards,
            home_red_cards=home_red_cards,
            away_red_cards=away_red_cards,
            attendance=attendance,
            referee=referee,
            home_xg=home_xg,
            away_xg=away_xg,
        )


        stats_line.additional_properties = d
        return stats_line

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
