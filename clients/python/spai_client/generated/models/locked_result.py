from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset






T = TypeVar("T", bound="LockedResult")



@_attrs_define
class LockedResult:
    """ The result of a match that is left, for all simulated seasons: by its id, or by its teams.

        Attributes:
            home_goals (int):
            away_goals (int):
            match (int | Unset):
            home (str | Unset): Slug of the home team.
            away (str | Unset): Slug of the away team.
     """

    home_goals: int
    away_goals: int
    match: int | Unset = UNSET
    home: str | Unset = UNSET
    away: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        home_goals = self.home_goals

        away_goals = self.away_goals

        match = self.match

        home = self.home

        away = self.away


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "home_goals": home_goals,
            "away_goals": away_goals,
        })
        if match is not UNSET:
            field_dict["match"] = match
        if home is not UNSET:
            field_dict["home"] = home
        if away is not UNSET:
            field_dict["away"] = away

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        home_goals = d.pop("home_goals")

        away_goals = d.pop("away_goals")

        match = d.pop("match", UNSET)

        home = d.pop("home", UNSET)

        away = d.pop("away", UNSET)

        locked_result = cls(
            home_goals=home_goals,
            away_goals=away_goals,
            match=match,
            home=home,
            away=away,
        )


        locked_result.additional_properties = d
        return locked_result

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
