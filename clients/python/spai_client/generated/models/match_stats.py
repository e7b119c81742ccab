from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime






T = TypeVar("T", bound="MatchStats")



@_attrs_define
class MatchStats:
    """ What was counted in a match, and its expected goals; null for what is not known.

        Attributes:
            xg_known_at (datetime.datetime | None): From when the expected goals may be used.
            home_shots (int | None):
            away_shots (int | None):
            home_shots_on_target (int | None):
            away_shots_on_target (int | None):
            home_corners (int | None):
            away_corners (int | None):
            home_fouls (int | None):
            away_fouls (int | None):
            home_yellow_cards (int | None):
            away_yellow_cards (int | None):
            home_red_cards (int | None):
            away_red_cards (int | None):
            attendance (int | None):
            referee (str):
            home_xg (float | None): Expected goals.
            away_xg (float | None):
     """

    xg_known_at: datetime.datetime | None
    home_shots: int | None
    away_shots: int | None
    home_shots_on_target: int | None
    away_shots_on_target: int | None
    home_corners: int | None
    away_corners: int | None
    home_fouls: int | None
    away_fouls: int | None
    home_yellow_cards: int | None
    away_yellow_cards: int | None
    home_red_cards: int | None
    away_red_cards: int | None
    attendance: int | None
    referee: str
    home_xg: float | None
    away_xg: float | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        xg_known_at: None | str
        if isinstance(self.xg_known_at, datetime.datetime):
            xg_known_at = self.xg_known_at.isoformat()
        else:
            xg_known_at = self.xg_known_at

        home_shots: int | None
        home_shots = self.home_shots

        away_shots: int | None
        away_shots = self.away_shots

        home_shots_on_target: int | None
        home_shots_on_target = self.home_shots_on_target

        away_shots_on_target: int | None
        away_shots_on_target = self.away_shots_on_target

        home_corners: int | None
        home_corners = self.home_corners

        away_corners: int | None
        away_corners = self.away_corners

        home_fouls: int | None
        home_fouls = self.home_fouls

        away_fouls: int | None
        away_fouls = self.away_fouls

        home_yellow_cards: int | None
        home_yellow_cards = self.home_yellow_cards

        away_yellow_cards: int | None
        away_yellow_cards = self.away_yellow_cards

        home_red_cards: int | None
        home_red_cards = self.home_red_cards

        away_red_cards: int | None
        away_red_cards = self.away_red_cards

        attendance: int | None
        attendance = self.attendance

        referee = self.referee

        home_xg: float | None
        home_xg = self.home_xg

        away_xg: float | None
        away_xg = self.away_xg


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "xg_known_at": xg_known_at,
            "home_shots": home_shots,
            "away_shots": away_shots,
            "home_shots_on_target": home_shots_on_target,
            "away_shots_on_target": away_shots_on_target,
            "home_corners": home_corners,
            "away_corners": away_corners,
            "home_fouls": home_fouls,
            "away_fouls": away_fouls,
            "home_yellow_cards": home_yellow_cards,
            "away_yellow_cards": away_yellow_cards,
            "home_red_cards": home_red_cards,
            "away_red_cards": away_red_cards,
            "attendance": attendance,
            "referee": referee,
            "home_xg": home_xg,
            "away_xg": away_xg,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        def _parse_xg_known_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                xg_known_at_type_0 = datetime.datetime.fromisoformat(data)



                return xg_known_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        xg_known_at = _parse_xg_known_at(d.pop("xg_known_at"))


        def _parse_home_shots(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_shots = _parse_home_shots(d.pop("home_shots"))


        def _parse_away_shots(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_shots = _parse_away_shots(d.pop("away_shots"))


        def _parse_home_shots_on_target(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_shots_on_target = _parse_home_shots_on_target(d.pop("home_shots_on_target"))


        def _parse_away_shots_on_target(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_shots_on_target = _parse_away_shots_on_target(d.pop("away_shots_on_target"))


        def _parse_home_corners(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_corners = _parse_home_corners(d.pop("home_corners"))


        def _parse_away_corners(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_corners = _parse_away_corners(d.pop("away_corners"))


        def _parse_home_fouls(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_fouls = _parse_home_fouls(d.pop("home_fouls"))


        def _parse_away_fouls(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_fouls = _parse_away_fouls(d.pop("away_fouls"))


        def _parse_home_yellow_cards(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_yellow_cards = _parse_home_yellow_cards(d.pop("home_yellow_cards"))


        def _parse_away_yellow_cards(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_yellow_cards = _parse_away_yellow_cards(d.pop("away_yellow_cards"))


        def _parse_home_red_cards(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        home_red_cards = _parse_home_red_cards(d.pop("home_red_cards"))


        def _parse_away_red_cards(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        away_red_cards = _parse_away_red_cards(d.pop("away_red_cards"))


        def _parse_attendance(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        attendance = _parse_attendance(d.pop("attendance"))


        referee = d.pop("referee")

        def _parse_home_xg(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        home_xg = _parse_home_xg(d.pop("home_xg"))


        def _parse_away_xg(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        away_xg = _parse_away_xg(d.pop("away_xg"))


        match_stats = cls(
            xg_known_at=xg_known_at,
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


        match_stats.additional_properties = d
        return match_stats

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
